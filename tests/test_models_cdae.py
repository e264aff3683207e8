import keras
import numpy as np
import pytest
import tf_keras

from rsutils.data.interactions import Interactions
from rsutils.models.cdae import CDAE, AllItems, HistoryBatches, build


@pytest.fixture(scope="module")
def log():
    return Interactions.of([0, 0, 1, 1, 1, 3], [0, 1, 0, 2, 3, 4], n_users=5, n_items=6)


@pytest.fixture(scope="module")
def model(log):
    return CDAE(dimensions=4, learning_rate=0.05, epochs=3, progress=False).fit(log)


def weights(model):
    layers = model.model_.get_layer
    return (
        layers("user_factors").embeddings.numpy(),
        layers("encoder").kernel.numpy(),
        *layers("decoder").get_weights(),
    )


def test_a_user_is_their_own_vector_and_the_mean_of_their_items(model, log):
    U, W, V, b = weights(model)
    x = log.to_csr().toarray()
    for user in (0, 1, 3):
        hidden = U[user] + x[user] @ W / np.sqrt(x[user].sum())
        np.testing.assert_allclose(model.scores([user])[0], hidden @ V + b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.scores([2])[0], b, rtol=1e-6)


def test_the_twin_gives_the_same_scores(model):
    twin = build(tf_keras, model.config())
    twin.set_weights(model.model_.get_weights())
    given = {"user": np.arange(5, dtype=np.int32), "history": model.history_.toarray()}
    np.testing.assert_allclose(twin(given).numpy(), model.scores(np.arange(5)), atol=1e-5)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.model_.layers]


def test_batches_hold_each_user_with_a_history_once(log):
    batches = HistoryBatches(log.to_csr(), batch_size=2, seed=0)
    parts = [batches[index] for index in range(len(batches))]
    users = np.concatenate([given["user"] for given, _ in parts])
    assert sorted(users) == [0, 1, 3]
    for given, target in parts:
        np.testing.assert_array_equal(given["history"], log.to_csr()[given["user"]].toarray())
        np.testing.assert_array_equal(target, given["history"])


def test_in_training_a_part_of_the_history_is_hidden_and_the_rest_made_larger(log, model):
    read = keras.Model(model.model_.input, model.model_.get_layer("gaps").output)
    history = np.zeros((400, 6), np.float32)
    history[:, :2] = 1
    given = {"user": np.zeros(400, np.int32), "history": history}
    seen = read(given, training=True).numpy()[:, :2]
    assert 0.4 < (seen == 0).mean() < 0.6
    np.testing.assert_allclose(seen[seen > 0], 2 / np.sqrt(2), rtol=1e-5)


def test_the_loss_weighs_what_was_not_observed():
    logits = np.float32([[0.3, -1.0, 2.0], [0.0, 0.5, -0.5]])
    taken = np.float32([[1, 0, 0], [0, 1, 1]])
    p = 1 / (1 + np.exp(-logits))
    each = np.where(taken == 1, -np.log(p), -0.4 * np.log(1 - p))
    found = float(AllItems(0.4, interactions=1.5)(taken, logits))
    assert found == pytest.approx(each.sum(axis=1).mean() / 1.5, rel=1e-5)


def test_the_penalty_grows_with_the_number_of_interactions_and_leaves_with_training(log, model):
    U, W, V, _ = weights(model)
    lengths = [np.square(table).sum(axis=1) for table in (U, W, V.T)]
    expected = np.mean(lengths[0][log.user] + lengths[1][log.item] + lengths[2][log.item])
    expected += lengths[1].mean() + lengths[2].mean()
    strong = CDAE(4, l2=0.4)
    with strong._penalty(model.model_, log.to_csr()):
        assert float(sum(model.model_.losses)) == pytest.approx(0.4 / 2 * expected, rel=1e-5)
    assert model.model_.losses == []


def test_training_lowers_the_loss(log):
    taken = log.to_csr().toarray()

    def loss(epochs):
        settings = {"dimensions": 4, "learning_rate": 0.05, "dropout": 0.0, "progress": False}
        scores = CDAE(epochs=epochs, **settings).fit(log).scores(np.arange(5))
        return float(AllItems(0.5, 1.0)(taken, scores))

    assert loss(60) < 0.6 * loss(1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0.0),
        ("l2", -1.0),
        ("dropout", 1.0),
        ("unobserved_weight", 0.0),
        ("epochs", 0),
        ("dimensions", 2.5),
    ],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        CDAE(**{name: value})


def test_divergence_is_an_error_and_not_a_model(log):
    with pytest.raises(FloatingPointError, match="lower it"):
        CDAE(learning_rate=1e38, epochs=5, progress=False).fit(log)
