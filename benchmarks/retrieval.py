"""How many of the best items an index finds, and how much faster than reading all of them.

    python -m benchmarks.retrieval [--system NAME [NAME ...]] [--items N [N ...]] [--seed 0 1 2]

Vectors are the factors of iALS (``rsutils.models.IALS``, 64 dimensions) on gowalla's training
pairs; ``CHOSEN`` was best by NDCG@10 on one held-out training pair of each of 3,000 users. Queries
are factors of users drawn by the seed. ``--items`` makes larger catalogues by a smoothed bootstrap:
an item is drawn, and noise with the covariance of all factors is mixed in at a share of ``NOISE``,
such that mean and covariance stay what they are (Silverman 1986, "Density estimation for statistics
and data analysis", section 6.4.1).

All searches run in one thread, and their time is that of the processor, which other processes on
the machine do not add to. ``recall@10`` and ``recall@100`` are shares of what a scan of all
vectors finds. ``speedup`` is queries a second with one query at a time, over those of the faster
of two scans (NumPy's BLAS in blocks, faiss' flat search) timed by turns in the same process, the
median over turns; ``speedup_32`` is the same in batches of 32. ``bytes`` are those of the index,
vectors included. Graphs and lists are built with two threads. The number behind a system's name is
its effort: candidates that a walk keeps, or lists that a query scans.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.common import print_row
from benchmarks.retrieval_systems import FAMILIES, SCANS, Searcher
from benchmarks.steps import fresh_processes
from rsutils import settings
from rsutils.data import load
from rsutils.measure import peak_memory, processor
from rsutils.models import IALS

DATASET = "gowalla"
CHOSEN = {"dimensions": 64, "l2": 0.003, "unobserved_weight": 0.01, "epochs": 8}
NOISE = 0.3
QUERIES = 1000
TURNS, SECONDS = 5, 0.15
"""Turns in which a system and both scans are timed, and processor seconds of each."""
Factors = tuple[np.ndarray, np.ndarray]


def factors(seed: int) -> Factors:
    """Factors of users and items, kept in the build folder."""
    words = "-".join(f"{name}={value}" for name, value in CHOSEN.items())
    path = settings.BUILD / "retrieval" / f"{DATASET}-{words}-seed={seed}.npz"
    if not path.exists():
        model = IALS(**CHOSEN, seed=seed, progress=False).fit(load(DATASET).published.train)
        _write(path, user=model.user_factors_, item=model.item_factors_)
    with np.load(path, allow_pickle=False) as found:
        return found["user"], found["item"]


def _write(path: Path, **arrays: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{os.getpid()}-{path.name}")
    np.savez(part, **arrays)
    part.replace(path)


def catalogue(item: np.ndarray, n: int | None, seed: int) -> np.ndarray:
    """``n`` vectors with mean and covariance of ``item``; None for ``item`` itself."""
    if n is None:
        return item
    rng = np.random.default_rng([seed, n])
    mean = item.mean(axis=0)
    root = np.linalg.cholesky(np.cov(item.T)).astype(np.float32)
    made = np.empty((n, item.shape[1]), np.float32)
    for block in np.array_split(made, max(1, n >> 18)):
        drawn = item[rng.integers(len(item), size=len(block))] - mean
        noise = rng.standard_normal(block.shape, np.float32) @ root.T
        block[:] = mean + np.sqrt(1 - NOISE**2) * drawn + NOISE * noise
    return made


def measure(name: str, n: int | None, seed: int) -> Iterator[dict[str, object]]:
    """Rows of a family, one for each effort."""
    faiss.omp_set_num_threads(1)
    user, item = factors(seed)
    vectors = catalogue(item, n, seed)
    queries = user[np.random.default_rng(seed).choice(len(user), QUERIES, replace=False)]
    with threadpool_limits(1):
        scans = {scan: FAMILIES[scan].build(vectors) for scan in SCANS}
        start = time.perf_counter()
        with peak_memory() as memory:
            system = scans[name] if name in scans else FAMILIES[name].build(vectors)
        build_seconds = time.perf_counter() - start
        best = scans["numpy_scan"].search(queries, 100)
        for effort in FAMILIES[name].efforts or (None,):
            if effort is not None:
                system.set_effort(effort)
            yield {
                "system": label(name, effort, n),
                "items": len(vectors),
                "recall@10": recall(best[:, :10], system.search(queries, 10)),
                "recall@100": recall(best, system.search(queries, 100)),
                **_speeds(system, list(scans.values()), queries),
                "build_seconds": 0.0 if name in SCANS else build_seconds,
                "bytes": system.nbytes,
                "peak_mb": memory.peak_mb,
            }


def label(name: str, effort: int | None, n: int | None) -> str:
    """A name for a family, its effort, and the size of a catalogue that was made larger."""
    return name + (f"_{effort}" if effort else "") + (f"_of_{n}" if n else "")


def recall(best: np.ndarray, found: np.ndarray) -> float:
    """Share of each best list that is found, the mean over lists."""
    return float(np.mean([np.isin(*both).mean() for both in zip(best, found, strict=True)]))


def _speeds(system: Searcher, scans: Sequence[Searcher], queries: np.ndarray) -> dict[str, float]:
    found: dict[str, float] = {}
    for batch, suffix in ((1, ""), (32, "_32")):
        calls = [lambda q, each=each: each.search(q, 10) for each in (system, *scans)]
        turns = np.array([[rate(call, queries, batch) for call in calls] for _ in range(TURNS)])
        found[f"queries_per_second{suffix}"] = float(np.median(turns[:, 0]))
        found[f"speedup{suffix}"] = float(np.median(turns[:, 0] / turns[:, 1:].max(axis=1)))
    return found


def rate(call: Callable[[np.ndarray], object], queries: np.ndarray, batch: int) -> float:
    """Queries a second of this process, in batches."""
    done, start = 0, time.process_time()
    while time.process_time() - start < SECONDS:
        at = done % (len(queries) - batch + 1)
        call(queries[at : at + batch])
        done += batch
    return done / (time.process_time() - start)


def rows_of(name: str, n: int | None, seed: int) -> list[dict[str, object]]:
    """``measure`` for a process of its own."""
    return list(measure(name, n, seed))


def run(names: Sequence[str], sizes: Sequence[int | None], seeds: Sequence[int]) -> None:
    """Print a row for each system and effort."""
    with fresh_processes() as one:
        for seed in seeds:
            for n in sizes:
                for name in names:
                    for row in one.submit(rows_of, name, n, seed).result():
                        dataset = DATASET if n is None else f"{DATASET}, made larger"
                        head = {"benchmark": "retrieval", "dataset": dataset}
                        tail = {"seed": seed, "published": None, "processor": processor()}
                        print_row(**head, **row, **tail)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval")
    parser.add_argument("--system", choices=FAMILIES, nargs="+", help="only these")
    parser.add_argument(
        "--items", type=int, nargs="+", default=[None], help="sizes of larger, made-up catalogues"
    )
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="rows a seed")
    options = parser.parse_args(arguments)
    try:
        run(options.system or list(FAMILIES), options.items, options.seed)
    except ConnectionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
