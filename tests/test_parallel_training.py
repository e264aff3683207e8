"""Two real workers against one: the same weights, with whole tables and with sharded ones."""

import numpy as np
import pytest

from rsutils import parallel
from tests import parallel_jobs as jobs

pytestmark = pytest.mark.workers
TOLERANCE = {"half_precision": 5e-3}


@pytest.fixture(scope="module")
def two_workers() -> list[dict]:
    return parallel.run(jobs.train_all_cases, num_proc=2, timeout=300)


@pytest.fixture(scope="module")
def one_worker() -> dict[str, list[np.ndarray]]:
    """Whole tables and a batch twice as large, in this process, without our optimizer."""
    return {name: jobs.trained_plainly(name) for name in ("sgd", "adam")}


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_one_worker_is_plain_training(name, one_worker):
    found = parallel.whole_state(jobs.trained(name, 2 * jobs.BATCH))
    for new, old in zip(found, one_worker[name], strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6, rtol=0)


@pytest.mark.parametrize("case", jobs.CASES)
def test_two_workers_learn_what_one_learns_from_twice_the_batch(case, two_workers, one_worker):
    expected = one_worker[jobs.CASES[case]["optimizer"]]
    start = parallel.whole_state(jobs.build(), optimizer=False)
    for worker in two_workers:
        found = worker[case]
        assert found["steps"] == jobs.STEPS
        for new, old in zip(found["whole"], expected, strict=True):
            if new.dtype.kind == "f" and new.ndim:
                np.testing.assert_allclose(new, old, atol=TOLERANCE.get(case, 1e-5), rtol=0)
        moved = [np.abs(new - old).max() for new, old in zip(found["whole"], start, strict=False)]
        assert min(moved) > 0.01, "the model learnt nothing, so that equality says nothing"


@pytest.mark.parametrize("case", jobs.CASES)
def test_workers_are_bit_identical(case, two_workers):
    first, second = (worker[case]["whole"] for worker in two_workers)
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("case", ["by_row", "by_row_sgd", "by_table"])
def test_sharded_scores_are_those_of_the_unsharded_model(case, two_workers):
    model = jobs.build()
    parallel.set_whole_state(model, two_workers[0][case]["whole"][:5], optimizer=False)
    expected = model(jobs.rows()[0]).numpy()
    for worker in two_workers:
        np.testing.assert_allclose(worker[case]["scores"], expected, atol=1e-6, rtol=0)


def test_each_worker_holds_its_share_of_the_table_and_of_the_optimizer_state(two_workers):
    whole = two_workers[0]["adam"]["table_bytes"]
    assert whole == (jobs.USERS + jobs.ITEMS) * 8 * 4
    for worker in two_workers:
        assert worker["by_row"]["table_bytes"] == whole // 2
        assert worker["by_row"]["slot_bytes"] == whole
        assert worker["adam"]["slot_bytes"] == 2 * whole
    tables = [worker["by_table"]["table_bytes"] for worker in two_workers]
    assert tables == [jobs.ITEMS * 8 * 4, jobs.USERS * 8 * 4]


def test_the_time_in_exchange_is_counted(two_workers):
    assert all(worker["adam"]["seconds"] > 0 for worker in two_workers)


@pytest.fixture(scope="module")
def exchanged() -> list[dict]:
    return parallel.run(jobs.exchange, num_proc=2, timeout=300, output=None)


def test_collectives_say_the_same_on_every_worker(exchanged):
    for found in exchanged:
        assert found["average"].tolist() == [0.5, 4.0]
        assert found["sum"].tolist() == [1.0, 8.0]
        np.testing.assert_allclose(found["adasum_orthogonal"], [1, 1, 0], atol=1e-6)
        np.testing.assert_allclose(found["adasum_parallel"], [1, 1, 1], atol=1e-6)
        assert found["gathered"].tolist() == [[0, 0], [1, 1], [1, 1]]
        assert found["broadcast"].tolist() == [1.0]
        assert found["object"] == {"rank": 1}
        assert found["objects"] == [0, 1]
        assert found["half"][0] == np.float32(np.float16(1 / 3))
        assert found["half"][0] != np.float32(1 / 3)


def test_alltoall_sends_each_worker_its_rows(exchanged):
    first, second = exchanged
    assert (first["received"].tolist(), second["received"].tolist()) == ([0, 10], [1, 2, 11, 12])
    assert (first["counts"].tolist(), second["counts"].tolist()) == ([1, 1], [2, 2])
    assert [found["local"] for found in exchanged] == [(0, 2, 2, True), (1, 2, 2, True)]


def test_wrong_use_is_told_on_every_worker():
    for told in parallel.run(jobs.refusals, num_proc=2, timeout=300, output=None):
        assert "fine" not in told
        assert "compile it with DistributedOptimizer(optimizer)" in told["plain"]
        assert "compile(..., jit_compile=False)" in told["compiled"]
        assert "DistributedOptimizer(keras.optimizers.LossScaleOptimizer(" in told["scaled"]
        assert "has shape (1, 3) and type float32 on rank 0, (1, 4)" in told["other_shape"]
        assert "sparse_as_dense=True or op=Average" in told["adasum"]
        assert "use clipvalue in place of clipnorm" in told["clipped"]


def test_callbacks_of_training_on_two_workers():
    first, second = parallel.run(jobs.dropout_masks, num_proc=2, timeout=300, output=None)
    assert first["loss"] == second["loss"]
    assert (first["only"], second["only"]) == (1, 0)
    assert first["seeds"]
    for one, other in zip(first["seeds"], second["seeds"], strict=True):
        assert not np.array_equal(one, other), "both workers would drop the same units"
    assert first["lr"] == pytest.approx([0.3, 0.4, 0.4])
    for worker in (first, second):
        assert len(worker["log"]) == 3
        for figures in worker["log"]:
            assert figures["worker/examples_per_second"] > 0
            assert 0 < figures["worker/share_of_time_in_exchange"] < 1
