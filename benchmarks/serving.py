"""The service under load: requests a second, and what HTTP adds to the bare call.

    python -m benchmarks.serving [--system NAME] [--dataset demo] [--seed S]

A system is a variant of the ranker with a cold or a warm cache, such as ``int8_cold``. The service
runs as a process of its own, with its store in it, and the load comes from another; both share the
machine's cores. Requests are due at random times that do not depend on the answers.

The mix: three quarters ask for recommendations of known users, who come back as often as the
number of their interactions says; a tenth brings a history of one to five popular items along, a
tenth reports a click, and the rest asks for similar items. All ask for ten items. ``cold`` blocks
another item each time, so that hardly any answer is known; ``warm`` blocks none, and every known
user was answered once before.

- ``rps``: the highest rate at which 99% of the answers took at most 20 ms from when the request was
  due, and none failed; found by bisection, trials of a few seconds.
- ``p50_ms``, ``p99_ms``: at half of that rate.
- ``closed_rps``: answers a second where 16 connections ask again as soon as they have an answer.
- ``overhead_ms``: p50 of one connection that asks for recommendations only, less p50 of
  ``engine.answer`` with one query in a process of its own: the median of the differences by turns.
  ``engine_ms`` is the latter.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.common import print_row
from benchmarks.steps import fresh_processes
from rsutils import settings
from rsutils.measure import Load, Request, latency, load_test, processor
from rsutils.serve import Engine, Query
from rsutils.serve.building import find_or_build
from rsutils.serve.service import Running, running

LIMIT_MS = 20.0
TRIAL, STEPS, TURNS, REPEATS = 4.0, 7, 5, 600
"""Seconds of a trial, bisections, pairs of turns for the overhead, and calls of a turn."""
CONNECTIONS = 64
VARIANTS, CACHES = ("fp32", "int8", "pruned", "distilled"), ("cold", "warm")
SYSTEMS = tuple(f"{variant}_{cache}" for variant, cache in product(VARIANTS, CACHES))
N_REQUESTS = 20_000


def mix(engine: Engine, variant: str, cache: str, seed: int) -> list[Request]:
    """Requests in a random order."""
    rng = np.random.default_rng(seed)
    sizes = np.array([len(history) for history in engine.system.histories], float)
    users = rng.choice(len(sizes), N_REQUESTS, p=sizes / sizes.sum())
    popular = engine.stages.signals.popularity.astype(float)
    items = rng.choice(len(popular), (N_REQUESTS, 5), p=popular / popular.sum())
    kinds = rng.choice(4, N_REQUESTS, p=[0.75, 0.1, 0.1, 0.05])
    names = engine.catalogue
    made = []
    for kind, user, row in zip(kinds, users, items, strict=True):
        person, history = names.users[user], [names.items[item] for item in dict.fromkeys(row)]
        blocked = () if cache == "warm" else (names.items[rng.integers(len(names.items))],)
        if kind == 0:
            made.append(ask(Query(user=person, blocked=blocked, variant=variant)))
        elif kind == 1:
            brought = tuple(history[: rng.integers(1, 6)])
            made.append(ask(Query(history=brought, blocked=blocked, variant=variant)))
        elif kind == 2:
            event = {"user": person, "item": history[0], "kind": "click"}
            made.append(Request("POST", "/events", json.dumps({"events": [event]})))
        else:
            made.append(Request("GET", f"/similar?item={history[0]}&k=10"))
    return made


def ask(query: Query) -> Request:
    """The request of a query."""
    if not query.history and not query.blocked:
        path = f"/recommend?user={query.user}&k={query.k}&variant={query.variant}"
        return Request("GET", path)
    return Request("POST", "/recommend", json.dumps(asdict(query)))


def good_enough(load: Load) -> bool:
    """Whether 99% of all requests were answered well within the limit."""
    return bool(load.good.all()) and load.percentile(99)[0] <= LIMIT_MS


def highest_rate(service: Running, requests: Sequence[Request], start: float) -> float:
    """Requests a second at which the service is just good enough."""
    low, high = 0.0, 1.5 * start
    for step in range(STEPS):
        rate = (low + high) / 2 if low else high / 1.5 * 0.8**step
        load = load_test(service.url, requests, rate, TRIAL, CONNECTIONS, seed=step)
        if good_enough(load):
            low = rate
        else:
            high = rate
    return low


@contextmanager
def warm_service(folder: Path, variant: str, engine: Engine, cache: str) -> Iterator[Running]:
    """A service that has answered for a while, in the warm case for every user once."""
    with running(folder, deadline_ms=1000, log_level="error") as one:
        n = len(engine.catalogue.users) if cache == "warm" else 500
        every = [ask(Query(user, variant=variant)) for user in engine.catalogue.users[:n]]
        load_test(one.url, every, rate=400, seconds=n / 400, connections=16)
        yield one


def engine_ms(folder: str, variant: str, cache: str, turn: int) -> float:
    """p50 of the bare call, in a process of its own."""
    with threadpool_limits(1):  # as the service does
        return _engine_ms(folder, variant, cache, turn)


def _engine_ms(folder: str, variant: str, cache: str, turn: int) -> float:
    engine = Engine(folder)
    engine.warm_up()
    queries = iter(queries_of(engine, variant, cache, turn, REPEATS + 20))
    if cache == "warm":
        engine.answer(queries_of(engine, variant, cache, turn, 1))
    return latency(lambda: engine.answer([next(queries)]), repeats=REPEATS, warmup=20).p50_ms


def queries_of(engine: Engine, variant: str, cache: str, turn: int, n: int) -> list[Query]:
    """Different queries for a cold cache, always the same one for a warm one."""
    users, items = engine.catalogue.users, engine.catalogue.items
    if cache == "warm":
        return [Query(user=users[0], variant=variant)] * n
    rng = np.random.default_rng(turn)
    drawn = zip(rng.integers(len(users), size=n), rng.integers(len(items), size=n), strict=True)
    return [Query(users[u], blocked=(items[i],), variant=variant) for u, i in drawn]


def overhead(folder: str, service: Running, engine: Engine, name: str) -> tuple[float, float]:
    """What HTTP adds at p50, and the bare call's p50."""
    variant, cache = name.split("_")
    differences, bare = [], []
    for turn in range(TURNS):
        with fresh_processes() as one:
            bare.append(one.submit(engine_ms, folder, variant, cache, turn).result())
        # More than are asked in the time: a query that comes twice is known.
        queries = queries_of(engine, variant, cache, 100 + turn, N_REQUESTS)
        requests = [ask(query) for query in queries]
        load = load_test(service.url, requests, seconds=2.0, connections=1)
        differences.append(load.percentile(50)[0] - bare[-1])
    return median(differences), median(bare)


