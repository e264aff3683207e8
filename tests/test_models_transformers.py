"""SASRec and BERT4Rec: what a place may see, what it is trained on, and what is kept."""

import copy
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from hypothesis import given
from hypothesis import strategies as st

from rsutils.data.interactions import Interactions
from rsutils.models import BERT4Rec, SASRec
from rsutils.models.transformer import TransformerConfig, build
from rsutils.training import item_losses
from rsutils.training.item_prediction import ItemPrediction
from rsutils.training.masked_batches import MaskedBatches
from rsutils.training.sequence_batches import NextItemBatches, Sequences, places

N_ITEMS = 9
SIZES = {"dimensions": 8, "length": 6, "progress": False}


@pytest.fixture(scope="module")
def log():
    """Whoever takes an item takes the one after it next; user 4 has one item, user 5 none."""
    first = [0, 3, 5, 2]
    user = np.repeat([0, 1, 2, 3], 5)
    item = np.concatenate([(f + np.arange(5)) % N_ITEMS for f in first])
    return Interactions.of([*user, 4], [*item, 7], n_users=6, n_items=N_ITEMS)


MODELS = {
    "sasrec": lambda **more: SASRec(
        **{**SIZES, "learning_rate": 0.03, "epochs": 40, "batch_size": 4, "negatives": 4, **more}
    ),
    "bert4rec": lambda **more: BERT4Rec(
        **{**SIZES, "learning_rate": 0.03, "epochs": 40, "batch_size": 4, "masked": 0.3, **more}
    ),
}


@pytest.fixture(scope="module")
def fitted(log):
    return {name: make().fit(log) for name, make in MODELS.items()}


def inputs(rows, length=6):
    item = np.asarray(rows, np.int32)
    return {"item": item, "place": places(item, length)}


@pytest.mark.parametrize("loss", ["full_softmax", "sampled_softmax", "one_negative"])
def test_what_follows_what_is_learnt_with_every_loss(loss, log):
    model = MODELS["sasrec"](loss=loss).fit(log)
    found = model.recommend(np.arange(4), k=2, exclude=log)
    assert ((log.to_csr().toarray()[np.arange(4), found[:, 0]]) == 0).all()
    expected = (np.array([0, 3, 5, 2]) + 5) % N_ITEMS
    assert (found == expected[:, None]).any(axis=1).mean() >= 0.75


def test_the_causal_transformer_sees_nothing_that_comes_later(fitted):
    model = fitted["sasrec"].model_
    before = model(inputs([[1, 2, 3, 4]])).numpy()
    after = model(inputs([[1, 2, 3, 9]])).numpy()
    np.testing.assert_allclose(before[:, :3], after[:, :3], atol=1e-6)
    assert not np.allclose(before[:, 3], after[:, 3])


