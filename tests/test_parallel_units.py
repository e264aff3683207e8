"""Parts of ``rsutils.parallel`` that one process can show: batches, placement, optimizer, cost."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils import parallel
from rsutils.parallel import callbacks, cost
from rsutils.parallel.reduction import merge_rows
from rsutils.training import SliceBatches
from tests import parallel_jobs as jobs


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 60), st.integers(0, 20))
def test_workers_have_equal_steps_and_see_each_row_once(size, batch_size, more, seen):
    n = size + more
    workers = [
        parallel.WorkerBatches(np.arange(n), batch_size, 7, rank=rank, size=size)
        for rank in range(size)
    ]
    orders = []
    for epoch in range(2):
        for worker in workers:
            worker.start_epoch(epoch)
        left = {worker.skip(min(seen, n - size)) for worker in workers}.pop()
        steps = [[part.numpy() for part in worker.dataset()] for worker in workers]
        assert len({len(parts) for parts in steps}) == 1
        sizes = [len(part) for parts in steps for part in parts]
        assert 1 <= min(sizes) <= max(sizes) <= batch_size + 1
        for step in zip(*steps, strict=True):
            assert max(map(len, step)) - min(map(len, step)) <= 1
        assert all(len(part) == batch_size for parts in steps for part in parts[:-1])
        assert workers[0].seen_after(len(steps[0])) == n
        assert workers[0].seen_after(0) == n - left
        by_step = [part for step in zip(*steps, strict=True) for part in step]
        order = np.concatenate(by_step)
        assert np.array_equal(order, workers[0].order.numpy()[n - left :])
        orders.append(order)
    assert len(orders[0]) < 8 or not np.array_equal(*orders)


def test_one_worker_has_the_batches_of_slice_batches():
    whole = SliceBatches(np.arange(60), 20, seed=3)
    ours = parallel.WorkerBatches(np.arange(60), 20, seed=3)
    for one, other in zip(whole.dataset(), ours.dataset(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; expected at least 1"),
        ({"rank": 2, "size": 2}, "rank is 2; expected 0 to 1"),
        ({"rank": 0, "size": 9}, "5 rows for 9 workers"),
    ],
)
def test_worker_batches_refuse_what_cannot_work(settings, message):
    with pytest.raises(ValueError, match=message):
        parallel.WorkerBatches(np.arange(5), **{"batch_size": 2, "seed": 0, **settings})


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(2, 9), st.integers(0, 60))
def test_workers_with_rows_of_their_own_have_equal_steps_and_see_each_row_once(size, batch, more):
    n = size + more
    held = [np.arange(n * rank // size, n * (rank + 1) // size) for rank in range(size)]
    workers = [parallel.PartBatches(rows, batch, 7, total=n, size=size) for rows in held]
    orders = []
    for epoch in range(2):
        for worker in workers:
            worker.start_epoch(epoch)
        steps = [[part.numpy() for part in worker.dataset()] for worker in workers]
        assert len({len(parts) for parts in steps}) == 1
        sizes = [len(part) for parts in steps for part in parts]
        assert 1 <= min(sizes) <= max(sizes) <= min(batch, min(sizes) + 1)
        for rows, parts in zip(held, steps, strict=True):
            assert np.array_equal(np.sort(np.concatenate(parts)), rows)
        orders.append(np.concatenate(steps[0]))
    assert len(orders[0]) < 8 or not np.array_equal(*orders)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; expected at least 1"),
        ({"total": 9}, "5 rows; of 9 for 3 workers each should have 3 or 3"),
        ({"batch_size": 1, "total": 16}, r"5 rows for 6 steps.*raise batch_size"),
    ],
)
def test_part_batches_refuse_what_cannot_work(settings, message):
    with pytest.raises(ValueError, match=message):
        parallel.PartBatches(
            np.arange(5), **{"batch_size": 2, "seed": 0, "total": 15, "size": 3, **settings}
        )


PLACEMENTS = st.one_of(
    st.builds(parallel.ByRow, st.integers(8, 60), st.integers(1, 8)),
    st.builds(
        parallel.ByTable, st.lists(st.integers(1, 9), min_size=4, max_size=9), st.integers(1, 4)
    ),
)


@settings(max_examples=60, deadline=None)
@given(PLACEMENTS)
def test_every_row_is_on_one_worker_where_the_placement_says(placement):
    rows = [placement.rows_of(rank) for rank in range(placement.size)]
    assert sorted(np.concatenate(rows).tolist()) == list(range(placement.n_rows))
    for dtype in (tf.int32, tf.int64):
        owner, place = placement.locate(tf.range(placement.n_rows, dtype=dtype))
        assert place.dtype == dtype
        for row in range(placement.n_rows):
            assert rows[int(owner[row])][int(place[row])] == row


def test_tables_are_spread_evenly():
    placement = parallel.ByTable([100, 60, 50, 10], size=2)
    held = [len(placement.rows_of(rank)) for rank in range(2)]
    assert sorted(held) == [110, 110]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parallel.ByRow(1, 2), "1 rows for 2 workers"),
        (lambda: parallel.ByTable([4], 2), "each worker needs a table"),
        (lambda: parallel.ByTable([4, 0], 2), "each worker needs a table"),
    ],
)
def test_impossible_placements_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_sharded_table_of_one_worker_is_a_table_and_is_saved_as_a_model(tmp_path):
    model = jobs.build("by_row")
    ids, _ = jobs.rows()
    np.testing.assert_allclose(model(ids), jobs.build()(ids), atol=1e-6)
    numbers = model.get_layer("table").embeddings.numpy()
    assert abs(numbers.mean()) < 0.05
    assert 0.27 < numbers.std() < 0.33
    model.save(tmp_path / "model.keras")
    custom = {"ShardedEmbedding": parallel.ShardedEmbedding}
    again = keras.models.load_model(tmp_path / "model.keras", custom_objects=custom)
    np.testing.assert_array_equal(again(ids), model(ids))


@pytest.mark.parametrize("wrong", [-1, jobs.USERS + jobs.ITEMS])
def test_ids_outside_of_the_table_are_refused(wrong):
    layer = parallel.ShardedEmbedding(jobs.USERS + jobs.ITEMS, 4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="outside of its 80 rows"):
        layer(np.array([[0, wrong]]))


def test_state_that_does_not_fit_is_refused_and_nothing_changes():
    model = jobs.build()
    state = parallel.whole_state(model)
    before = model.get_weights()
    with pytest.raises(ValueError, match="arrays for 5 variables"):
        parallel.set_whole_state(model, state[:-1])
    state[0] = state[0] + 1
    state[-1] = np.zeros(7)
    with pytest.raises(ValueError, match=r"dense_1/bias is \(1,\) as a whole; .* is \(7,\)"):
        parallel.set_whole_state(model, state)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def compiled(optimizer):
    model = jobs.build()
    model.compile(optimizer, "mse", jit_compile=False)
    ids, label = jobs.rows()
    model.fit(ids, label, batch_size=100, epochs=1, verbose=0, shuffle=False)
    return model


@pytest.mark.parametrize(
    "make",
    [
        keras.optimizers.Adagrad,
        keras.optimizers.AdamW,
        keras.optimizers.Adamax,
        keras.optimizers.Ftrl,
        keras.optimizers.Lion,
        keras.optimizers.Nadam,
        keras.optimizers.RMSprop,
        lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 100)),
        lambda: keras.optimizers.SGD(0.1, global_clipnorm=0.5, use_ema=True),
    ],
)
def test_any_optimizer_may_be_distributed(make):
    found = compiled(parallel.DistributedOptimizer(make()))
    pairs = zip(found.get_weights(), jobs.build().get_weights(), strict=True)
    moved = [np.abs(a - b).max() for a, b in pairs]
    assert max(moved) > 0
    assert int(found.optimizer.iterations) == 8


def test_a_saved_model_loads_with_plain_keras_and_its_state(tmp_path):
    model = compiled(parallel.DistributedOptimizer(keras.optimizers.Adam(0.01)))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is keras.optimizers.Adam
    for one, other in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    wrapped = parallel.DistributedOptimizer(again.optimizer)
    np.testing.assert_array_equal(wrapped.variables[2], model.optimizer.variables[2])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: "adam", TypeError, r"builtins\.str; expected an optimizer of Keras 3"),
        (
            lambda: parallel.DistributedOptimizer(keras.optimizers.SGD()),
            ValueError,
            "distributed already",
        ),
    ],
)
def test_what_is_no_plain_optimizer_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        parallel.DistributedOptimizer(make())


def test_accumulation_needs_whole_tables_and_a_count():
    with pytest.raises(ValueError, match="backward_passes_per_step is 0"):
        parallel.DistributedOptimizer(keras.optimizers.SGD(), backward_passes_per_step=0)
    with pytest.raises(ValueError, match="Pass sparse_as_dense=True"):
        compiled(parallel.DistributedOptimizer(keras.optimizers.SGD(), backward_passes_per_step=2))


ROWS = st.lists(st.integers(0, 4), min_size=1, max_size=9)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_merging_names_each_row_once_and_changes_nothing(rows):
    values = np.random.default_rng(0).normal(size=(len(rows), 3)).astype(np.float32)
    before = tf.IndexedSlices(tf.constant(values), tf.constant(rows), (5, 3))
    after = merge_rows(before)
    assert len(set(after.indices.numpy().tolist())) == len(after.indices) == len(set(rows))
    one, other = tf.convert_to_tensor(before), tf.convert_to_tensor(after)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_keras_squares_each_mention_of_a_row():
    """If this fails, Keras has changed: lesson 07 and Reduction may say so, or drop the merging."""

    def moved(gradient):
        table = keras.Variable(np.zeros((3, 1), np.float32))
        optimizer = keras.optimizers.Adam(0.1)
        for scale in (1.0, 2.0):
            optimizer.apply([gradient(scale)], [table])
        return float(table.numpy()[1, 0])

    def twice(scale):
        return tf.IndexedSlices(tf.constant([[1.0], [scale]]), tf.constant([1, 1]), (3, 1))

    merged = moved(lambda scale: merge_rows(twice(scale)))
    assert merged == pytest.approx(moved(lambda scale: tf.convert_to_tensor(twice(scale))))
    assert abs(moved(twice) / merged - 1) > 0.01


def test_a_model_without_weights_cannot_be_broadcast():
    model = keras.Sequential([keras.layers.Dense(1)], name="bare")
    with pytest.raises(ValueError, match="bare has no weights yet; build it first"):
        callbacks.shared_variables(model)


def schedule(**settings):
    model = jobs.build()
    rate = settings.pop("rate", 0.1)
    model.compile(keras.optimizers.SGD(rate), "mse", jit_compile=False)
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(float(model.optimizer.learning_rate))
    )
    own = callbacks.LearningRateScheduleCallback(**settings)
    ids, label = jobs.rows()
    model.fit(ids, label, batch_size=400, epochs=3, verbose=0, callbacks=[own, watch])
    return seen


def test_the_learning_rate_follows_the_multiplier():
    assert schedule(initial_lr=1.0, multiplier=0.5) == pytest.approx([1, 1, 0.5, 0.5, 0.25, 0.25])
    fine = schedule(initial_lr=1.0, multiplier=lambda epoch: epoch, staircase=False, start_epoch=1)
    assert fine == pytest.approx([0.1, 0.1, 1, 1.5, 2, 2.5])
    ended = schedule(initial_lr=1.0, multiplier=3.0, end_epoch=1)
    assert ended == pytest.approx([1] * 6)


def test_a_schedule_of_the_optimizer_and_one_of_a_callback_are_too_many():
    falling = keras.optimizers.schedules.CosineDecay(0.1, 10)
    with pytest.raises(ValueError, match="follows a CosineDecay"):
        schedule(initial_lr=1.0, multiplier=1.0, rate=falling)


NETWORKS = st.builds(
    cost.Network, st.floats(1e-6, 1e-3), st.floats(1e-11, 1e-8), st.floats(1e-5, 1e-2)
)


@settings(max_examples=40, deadline=None)
@given(NETWORKS, st.sampled_from([None, 2, 4]))
def test_a_fit_finds_the_network_that_made_the_measurements(network, cores):
    beyond = {"cached": 2.0**21, "seconds_per_byte_beyond": network.seconds_per_byte}
    true = cost.SharedNetwork(network, cores, **(beyond if cores else {}))
    cases = [(n, b) for n in (2, 3, 5, 8) for b in (1e3, 1e5, 1e6, 1e7, 1e9)]
    found = cost.fit_network(
        *zip(*cases, strict=True), [true.ring_allreduce(b, n) for n, b in cases], cores
    )
    for workers, n_bytes in ((4, 1e4), (7, 3e8)):
        expected = true.ring_allreduce(n_bytes, workers)
        assert found.ring_allreduce(n_bytes, workers) == pytest.approx(expected, rel=0.01)


@settings(max_examples=40, deadline=None)
@given(NETWORKS, st.integers(2, 4096), st.floats(1, 1e10))
def test_costs_grow_with_bytes_and_one_worker_pays_nothing(network, workers, n_bytes):
    for function in (cost.ring_allreduce, cost.tree_allreduce, cost.allgather, cost.alltoall):
        assert function(n_bytes, 1, network) == 0
        assert 0 < function(n_bytes, workers, network) < function(2 * n_bytes, workers, network)


def test_sharding_scales_where_dense_tables_do_not():
    model = cost.Model(1e6, 1e10, 0.1, 10_000, 256)
    network = cost.Network(5e-6, 4e-11)
    for workers in (16, 1024):
        dense, sharded = (model.efficiency(way, workers, network) for way in ("dense", "sharded"))
        assert dense < 0.2 < 0.8 < sharded < 1
    assert model.efficiency("sparse", 1024, network) < model.efficiency("sparse", 16, network)
    with pytest.raises(ValueError, match="way is 'ring'"):
        model.efficiency("ring", 2, network)


def test_costs_of_impossible_cases_are_refused():
    with pytest.raises(ValueError, match="workers is 0"):
        cost.ring_allreduce(1.0, 0, cost.Network(1, 1))
    with pytest.raises(ValueError, match="2 measurements; expected three or more"):
        cost.fit_network([2, 3], [1, 2], [1, 1])
    with pytest.raises(ValueError, match="at least two workers"):
        cost.fit_network([1, 3, 4], [1, 2, 3], [1, 1, 1])


@pytest.mark.parametrize("name", ["HOROVOD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"])
def test_a_process_of_several_workers_never_takes_itself_for_the_only_one(name, monkeypatch):
    assert parallel.size() == 1
    monkeypatch.setenv(name, "4")
    with pytest.raises(ValueError, match=r"(?i)horovod has not been initialized"):
        parallel.size()
    missing = parallel.HorovodMissingError
    monkeypatch.setitem(sys.modules, "horovod.tensorflow", None)
    with pytest.raises(missing, match=r"one of several workers.*make horovod"):
        parallel.size()
