import keras
import numpy as np
import pytest
import tf_keras

from rsutils.data.interactions import Interactions
from rsutils.models.ncf import NCF, NCFConfig, build
from rsutils.training import PairBatches

SIZES = {"gmf_dimensions": 3, "mlp_dimensions": 4, "hidden": (5, 2)}


@pytest.fixture(scope="module")
def log():
    return Interactions.of([0, 0, 1, 1, 1, 3], [0, 1, 0, 2, 3, 4], n_users=5, n_items=6)


@pytest.fixture(scope="module")
def model(log):
    return NCF(**SIZES, learning_rate=0.05, epochs=3, progress=False).fit(log)


def pairs(log):
    return {"user": log.user.astype(np.int32), "item": log.item.astype(np.int32)}


def test_the_logit_is_both_branches_through_one_layer(model, log):
    weights = {layer.name: [w.numpy() for w in layer.weights] for layer in model.model_.layers}
    (P, Q, p, q), (user, item) = (
        (weights[n][0] for n in ("gmf_user", "gmf_item", "mlp_user", "mlp_item")),
        pairs(log).values(),
    )
    z = np.hstack([p[user], q[item]])
    for name in ("hidden_1", "hidden_2"):
        kernel, bias = weights[name]
        z = np.maximum(z @ kernel + bias, 0)
    kernel, bias = weights["logit"]
    expected = np.hstack([P[user] * Q[item], z]) @ kernel[:, 0] + bias
    np.testing.assert_allclose(model.model_(pairs(log)).numpy()[:, 0], expected, atol=1e-5)
    np.testing.assert_allclose(model.scores([0, 1, 3])[[0, 1], [1, 2]], expected[[1, 3]], atol=1e-5)


@pytest.mark.parametrize(
    ("branches", "absent"),
    [({"hidden": ()}, "mlp_user"), ({"gmf_dimensions": 0}, "gmf_user")],
)
def test_a_branch_can_be_left_out(branches, absent, log):
    model = NCF(**{**SIZES, **branches}, epochs=1, progress=False).fit(log)
    assert absent not in [layer.name for layer in model.model_.layers]
    assert model.scores([0]).shape == (1, 6)


def test_the_twin_gives_the_same_logits(model, log):
    twin = build(tf_keras, model.config())
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.model_.layers]
    twin.set_weights(model.model_.get_weights())
    np.testing.assert_allclose(
        twin(pairs(log)).numpy(), model.model_(pairs(log)).numpy(), atol=1e-6
    )


def test_saved_and_loaded_without_custom_code_it_is_the_same(model, log, tmp_path):
    model.model_.save(tmp_path / "ncf.keras")
    loaded = keras.saving.load_model(tmp_path / "ncf.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(pairs(log)).numpy(), model.model_(pairs(log)).numpy())


def test_batches_hold_every_pair_once_with_items_that_its_user_lacks(log):
    batches = PairBatches(log, batch_size=4, negatives=2, seed=0)
    parts = [batches[index] for index in range(len(batches))]
    user, item = (np.concatenate([x[name] for x, _ in parts]) for name in ("user", "item"))
    taken = np.concatenate([y for _, y in parts])[:, 0] == 1
    observed = set(zip(log.user.tolist(), log.item.tolist(), strict=True))
    drawn = list(zip(user[~taken].tolist(), item[~taken].tolist(), strict=True))
    assert sorted(zip(user[taken].tolist(), item[taken].tolist(), strict=True)) == sorted(observed)
    assert len(drawn) == 2 * len(log)
    assert not observed & set(drawn)
    before = batches.items.copy()
    batches.start_epoch(1)
    assert not np.array_equal(before[:, 1:], batches.items[:, 1:])


def test_the_penalty_is_the_mean_over_observed_and_drawn_pairs():
    log = Interactions.of([0, 1, 1], [0, 1, 2], n_items=8)
    model = NCF(2, hidden=(), negatives=3, l2=0.5)
    model.n_users_, model.n_items_ = log.n_users, log.n_items
    keras_model = build(keras, NCFConfig(log.n_users, log.n_items, 2, hidden=()))
    U, V = (keras_model.get_layer(f"gmf_{n}").embeddings.numpy() for n in ("user", "item"))
    square_u, square_v = np.square(U).sum(1), np.square(V).sum(1)
    users = square_u[log.user].mean()
    items = square_v[log.item].mean() / 4 + square_v.mean() * 3 / 4
    with model._penalty(keras_model, log):
        assert float(sum(keras_model.losses)) == pytest.approx(0.25 * (users + items), rel=1e-5)
    assert keras_model.losses == []


def test_training_lowers_the_loss(log):
    def loss(epochs):
        model = NCF(8, hidden=(), learning_rate=0.05, epochs=epochs, progress=False).fit(log)
        label = log.to_csr().toarray()[[0, 1, 3]]
        return keras.losses.binary_crossentropy(label, model.scores([0, 1, 3]), True).numpy().mean()

    assert loss(1) > 0.5
    assert loss(80) < 0.3


def test_divergence_is_an_error_and_not_a_model(log):
    with pytest.raises(FloatingPointError, match="lower it"):
        NCF(learning_rate=1e38, epochs=5, progress=False).fit(log)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"hidden": (8, 0)}, r"hidden\[1\]"),
        ({"gmf_dimensions": 0, "hidden": ()}, "gmf_dimensions"),
        ({"negatives": 0}, "negatives"),
        ({"l2": -1.0}, "l2"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_settings_out_of_range_are_named(given, name):
    with pytest.raises(ValueError, match=name):
        NCF(**given)
