"""The fast ways of training do what the plain ones do."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils.data.interactions import Interactions
from rsutils.models.ncf import NCFConfig, build
from rsutils.training import DenseAdam, PairPrediction, RowSparseAdam, SliceBatches

ROWS = st.lists(st.integers(0, 4), min_size=1, max_size=8)


def table():
    return keras.Variable(np.random.default_rng(0).normal(size=(5, 3)))


def slices(rows, seed=0):
    values = np.random.default_rng(seed).normal(size=(len(rows), 3)).astype(np.float32)
    return tf.IndexedSlices(tf.constant(values), tf.constant(rows, tf.int32), (5, 3))


@settings(max_examples=15, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_dense_adam_is_keras_adam(steps):
    ours, theirs = table(), table()
    one, other = DenseAdam(0.1), keras.optimizers.Adam(0.1)
    for number, rows in enumerate(steps):
        one.apply([slices(rows, number)], [ours])
        other.apply([tf.convert_to_tensor(slices(rows, number))], [theirs])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_row_sparse_adam_leaves_other_rows_and_their_averages_alone(steps):
    variable = table()
    before = variable.numpy().copy()
    optimizer = RowSparseAdam(0.1)
    for number, rows in enumerate(steps):
        optimizer.apply([slices(rows, number)], [variable])
    untouched = sorted(set(range(5)) - set(itertools.chain.from_iterable(steps)))
    np.testing.assert_array_equal(variable.numpy()[untouched], before[untouched])
    for average in (optimizer._momentums[0], optimizer._velocities[0]):
        assert not average.numpy()[untouched].any()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.permutations(range(5)), min_size=1, max_size=4), st.lists(ROWS, max_size=4))
def test_row_sparse_adam_is_adam_while_every_batch_touches_every_row(steps, more):
    ours, theirs = table(), table()
    one, other = RowSparseAdam(0.1), keras.optimizers.Adam(0.1)
    for number, rows in enumerate(steps):
        rows = [*rows, *itertools.chain.from_iterable(more)]
        one.apply([slices(rows, number)], [ours])
        other.apply([tf.convert_to_tensor(slices(rows, number))], [theirs])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)


def test_row_sparse_adam_treats_a_dense_gradient_as_adam_does():
    ours, theirs = table(), table()
    RowSparseAdam(0.1).apply([tf.ones((5, 3))], [ours])
    keras.optimizers.Adam(0.1).apply([tf.ones((5, 3))], [theirs])
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("optimizer", [DenseAdam, RowSparseAdam])
def test_amsgrad_is_refused(optimizer):
    with pytest.raises(ValueError, match="amsgrad"):
        optimizer(amsgrad=True)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(1, 25), st.integers(0, 5))
def test_slices_hold_every_row_once_in_an_order_of_their_epoch(rows, size, epoch):
    batches = SliceBatches({"a": np.arange(rows), "b": -np.arange(rows)}, size, seed=3)
    batches.start_epoch(epoch)
    parts = list(batches.dataset().as_numpy_iterator())
    a, b = (np.concatenate([part[name] for part in parts]) for name in ("a", "b"))
    assert len(parts) == len(batches)
    assert {len(part["a"]) for part in parts[:-1]} <= {size}
    np.testing.assert_array_equal(np.sort(a), np.arange(rows))
    np.testing.assert_array_equal(a, -b)
    again = SliceBatches({"a": np.arange(rows), "b": -np.arange(rows)}, size, seed=3)
    again.start_epoch(epoch)
    np.testing.assert_array_equal(a, np.concatenate([x["a"] for x in again.dataset()]))


def test_the_same_dataset_is_in_a_new_order_after_a_new_epoch_began():
    batches = SliceBatches(np.arange(50), 10, seed=0)
    data = batches.dataset()
    first = np.concatenate(list(data.as_numpy_iterator()))
    batches.start_epoch(1)
    assert not np.array_equal(first, np.concatenate(list(data.as_numpy_iterator())))


@pytest.mark.parametrize("arrays", [(np.arange(3), np.arange(4)), (np.empty(0),)])
def test_arrays_that_do_not_fit_are_refused(arrays):
    with pytest.raises(ValueError, match="expected one number"):
        SliceBatches(arrays, 2, seed=0)


@pytest.fixture(scope="module")
def log():
    return Interactions.of([0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 3, 4], n_items=6)


def prediction(log, negatives=40):
    return PairPrediction(build(keras, NCFConfig(3, 6, 2, hidden=())), log, negatives, seed=0)


def test_drawn_items_count_unless_the_user_has_them(log):
    model = prediction(log)
    seen = {}
    scorer = model.scorer

    def record(pairs, training=None):
        seen.update({name: ids.numpy().reshape(3, -1) for name, ids in pairs.items()})
        return scorer(pairs)

    model.scorer = record
    logits, counts = model({"user": np.int32([0, 1, 2]), "item": np.int32([1, 3, 4])})
    assert logits.shape == counts.shape == (3, 41)
    taken = set(zip(log.user.tolist(), log.item.tolist(), strict=True))
    for row in range(3):
        assert (seen["user"][row] == row).all()
        assert counts[row, 0] == 1
        for item, counted in zip(seen["item"][row, 1:], counts[row, 1:].numpy(), strict=True):
            assert counted == ((row, int(item)) not in taken)
    assert set(np.unique(seen["item"])) == set(range(6))


def test_the_loss_is_the_mean_over_pairs_that_count(log):
    logits = np.float32([[2.0, -1.0, 7.0], [0.0, 0.5, -3.0]])
    counts = np.float32([[1, 1, 0], [1, 1, 1]])
    each = np.logaddexp(0, -logits)
    each[:, 1:] = np.logaddexp(0, logits[:, 1:])
    loss = prediction(log).compute_loss(y_pred=(tf.constant(logits), tf.constant(counts)))
    assert float(loss) == pytest.approx((each * counts).sum() / 5, rel=1e-5)
