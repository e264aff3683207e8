import keras
import numpy as np
import pytest
import tf_keras

from rsutils.data.interactions import Interactions
from rsutils.models.softmax_cf import SoftmaxCF, UserBatches, build, frequency_scaled


@pytest.fixture(scope="module")
def log():
    return Interactions.of([0, 0, 1, 1, 1, 3], [0, 1, 0, 2, 3, 4], n_users=5, n_items=6)


@pytest.fixture(scope="module")
def model(log):
    return SoftmaxCF(dimensions=4, learning_rate=0.05, epochs=3, progress=False).fit(log)


def test_scores_are_factors_times_factors_plus_bias(model):
    U, V, b = model.model_.get_weights()
    assert (U.shape, V.shape, b.shape) == ((5, 4), (4, 6), (6,))
    np.testing.assert_allclose(model.scores([3, 0]), U[[3, 0]] @ V + b, rtol=1e-5, atol=1e-6)


def test_the_twin_gives_the_same_scores(model):
    twin = build(tf_keras, model.config())
    twin.set_weights(model.model_.get_weights())
    users = np.arange(5)
    np.testing.assert_allclose(twin(users).numpy(), model.scores(users), atol=1e-6)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.model_.layers]


def test_batches_hold_each_user_with_a_history_once(log):
    batches = UserBatches(log.to_csr(), batch_size=2, seed=0)
    parts = [batches[index] for index in range(len(batches))]
    users, shares, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    assert sorted(users) == [0, 1, 3]
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(shares[list(users).index(1)], [1 / 3, 0, 1 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(weight[np.argsort(users)], [1.0, 1.5, 0.5], rtol=1e-6)


def test_the_order_is_new_in_each_epoch():
    batches = UserBatches(Interactions.of(range(50), range(50)).to_csr(), 50, seed=0)
    first = batches[0][0].copy()
    batches.start_epoch(1)
    assert sorted(first) == sorted(batches[0][0])
    assert not np.array_equal(first, batches[0][0])


def test_training_lowers_the_loss(log):
    def loss(epochs):
        settings = {"dimensions": 4, "learning_rate": 0.05, "progress": False}
        logits = SoftmaxCF(epochs=epochs, **settings).fit(log).scores(log.user)
        return keras.losses.sparse_categorical_crossentropy(log.item, logits, True).numpy().mean()

    assert loss(1) > 1.6
    assert loss(60) < 1.0


def test_divergence_is_an_error_and_not_a_model(log):
    with pytest.raises(FloatingPointError, match="lower it"):
        SoftmaxCF(learning_rate=1e38, epochs=5, progress=False).fit(log)


@pytest.mark.parametrize(
    ("name", "value"), [("learning_rate", 0.0), ("l2", -1.0), ("batch_size", 0.5), ("epochs", 0)]
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        SoftmaxCF(**{name: value})


def test_the_penalty_grows_with_the_number_of_interactions_and_leaves_with_training(log, model):
    U, V, _ = model.model_.get_weights()
    expected = np.mean(np.square(U[log.user]).sum(1) + np.square(V.T[log.item]).sum(1))
    expected += np.square(V).sum(0).mean()  # each of the items once more, on average
    with frequency_scaled(model.model_, log.to_csr(), l2=0.4):
        penalty = float(sum(model.model_.losses))
    assert penalty == pytest.approx(0.4 / 2 * expected, rel=1e-5)
    assert model.model_.losses == []