def run(names: Sequence[str], dataset: str, seed: int) -> None:
    """Print a row a system."""
    folder = find_or_build(settings.BUILD / "models" / dataset, dataset, seed, progress=True)
    engine = Engine(folder)
    for name in names:
        variant, cache = name.split("_")
        with warm_service(folder, variant, engine, cache) as service:
            requests = mix(engine, variant, cache, seed)
            closed = load_test(service.url, requests, seconds=TRIAL, connections=16)
            rps = highest_rate(service, requests, closed.rate)
            calm = load_test(service.url, requests, max(rps / 2, 20.0), TRIAL, CONNECTIONS)
            added, bare = overhead(str(folder), service, engine, name)
        p50, p99 = calm.percentile(50, 99)
        print_row(
            benchmark="serving",
            dataset=dataset,
            system=name,
            rps=rps,
            closed_rps=closed.rate,
            p50_ms=p50,
            p99_ms=p99,
            overhead_ms=added,
            engine_ms=bare,
            bytes=engine.manifest["variants"][variant]["bytes"],
            **{"ndcg@10": engine.manifest["variants"][variant]["quality"]["ndcg@10"]},
            seed=seed,
            published=None,
            processor=processor(),
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", nargs="*", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--dataset", default="demo")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    run(arguments.system, arguments.dataset, arguments.seed)


if __name__ == "__main__":
    main(sys.argv[1:])
