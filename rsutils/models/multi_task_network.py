"""Networks for several labels of a row: apart, with a shared bottom, or with shared experts."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

KINDS = ("separate", "shared_bottom", "mmoe")
"""What :func:`build` can build."""


@dataclass(frozen=True)
class MultiTaskConfig:
    """What :func:`build` needs to know.

    Attributes:
        kind: ``"separate"`` shares nothing; ``"shared_bottom"`` shares the factors and a hidden
            layer (Caruana 1997, "Multitask learning", section 2); ``"mmoe"`` shares the factors and
            several hidden layers, the experts, which each task mixes by a gate of its own (Ma et
            al. 2018, "Modeling task relationships in multi-task learning with multi-gate
            mixture-of-experts", KDD, section 4.2).
        n_features: rows of the table that all fields share.
        n_fields: ids in a row.
        n_tasks: labels of a row.
        dimensions: length of a factor.
        units: of the shared layer, or of each expert.
        experts: how many ``"mmoe"`` has.
        tower: units of the hidden layer that each task has to itself.
        dropout: share of a row's factors hidden in training.
        seed: of the first weights and of dropout.
    """

    kind: str
    n_features: int
    n_fields: int
    n_tasks: int = 2
    dimensions: int = 16
    units: int = 64
    experts: int = 4
    tower: int = 16
    dropout: float = 0.0
    seed: int = 0

    @property
    def parameters(self) -> int:
        """How many numbers the network learns."""
        width = self.n_fields * self.dimensions
        table, hidden = self.n_features * self.dimensions, (width + 1) * self.units
        towers = self.n_tasks * ((self.units + 1) * self.tower + self.tower + 1)
        if self.kind == "separate":
            return self.n_tasks * (table + hidden) + towers
        if self.kind == "shared_bottom":
            return table + hidden + towers
        gates = self.n_tasks * (width + 1) * self.experts
        return table + self.experts * hidden + gates + towers


def build(K: ModuleType, config: MultiTaskConfig) -> Any:
    """The logit of each task for a row of feature ids.

    Args:
        K: ``keras``, or ``tf_keras`` for the twin that tfmot works on.
        config: kind, sizes, dropout and the seed.

    Returns:
        A functional model from (batch, n_fields) int32 ids to (batch, n_tasks) float32 logits.

    Raises:
        ValueError: the kind is unknown.

    Example:
        >>> import keras
        >>> config = MultiTaskConfig("mmoe", n_features=100, n_fields=3)
        >>> build(keras, config).count_params() == config.parameters
        True
    """
    if config.kind not in KINDS:
        raise ValueError(f"kind is {config.kind!r}; expected one of {', '.join(KINDS)}.")
    ids = K.Input((config.n_fields,), dtype="int32", name="features")
    seeds = iter(range(config.seed, config.seed + 10_000))

    def dense(units: int, name: str, activation: str | None = "relu") -> Any:
        kind = "HeNormal" if activation == "relu" else "GlorotUniform"
        start = getattr(K.initializers, kind)(seed=next(seeds))
        return K.layers.Dense(units, activation, kernel_initializer=start, name=name)

    def factors(name: str) -> Any:
        start = K.initializers.RandomNormal(stddev=0.05, seed=next(seeds))
        table = K.layers.Embedding(
            config.n_features,
            config.dimensions,
            embeddings_initializer=start,
            name=f"{name}factors",
        )
        flat = K.layers.Flatten(name=f"{name}flat")(table(ids))
        drop = K.layers.Dropout(config.dropout, seed=next(seeds), name=f"{name}dropout")
        return drop(flat)

    tasks = [f"task_{number}" for number in range(1, config.n_tasks + 1)]
    if config.kind == "separate":
        bottoms = [dense(config.units, f"{t}_hidden")(factors(f"{t}_")) for t in tasks]
    elif config.kind == "shared_bottom":
        bottoms = [dense(config.units, "hidden")(factors(""))] * config.n_tasks
    else:
        bottoms = _mixtures(K, config, factors(""), dense, tasks)
    logits = []
    for task, bottom in zip(tasks, bottoms, strict=True):
        tower = dense(config.tower, f"{task}_tower")(bottom)
        logits.append(dense(1, f"{task}_logit", None)(tower))
    joined = K.layers.Concatenate(name="logits")(logits) if len(logits) > 1 else logits[0]
    return K.Model(ids, joined, name=config.kind)


def _mixtures(
    K: ModuleType, config: MultiTaskConfig, flat: Any, dense: Any, tasks: Sequence[str]
) -> list[Any]:
    """What each task sees of the experts: sum over experts of gate times expert (eq. 6 and 7)."""
    side_by_side = dense(config.experts * config.units, "experts")(flat)
    shape = (config.experts, config.units)
    experts = K.layers.Reshape(shape, name="each_expert")(side_by_side)
    return [
        K.layers.Dot((1, 1), name=f"{task}_mixture")(
            [dense(config.experts, f"{task}_gate", "softmax")(flat), experts]
        )
        for task in tasks
    ]