def test_the_other_one_sees_both_sides(fitted):
    model = fitted["bert4rec"].model_
    before, after = (model(inputs([[1, 2, 3, last]])).numpy() for last in (4, 9))
    assert not np.allclose(before[:, 0], after[:, 0], atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_padding_changes_nothing(name, fitted):
    model = fitted[name].model_
    short, padded = model(inputs([[4, 5]])).numpy(), model(inputs([[4, 5, 0, 0]])).numpy()
    np.testing.assert_allclose(short[0], padded[0, :2], atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_the_twin_gives_the_same_states(name, fitted):
    twin = build(tf_keras, fitted[name].config())
    twin.set_weights(fitted[name].model_.get_weights())
    given = inputs([[4, 5, 1], [2, 0, 0]])
    mine, other = fitted[name].model_(given).numpy(), twin(given).numpy()
    np.testing.assert_allclose(mine[given["item"] > 0], other[given["item"] > 0], atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_saved_and_loaded_without_custom_code_it_is_the_same(name, fitted, tmp_path):
    fitted[name].model_.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    given = inputs([[4, 5, 1], [2, 0, 0]])
    np.testing.assert_array_equal(loaded(given).numpy(), fitted[name].model_(given).numpy())


@pytest.mark.parametrize("name", MODELS)
def test_the_whole_recommender_comes_back_from_its_folder(name, fitted, log, tmp_path):
    loaded = type(fitted[name]).load(fitted[name].save(tmp_path / name))
    users = np.arange(log.n_users)
    np.testing.assert_array_equal(loaded.scores(users), fitted[name].scores(users))
    assert loaded.observe(log.take(log.user == 1)).scores([1]).shape == (1, N_ITEMS)


@pytest.mark.parametrize("name", MODELS)
def test_an_interrupted_run_goes_on_to_the_same_weights(name, log, tmp_path):
    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "run")

    def stop(epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    undisturbed = MODELS[name](epochs=5).fit(log)
    unplug = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    with pytest.raises(KeyboardInterrupt):
        MODELS[name](epochs=5).fit(log, callbacks=[backup(), unplug])
    resumed = MODELS[name](epochs=5).fit(log, callbacks=[backup()])
    weights = (model.model_.get_weights() for model in (undisturbed, resumed))
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", MODELS)
def test_new_histories_are_scored_without_a_refit(name, fitted, log):
    model = MODELS[name](epochs=2).fit(log)
    before = model.scores(np.arange(6))
    other = Interactions.of([0, 0, 1], [3, 4, 8], n_items=N_ITEMS)
    seen = model.observe(other).scores([0, 1])
    assert seen.shape == (2, N_ITEMS)
    with pytest.raises(IndexError, match="User 5 is unknown"):
        model.scores([5])
    np.testing.assert_array_equal(model.observe(log).scores(np.arange(6)), before)
    with pytest.raises(ValueError, match="cover 4 items; expected 9"):
        model.observe(Interactions.of([0], [3]))


@pytest.fixture(scope="module")
def downwards():
    """Other users: whoever takes an item takes the one below it next. And what comes then."""
    lists = [(first - np.arange(5)) % N_ITEMS for first in range(N_ITEMS)]
    users = np.arange(N_ITEMS)
    log = Interactions.of(np.repeat(users, 5), np.concatenate(lists), n_items=N_ITEMS)
    following = [(items[-1] - 1) % N_ITEMS for items in lists]
    return log, Interactions.of(users, following, n_items=N_ITEMS)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("lora_rank", [None, 2])
def test_fine_tuning_leaves_the_first_model_alone(name, lora_rank, fitted, log, downwards):
    first = fitted[name]
    before, scores = first.model_.get_weights(), first.scores([0])
    tuned = first.fine_tune(downwards[0], epochs=1, learning_rate=0.01, lora_rank=lora_rank)
    assert type(tuned) is type(first)
    for one, same in zip(before, first.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    np.testing.assert_array_equal(first.scores([0]), scores)
    after = tuned.model_.get_weights()
    assert [w.shape for w in after] == [w.shape for w in before]
    assert not np.array_equal(after[0], before[0])
    assert (tuned.trained_parameters_ < first.trained_parameters_ / 2) == (lora_rank is not None)


def test_fine_tuning_learns_what_the_new_users_do(fitted, downwards):
    log, following = downwards

    def surprise(model):
        """Mean -log of the probability of what comes next, among all items."""
        scores = tf.constant(model.scores(following.user))
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(following.item, scores)
        return float(tf.reduce_mean(each))

    old = copy.copy(fitted["sasrec"]).observe(log)
    tuned = fitted["sasrec"].fine_tune(log, epochs=60, learning_rate=0.03)
    assert surprise(tuned) < np.log(N_ITEMS) / 1.5 < surprise(old)


def test_a_rank_of_zero_is_refused(fitted, downwards):
    with pytest.raises(ValueError, match="rank is 0"):
        fitted["sasrec"].fine_tune(downwards[0], epochs=1, learning_rate=0.1, lora_rank=0)


@pytest.mark.filterwarnings("error")
def test_validation_items_choose_the_weights(log, monkeypatch):
    values, weights = iter([0.1, 0.3, 0.2]), []

    def ranking(model, validation, **options):
        assert validation is log
        weights.append(model.model_.get_weights())
        return {"ndcg@10": next(values)}

    monkeypatch.setattr("rsutils.models.sequence_model.full_ranking", ranking)
    model = MODELS["sasrec"](epochs=3).fit(log, validation=log)
    for best, kept in zip(weights[1], model.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(best, kept)


@pytest.mark.parametrize("name", MODELS)
def test_scores_do_not_depend_on_who_else_is_asked(name, fitted):
    together = fitted[name].scores(np.arange(6))
    for user in range(6):
        np.testing.assert_allclose(fitted[name].scores([user])[0], together[user], atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_users_of_one_item_each_are_refused(name):
    with pytest.raises(ValueError, match="No user has two items"):
        MODELS[name]().fit(Interactions.of([0, 1], [0, 1]))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"loss": "hinge"}, "loss is 'hinge'"),
        ({"heads": 3}, "multiple of heads=3"),
        ({"dropout": 1.0}, "dropout"),
        ({"length": 0}, "length"),
        ({"learning_rate": 0.0}, "learning_rate"),
    ],
)
def test_settings_out_of_range_are_named(given, name):
    with pytest.raises(ValueError, match=name):
        SASRec(**given)
    with pytest.raises(ValueError, match="masked is 1"):
        BERT4Rec(masked=1.0)


def test_batches_may_grow_longer_after_the_first_ones():
    """Two short batches come first, then one that is four times as wide."""
    long = Interactions.of([0] * 90 + [1, 1, 2, 2], [*range(90), 0, 1, 1, 2])
    for seed in range(4):
        SASRec(4, length=100, batch_size=1, epochs=1, seed=seed, progress=False).fit(long)


histories = st.lists(st.lists(st.integers(0, N_ITEMS - 1), max_size=12), min_size=1, max_size=8)


def table(lists):
    user = [u for u, items in enumerate(lists) for _ in items]
    item = [i for items in lists for i in items]
    return Interactions.of(user, item, n_users=len(lists), n_items=N_ITEMS)


@given(histories, st.integers(1, 7), st.integers(1, 3))
def test_every_item_but_the_first_is_a_target_after_the_one_before_it(lists, length, batch):
    batches = NextItemBatches(Sequences.of(table(lists)), length, batch, seed=0)
    found = []
    for index in range(len(batches)):
        x, target = batches[index]
        assert x["item"].shape == x["place"].shape == target.shape
        assert ((x["item"] > 0) == (target > 0)).all()
        assert x["place"].max() == length
        for before, after in zip(x["item"], target, strict=True):
            assert (before[1:][after[1:] > 0] == after[:-1][after[1:] > 0]).all()
        found += [
            [(int(a) - 1, int(b) - 1) for a, b in zip(r, t, strict=True) if b]
            for r, t in zip(x["item"], target, strict=True)
        ]
    expected = [list(itertools.pairwise(i))[-length:] for i in lists if len(i) > 1]
    assert sorted(found) == sorted(expected)


@given(histories, st.integers(2, 7), st.integers(1, 3), st.floats(0.05, 0.9))
def test_what_is_hidden_is_the_target_and_nothing_else_is(lists, length, batch, masked):
    batches = MaskedBatches(Sequences.of(table(lists)), length, batch, masked, seed=0)
    users = 0
    for index in range(len(batches)):
        x, target = batches[index]
        users += len(target)
        hidden = x["item"] == N_ITEMS + 1
        assert (hidden == (target > 0)).all()
        assert hidden.any(axis=1).all()
        whole = np.where(hidden, target, x["item"])
        for user, row in zip(batches.batches[index], whole, strict=True):
            assert [i - 1 for i in row if i] == lists[user][-length:]
    assert users == sum(len(items) > 1 for items in lists)


def test_losses_are_what_numpy_says():
    rng = np.random.default_rng(0)
    state, rows = rng.normal(size=(5, 3)), rng.normal(size=(7, 3))
    target, negative = np.array([0, 6, 2, 2, 4]), np.array([2, 5, 1])
    scores = state @ rows.T
    mine = scores[np.arange(5), target]
    full = np.mean(np.log(np.exp(scores).sum(1)) - mine)
    others = np.exp(scores[:, negative]) * (target[:, None] != negative)
    sampled = np.mean(np.log(np.exp(mine) + others.sum(1) * 6 / 3) - mine)
    one = np.mean(np.log1p(np.exp(-mine)) + np.log1p(np.exp(scores[np.arange(5), [1, 1, 3, 4, 0]])))
    given = [tf.constant(a) for a in (state, target.astype(np.int32), rows)]
    assert float(item_losses.full_softmax(*given)) == pytest.approx(full)
    found = item_losses.sampled_softmax(*given, tf.constant(negative.astype(np.int32)))
    assert float(found) == pytest.approx(sampled)
    found = item_losses.one_negative(*given, tf.constant([1, 1, 3, 4, 0]))
    assert float(found) == pytest.approx(one)


def test_the_sampled_sum_is_right_in_the_mean():
    """With every other item drawn once, the sampled softmax is the full one."""
    rng = np.random.default_rng(1)
    state, rows = tf.constant(rng.normal(size=(1, 3))), tf.constant(rng.normal(size=(7, 3)))
    target, others = tf.constant([3]), tf.constant([0, 1, 2, 4, 5, 6])
    full = item_losses.full_softmax(state, target, rows)
    assert float(item_losses.sampled_softmax(state, target, rows, others)) == pytest.approx(
        float(full)
    )


def test_the_correction_is_right_in_the_mean_whatever_draws():
    """One negative, drawn with any probabilities over the others: all draws enumerated."""
    rng = np.random.default_rng(2)
    state, rows = tf.constant(rng.normal(size=(1, 3))), tf.constant(rng.normal(size=(7, 3)))
    target, others = tf.constant([3]), [0, 1, 2, 4, 5, 6]
    chance = rng.dirichlet(np.ones(6))
    each = [
        float(item_losses.sampled_softmax(state, target, rows, tf.constant([item]), np.log([q])))
        for item, q in zip(others, chance, strict=True)
    ]
    full = float(item_losses.full_softmax(state, target, rows))
    assert chance @ np.exp(each) == pytest.approx(np.exp(full))


def test_a_place_counts_alike_in_batches_of_long_and_of_short_histories():
    long = [list(range(7)) * 2, [0, 1], [1, 2], [2, 0]]
    batches = NextItemBatches(Sequences.of(table(long)), length=10, batch_size=1, seed=0)
    assert batches.mean_places == (10 + 1 + 1 + 1) / 4
    model = ItemPrediction(
        build(keras, TransformerConfig(N_ITEMS + 1, 10, dimensions=4)),
        *("items", N_ITEMS, "full_softmax", batches.mean_places, 1, 0),
    )
    each, count = [], []
    for index in range(len(batches)):
        x, target = batches[index]
        state = model(x)
        marked = tf.where(target != 0)
        rows = model.table.embeddings[1 : N_ITEMS + 1]
        labels = tf.gather_nd(target, marked) - 1
        each.append(float(item_losses.full_softmax(tf.gather_nd(state, marked), labels, rows)))
        count.append(len(labels))
        found = float(model.compute_loss(y=target, y_pred=state))
        assert found == pytest.approx(each[-1] * count[-1] / batches.mean_places, rel=1e-5)
    assert sorted(count) == [1, 1, 1, 10]
