"""The network of a small recommender: two towers over short rows, for Keras 3 and for tf_keras."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from rsutils.compress.compact_tables import CompactTable

SIDES = ("user", "item")
TABLE_SCALE = 5.0
"""Rows are multiplied by this, so that a step of Adam, which is as long for all numbers, moves them
further than the layers that all rows share: those are moved in every step, a row in a few."""


@dataclass(frozen=True, eq=False)
class StudentConfig:
    """What :func:`build` needs to know.

    Attributes:
        user_table: of as many ids as there are users, full or compact.
        item_table: of as many ids as there are items, full or compact.
        hidden: units of the hidden layer of each tower; 0 for none.
        features: length of the vectors whose product is the score.
        seed: of the first weights.
    """

    user_table: CompactTable
    item_table: CompactTable
    hidden: int = 64
    features: int = 32
    seed: int = 0

    @property
    def parameters(self) -> int:
        """How many numbers the network holds, learnt or not."""
        total = 2
        for table in (self.user_table, self.item_table):
            hidden = (table.dimensions + 1) * self.hidden
            total += table.parameters + table.constants + hidden
            total += (table.dimensions + self.hidden + 1) * self.features
        return total


def build(K: ModuleType, config: StudentConfig) -> Any:
    """The logit of "this user takes this item".

    Each tower sends a row r of its table through a hidden layer h = swish(Ar + a), and a second one
    makes the vector B [r, h] + b. The tables hold nearly all numbers; the layers that all rows
    share let a product of longer vectors come out of short rows.

    Args:
        K: ``keras``, or ``tf_keras`` for the twin that tfmot works on.
        config: sizes and the seed.

    Returns:
        A functional model from ``{"user": (batch,), "item": (batch,)}`` int32 to (batch, 1) float32
        logits.

    Example:
        >>> import keras
        >>> config = StudentConfig(CompactTable(30, 12), CompactTable(40, 10))
        >>> build(keras, config).count_params() == config.parameters
        True
    """
    inputs = {name: K.Input((), dtype="int32", name=name) for name in SIDES}
    tables = config.user_table, config.item_table
    vectors = [
        _tower(
            K, config, name, table(K, inputs[name], f"{name}_factors"), config.seed + 10 * number
        )
        for number, (name, table) in enumerate(zip(SIDES, tables, strict=True))
    ]
    product = K.layers.Dot(1, name="product")(vectors)
    logit = K.layers.Dense(1, kernel_initializer="ones", name="logit")(product)
    return K.Model(inputs, logit, name="student")


def towers(model: Any, layer: str = "{side}_vector") -> tuple[Any, Any]:
    """The two halves of a model, from ids to the vectors of a layer; weights are shared.

    Args:
        model: with inputs ``user`` and ``item``; one that :func:`build` gave has the default layer.
        layer: its name, with ``{side}`` for either of these.
    """
    kind = type(model)
    inputs = {each.name: each for each in model.inputs}
    user, item = (kind(inputs[n], model.get_layer(layer.format(side=n)).output) for n in SIDES)
    return user, item


def _tower(K: ModuleType, config: StudentConfig, name: str, row: Any, seed: int) -> Any:
    row = K.layers.Rescaling(TABLE_SCALE, name=f"{name}_row")(row)
    joined = row
    if config.hidden:
        start = K.initializers.HeNormal(seed=seed + 1)
        hidden = K.layers.Dense(
            config.hidden, "swish", kernel_initializer=start, name=f"{name}_hidden"
        )(row)
        joined = K.layers.Concatenate(name=f"{name}_joined")([row, hidden])
    start = K.initializers.GlorotUniform(seed=seed + 2)
    return K.layers.Dense(config.features, kernel_initializer=start, name=f"{name}_vector")(joined)
