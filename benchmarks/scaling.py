"""Weak scaling: what two workers with a core each train, against one and against the possible.

    python -m benchmarks.scaling [--system NAME] [--seed 0 1 2]

A DNN over one table of users and items (``benchmarks.scaling_job``) learns from pairs of Gowalla,
each worker with 65,536 rows a step. ``dense`` all-reduces gradients as whole tables, ``sparse``
gathers the rows that batches named, ``sharded`` spreads the table over the workers. Systems behind
these three change one thing.

Two processes share the machine's memory, its caches and its clock. ``of_ceiling`` therefore
compares two workers with the same two processes that train beside each other and never talk: they
do both by turns, a few steps each, and the figure is the median over turns. ``efficiency`` is two
workers' examples a second over twice those of one worker that has the machine to itself.
``kb_sent`` is what a worker sends in a step, read from the loopback's counter, so what two workers'
processes say beside it is in there as well.
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

BATCH, STEPS, ROUNDS = 65_536, 6, 8
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
    "sharded_8192_rows": {**SHARDED, "batch": 8_192},
    "sharded_32768_rows": {**SHARDED, "batch": 32_768},
    "sharded_131072_rows": {**SHARDED, "batch": 131_072},
}
"""By name: where the table is, options of the optimizer, of the launcher, rows of a step."""


def measure(way: dict[str, Any], workers: int, seed: int) -> dict[str, float]:
    """Examples a second of all workers, their share of the ceiling, and what else they tell."""
    options = dict(way)
    env, pin = options.pop("env", {}), options.pop("pin", True)
    batch = options.pop("batch", BATCH)
    found = parallel.run(
        scaling_job.train,
        [options, batch, STEPS, ROUNDS, seed],
        num_proc=workers,
        env={**ONE_THREAD, **env},
        pin=pin,
        output=None,
        timeout=600,
    )
    together, apart = (
        [sum(turn) for turn in zip(*(worker[name] for worker in found), strict=True)]
        for name in ("together", "apart")
    )
    return {
        "of_ceiling": median(a / b for a, b in zip(together, apart, strict=True)),
        "examples_per_second": median(together),
        **{
            name: sum(one[name] for one in found) / workers
            for name in ("ms_in_exchange", "kb_sent")
        },
    }


def run(names: Sequence[str], seeds: Sequence[int]) -> None:
    """Print a row for each way and seed."""
    bar = tqdm(total=len(seeds) * len(names), unit=" ways")
    for seed in seeds:
        alone: dict[tuple[str, int], float] = {}
        for name in names:
            way = WAYS[name]
            table, batch = way["table"], way.get("batch", BATCH)
            if (table, batch) not in alone:
                one = measure({**WAYS[table], "batch": batch}, 1, seed)
                alone[table, batch] = one["examples_per_second"]
            row = measure(way, 2, seed)
            print_row(
                benchmark="scaling",
                dataset=scaling_job.DATASET,
                system=name,
                efficiency=row["examples_per_second"] / (2 * alone[table, batch]),
                **row,
                seed=seed,
                published=None,
                processor=processor(),
                batch=batch,
            )
            bar.update()
    bar.close()


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
