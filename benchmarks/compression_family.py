"""What ``benchmarks.compression`` needs to know of a family of models."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rsutils.compress import Pruner, Schedule
from rsutils.compress.masks import Pattern

CANDIDATES = 100
"""Rows that a service scores at a time: the items from which a list is made."""
LISTS = 200
"""Lists of candidates on which the first ten are compared."""


@dataclass(frozen=True)
class Pruning:
    """How a family is pruned; chosen on its validation rows.

    Attributes:
        sparsity: at the end, by layer.
        learning_rate: of the passes in which it is pruned.
        epochs: passes.
        rising: share of the steps in which sparsity rises.
    """

    sparsity: Mapping[str, float]
    learning_rate: float
    epochs: int
    rising: float = 0.5


@dataclass(frozen=True)
class Passes:
    """How long and how fast a model is trained on, chosen on validation rows.

    Attributes:
        learning_rate: at the start; it falls to 0 as a cosine.
        epochs: passes.
    """

    learning_rate: float
    epochs: int


@dataclass(frozen=True)
class Family:
    """A network with its data.

    Attributes:
        name: of the system in its own benchmark.
        metric: larger is better.
        relative: whether a loss is a share of the metric, or a difference.
        pruning: how it is pruned.
        rounding: how it is trained with the rounding in place.
        lacks: names of systems that it does not have.
    """

    name: str
    metric: str
    relative: bool
    pruning: Pruning
    rounding: Passes
    lacks: tuple[str, ...] = ()

    def loss(self, base: float, found: float) -> float:
        """What was lost against ``base``."""
        return 1 - found / base if self.relative else base - found


def pruner(
    model: Any, plan: Pruning, steps: int, patterns: Mapping[str, Pattern] = MappingProxyType({})
) -> Pruner:
    """The callback of a plan, for passes of this many steps."""
    end = int(plan.rising * plan.epochs * steps)
    every = max(1, end // 20)
    schedules = {
        name: Schedule(sparsity, end=end, every=every) for name, sparsity in plan.sparsity.items()
    }
    return Pruner(model.model_, schedules, patterns)
