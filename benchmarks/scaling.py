"""Weak scaling: what two workers with a core each train, against one and against the possible.

    python -m benchmarks.scaling [--system NAME] [--seed 0 1 2]

A DNN over one table of users and items (``benchmarks.scaling_job``) learns from pairs of Gowalla,
each worker with 32,768 rows a step. ``dense`` all-reduces gradients as whole tables, ``sparse``
gathers the rows that batches named, ``sharded`` spreads the table over the workers. Systems behind
these three change one thing.

``efficiency`` is two workers' examples a second over twice those of one. Two processes share the
machine's memory, its caches and its clock: ``of_ceiling`` is over two workers that train beside
each other and never talk. One, the ceiling and the way itself run in turn, three times for each
seed; the figures are medians of the ratios. ``kb_sent`` is what a worker sends in a step, read from
the loopback's counter, so what two workers' processes say beside it is in there as well.
"""

import argparse
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from tqdm import tqdm

from benchmarks import scaling_job
from benchmarks.common import print_row
from rsutils import parallel
from rsutils.measure import processor
from rsutils.parallel.collectives import Compression

BATCH, STEPS, REPEATS = 32_768, 15, 3
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}
DENSE = {"table": "dense", "sparse_as_dense": True}
SPARSE, SHARDED = {"table": "sparse"}, {"table": "sharded"}
WAYS: dict[str, dict[str, Any]] = {
    "dense": DENSE,
    "sparse": SPARSE,
    "sharded": SHARDED,
    "dense_fp16": {**DENSE, "compression": Compression.fp16},
    "dense_every_4th": {**DENSE, "backward_passes_per_step": 4},
    "sparse_one_by_one": {**SPARSE, "grouped": False},
    "sparse_not_merged": {**SPARSE, "merge_rows": False},
    "sparse_fp16": {**SPARSE, "compression": Compression.fp16},
    "sharded_one_by_one": {**SHARDED, "grouped": False},
    "sharded_cycle_5ms": {**SHARDED, "env": {"HOROVOD_CYCLE_TIME": "5"}},
    "sharded_not_pinned": {**SHARDED, "pin": False},
}
"""By name: where the table is, options of the optimizer, and of the launcher."""


def measure(way: dict[str, Any], workers: int, seed: int, together: bool) -> dict[str, float]:
    """Examples a second of all workers, and the means of what else they tell."""
    options = dict(way)
    env, pin = options.pop("env", {}), options.pop("pin", True)
    found = parallel.run(
        scaling_job.train,
        [options, BATCH, STEPS, seed, together],
        num_proc=workers,
        env={**ONE_THREAD, **env},
        pin=pin,
        output=None,
        timeout=600,
    )
    mean = {name: sum(one[name] for one in found) / workers for name in found[0]}
    return mean | {"examples_per_second": mean["examples_per_second"] * workers}


def run(names: Sequence[str], seeds: Sequence[int]) -> None:
    """Print a row for each way and seed."""
    for seed in seeds:
        found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        bar = tqdm(total=REPEATS * len(names), desc=f"seed {seed}", unit=" ways")
        for _ in range(REPEATS):
            bounds: dict[str, tuple[float, float]] = {}
            for name in names:
                table = WAYS[name]["table"]
                if table not in bounds:
                    one = measure(WAYS[table], 1, seed, True)["examples_per_second"]
                    apart = measure(WAYS[table], 2, seed, False)["examples_per_second"]
                    bounds[table] = one, apart
                row = measure(WAYS[name], 2, seed, True)
                one, apart = bounds[table]
                speed = row["examples_per_second"]
                ratios = {"efficiency": speed / (2 * one), "of_ceiling": speed / apart}
                found[name].append(row | ratios)
                bar.update()
        bar.close()
        for name in names:
            _print(name, seed, found[name])


def _print(name: str, seed: int, rows: Sequence[dict[str, float]]) -> None:
    print_row(
        benchmark="scaling",
        dataset=scaling_job.DATASET,
        system=name,
        **{figure: median(row[figure] for row in rows) for figure in rows[0]},
        seed=seed,
        published=None,
        processor=processor(),
        batch=BATCH,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    parser.add_argument("--system", choices=WAYS, help="only this one")
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="a row a seed")
    options = parser.parse_args(arguments)
    try:
        run([options.system] if options.system else list(WAYS), options.seed)
    except (ConnectionError, parallel.HorovodMissingError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
