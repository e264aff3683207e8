"""What the benchmarks share: arguments, a fresh process a system, one JSON line a result."""

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rsutils.data import Interactions
from rsutils.measure import peak_memory


@dataclass(frozen=True)
class System:
    """A model with the settings that it is measured with.

    Attributes:
        make: builds the model from its settings, as keyword arguments.
        chosen: the settings that ``--tune`` found best on the validation split.
        grid: the values of each setting that ``--tune`` tries, every combination of them.
        published: figures of another source for the same row, with that ``source``.
        seeded: whether the model takes a ``seed``.
    """

    make: Callable[..., Any]
    chosen: Mapping[str, object] = field(default_factory=dict)
    grid: Mapping[str, Sequence[object]] = field(default_factory=dict)
    published: Mapping[str, object] | None = None
    seeded: bool = False

    def model(self, seed: int, **settings: object) -> Any:
        """A new model with the chosen settings, or with others in their place."""
        return self.make(**{**self.chosen, **settings}, **({"seed": seed} if self.seeded else {}))

    def settings(self) -> Iterator[dict[str, object]]:
        """Every combination of the grid."""
        for values in itertools.product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))


@dataclass(frozen=True)
class Part:
    """What a model learns from, and how it is judged.

    Attributes:
        train: for ``fit``.
        evaluate: gives the metrics of a fitted model.
        options: further arguments of ``fit``, such as the rows that stop training early.
    """

    train: Any
    evaluate: Callable[[Any], dict[str, float]]
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Benchmark:
    """Systems on a data set.

    Attributes:
        name: the module in ``benchmarks``.
        dataset: its name in the catalogue.
        systems: by name.
        test: gives what is measured; never read by ``--tune``.
        validation: gives what ``--tune`` chooses on, carved from the training data.
        best_by: the metric that chooses; larger is better.
    """

    name: str
    dataset: str
    systems: Mapping[str, System]
    test: Callable[[], Part]
    validation: Callable[[], Part]
    best_by: str = "ndcg@10"

    def run(self, arguments: Sequence[str] | None = None) -> None:
        """Parse the command line and print the results it asks for."""
        parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{self.name}")
        parser.add_argument("--system", choices=self.systems, help="only this one")
        parser.add_argument(
            "--seed",
            type=int,
            nargs="+",
            default=[0],
            help="a row a seed, for models that take one",
        )
        parser.add_argument(
            "--tune", action="store_true", help="try the grid on the validation split instead"
        )
        options = parser.parse_args(arguments)
        names = [options.system] if options.system else list(self.systems)
        runs = [(name, seed) for name in names for seed in self._seeds(name, options.seed)]
        if len(runs) > 1:
            self._each_in_a_fresh_process(runs, options.tune)
            return
        try:
            (self.tune if options.tune else self.measure)(*runs[0])
        except ConnectionError as error:
            sys.exit(str(error))

    def measure(self, name: str, seed: int) -> None:
        """Print the result of one system on the test part."""
        system, part = self.systems[name], self.test()
        row = _fitted(system.model(seed), part)
        self._print(system=name, **row, seed=seed, published=system.published)

    def tune(self, name: str, seed: int) -> None:
        """Print a line a setting of the grid, then the best one."""
        system, part, rows = self.systems[name], self.validation(), []
        for settings in system.settings():
            rows.append({"settings": settings, **_fitted(system.model(seed, **settings), part)})
            self._print(system=name, part="validation", **rows[-1], seed=seed)
        best = max(rows, key=lambda row: row[self.best_by])
        print(json.dumps({"system": name, "best": best["settings"]}), flush=True)

    def _seeds(self, name: str, seeds: Sequence[int]) -> Sequence[int]:
        """All ``seeds`` for a model that takes one; another model gives the same with each."""
        return seeds if self.systems[name].seeded else seeds[:1]

    def _each_in_a_fresh_process(self, runs: Sequence[tuple[str, int]], tune: bool) -> None:
        """One run's memory and threads then say nothing about the next one's."""
        for name, seed in runs:
            command = [sys.executable, "-m", f"benchmarks.{self.name}", "--system", name]
            command += ["--seed", str(seed), *(["--tune"] if tune else [])]
            result = subprocess.run(command)
            if result.returncode:
                sys.exit(result.returncode)

    def _print(self, **row: object) -> None:
        print_row(benchmark=self.name, dataset=self.dataset, **row)


def print_row(**row: object) -> None:
    """One result as a line of JSON, its fractions to four places."""
    print(json.dumps({name: _rounded(value) for name, value in row.items()}), flush=True)


def random_of_each_user(interactions: Interactions, n: int, seed: int | list[int]) -> np.ndarray:
    """A mask over the rows: ``n`` of each user, who must have as many."""
    order = np.random.default_rng(seed).permutation(len(interactions))
    order = order[np.argsort(interactions.user[order], kind="stable")]
    first = np.searchsorted(interactions.user[order], np.arange(interactions.n_users))
    mask = np.zeros(len(interactions), bool)
    mask[order[first[:, None] + np.arange(n)]] = True
    return mask


def _fitted(model: Any, part: Part) -> dict[str, float]:
    """Metrics, seconds of fit and of all, and the process's peak memory."""
    with peak_memory() as memory:
        start = time.perf_counter()
        model.fit(part.train, **part.options)
        fitted = time.perf_counter()
        metrics = part.evaluate(model)
        stop = time.perf_counter()
    return {
        **metrics,
        "fit_seconds": fitted - start,
        "seconds": stop - start,
        "peak_mb": memory.peak_mb,
    }


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value
