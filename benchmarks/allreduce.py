"""All-reduce on this machine, and a cost model that predicts what it was not fitted to.

    python -m benchmarks.allreduce

Measured are 2 to 8 processes and messages of 1 KB to 64 MB. A figure is the slowest process' median
over repeats, and of that the median over three rounds, each with new processes: how they come to
lie on the machine changes a measurement by more than repeating it does. ``rsutils.parallel.cost``
is fitted to every other size, of 2, 4, 6 and 8 processes. ``held_out_error`` is that of its
prediction for a measurement that it was not fitted to, relative to what was measured.
"""

import argparse
import os
from collections.abc import Sequence
from statistics import median

from tqdm import tqdm

from benchmarks import allreduce_job
from benchmarks.common import print_row
from rsutils import parallel
from rsutils.measure import processor
from rsutils.parallel.cost import fit_network

WORKERS = range(2, 9)
SIZES = [1 << power for power in range(10, 27)]
FITTED_WORKERS = {2, 4, 6, 8}
FITTED_SIZES = set(SIZES[::2])
REPEATS, ROUNDS = 15, 3


def measured() -> dict[tuple[int, int], float]:
    """Seconds for each number of workers and bytes: the median over rounds of new processes."""
    found: dict[tuple[int, int], list[float]] = {}
    for workers in tqdm(list(WORKERS) * ROUNDS, desc="launches"):
        each = parallel.run(
            allreduce_job.seconds_of, [SIZES, REPEATS], num_proc=workers, output=None, timeout=600
        )
        for n_bytes in SIZES:
            slowest = max(worker[n_bytes] for worker in each)
            found.setdefault((workers, n_bytes), []).append(slowest)
    return {case: median(seconds) for case, seconds in found.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each measurement, with what the model says of it."""
    argparse.ArgumentParser(prog="python -m benchmarks.allreduce").parse_args(arguments)
    cores = len(os.sched_getaffinity(0))
    found = measured()
    fitted = [case for case in found if case[0] in FITTED_WORKERS and case[1] in FITTED_SIZES]
    network = fit_network(*zip(*fitted, strict=True), [found[case] for case in fitted], cores)
    for (workers, n_bytes), seconds in found.items():
        predicted = network.ring_allreduce(n_bytes, workers)
        known = (workers, n_bytes) in fitted
        print_row(
            benchmark="allreduce",
            dataset="none",
            system=f"{workers}_workers",
            n_bytes=n_bytes,
            ms=1000 * seconds,
            predicted_ms=1000 * predicted,
            held_out_error=None if known else abs(predicted / seconds - 1),
            seed=0,
            published=None,
            processor=processor(),
        )


if __name__ == "__main__":
    main()
