"""Penalties that training puts on a Keras model's tables and takes away afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np


class WeightedL2(keras.regularizers.Regularizer):
    """The sum of ``weight`` times the squared table.

    Args:
        weight: of a shape that broadcasts with the table.

    Example:
        >>> float(WeightedL2([[1.0], [0.5]])(np.array([[1.0, 2.0], [2.0, 0.0]])))
        7.0
    """

    def __init__(self, weight: np.ndarray) -> None:
        self.weight = np.asarray(weight, np.float32)

    def __call__(self, table: Any) -> Any:
        """The penalty, a scalar."""
        return keras.ops.sum(self.weight * keras.ops.square(table))


@contextmanager
def penalised(*tables: tuple[keras.Variable, np.ndarray]) -> Iterator[None]:
    """Give each Keras variable a :class:`WeightedL2` with its weight, inside the block only.

    Afterwards the model is again what its builder gave: standard layers, no custom objects. Inside,
    the gradient of a table is dense.
    """
    for table, weight in tables:
        table.regularizer = WeightedL2(weight)
    try:
        yield
    finally:
        for table, _ in tables:
            table.regularizer = None
