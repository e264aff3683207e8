"""What the benchmarks of sequence models share: leave one out, the last item among all."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.common import Benchmark, Part, System
from rsutils.data import Interactions, load
from rsutils.evaluate import full_ranking


def benchmark(
    name: str, dataset: str, metrics: tuple[str, ...], systems: Mapping[str, System]
) -> Benchmark:
    """``systems`` on the last item of each user, chosen by the last item but one."""
    return Benchmark(
        name,
        dataset,
        systems,
        partial(test, dataset, metrics),
        partial(validation, dataset, metrics),
    )


def test(dataset: str, metrics: tuple[str, ...]) -> Part:
    """The last item of each user."""
    split = load(dataset).published
    return _part(split.train, split.validation, split.test, metrics)


def validation(dataset: str, metrics: tuple[str, ...]) -> Part:
    """The last item but one of each user."""
    split = load(dataset).published
    return _part(split.train, split.validation, split.validation, metrics)


def _part(
    train: Interactions, validation: Interactions, held_out: Interactions, metrics: tuple[str, ...]
) -> Part:
    """Learn from ``train``, stop by ``validation``, find ``held_out`` after all before it."""
    known = train if held_out is validation else Interactions.concatenate([train, validation])

    def evaluate(model: Any) -> dict[str, float]:
        model.observe(known)
        return full_ranking(model, held_out, exclude=known, metrics=metrics).mean()

    return Part(train, evaluate, {"validation": validation})


def system(
    family: str,
    chosen: dict[str, object],
    grid: dict[str, tuple[object, ...]],
    published: dict[str, object] | None = None,
) -> System:
    """A family of sequence models with its chosen settings; it prints its progress."""
    return System(partial(_make, family), chosen, grid, published, seeded=True)


def _make(family: str, **settings: object) -> Any:
    """Named, not looked up, so that TensorFlow is loaded only by who needs it."""
    from rsutils import models

    return getattr(models, family)(**settings)
