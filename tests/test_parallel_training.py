"""Two real workers against one: the same weights, with whole tables and with sharded ones."""

import numpy as np
import pytest

from rsutils import parallel
from tests import parallel_jobs as jobs

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
