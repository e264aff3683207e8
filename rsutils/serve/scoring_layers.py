"""Layers without weights that turn what a service knows of a user into what a network reads."""

from typing import Any

import keras
from keras import ops


class HistoryOrEmpty(keras.layers.Layer):
    """A history, and one more column with ``size`` where it is empty, else 0.

    Args:
        size: what stands there.
        name: of the layer.

    Example:
        >>> HistoryOrEmpty(0.5)(ops.array([[0.0, 1.0], [0.0, 0.0]])).numpy()
        array([[0. , 1. , 0. ],
               [0. , 0. , 0.5]], dtype=float32)
    """

    def __init__(self, size: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.size = size

    def call(self, history: Any) -> Any:
        """(batch, n) to (batch, n + 1)."""
        some = ops.max(ops.abs(history), axis=1, keepdims=True) > 0
        return ops.concatenate([history, self.size * ops.cast(~some, history.dtype)], axis=1)


class UnitHistory(keras.layers.Layer):
    """A history divided by its length, and an empty one as it is.

    Example:
        >>> UnitHistory()(ops.array([[3.0, 4.0], [0.0, 0.0]])).numpy()
        array([[0.6, 0.8],
               [0. , 0. ]], dtype=float32)
    """

    def call(self, history: Any) -> Any:
        """(batch, n) to (batch, n)."""
        squared = ops.sum(history * history, axis=1, keepdims=True)
        return history / ops.sqrt(ops.where(squared > 0, squared, 1.0))


class AskedSequence(keras.layers.Layer):
    """Items and their places, as the transformer reads them.

    Args:
        length: most places.
        hidden: the token that stands for the item that is asked for, behind the others; None where
            the network predicts what follows anyway.
        name: of the layer.

    Example:
        >>> token, place = AskedSequence(3, hidden=9)(ops.array([[7, 8], [7, 0]]))
        >>> token.numpy().tolist(), place.numpy().tolist()
        ([[7, 8, 9], [7, 9, 0]], [[1, 2, 3], [2, 3, 0]])
    """

    def __init__(self, length: int, hidden: int | None = None, name: str | None = None) -> None:
        super().__init__(name=name)
        self.length = length
        self.hidden = hidden

    def call(self, item: Any) -> tuple[Any, Any]:
        """(batch, length), or one less with ``hidden``, to two of (batch, length) int32."""
        at = ops.arange(self.length, dtype="int32")[None]
        count = _count(item)
        token = item
        if self.hidden is not None:
            token = ops.concatenate([item, ops.zeros_like(item[:, :1])], axis=1)
            token = token + self.hidden * ops.cast(ops.equal(at, count), "int32")
            count = count + 1
        place = self.length + 1 - count + at
        return token, place * ops.cast(at < count, "int32")

    def compute_output_spec(self, item: Any) -> tuple[Any, Any]:
        """What ``call`` gives, without calling it."""
        shape = (item.shape[0], self.length)
        return keras.KerasTensor(shape, "int32"), keras.KerasTensor(shape, "int32")


class LastState(keras.layers.Layer):
    """The state at the last place that is filled, and one more column with 0.

    Where there is no item at all, the state is 0 and the column has ``size``.

    Args:
        size: what stands there.
        name: of the layer.

    Example:
        >>> states = ops.array([[[3.0], [4.0]], [[5.0], [6.0]]])
        >>> LastState(0.5)([states, ops.array([[7, 0], [9, 0]]), ops.array([[7], [0]])]).numpy()
        array([[3. , 0. ],
               [0. , 0.5]], dtype=float32)
    """

    def __init__(self, size: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.size = size
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """None: there is one state left."""

    def call(self, inputs: Any) -> Any:
        """States (batch, n, d), tokens (batch, n) and items (batch, m) to (batch, d + 1)."""
        states, token, item = inputs
        last = ops.equal(ops.arange(token.shape[1], dtype="int32")[None], _count(token) - 1)
        state = ops.sum(ops.where(last[:, :, None], states, 0.0), axis=1)
        empty = ops.equal(_count(item), 0)
        column = self.size * ops.cast(empty, state.dtype)
        return ops.concatenate([ops.where(empty, 0.0, state), column], axis=1)


def _count(item: Any) -> Any:
    """How many items each row has: (batch, 1) int32."""
    return ops.sum(ops.cast(item > 0, "int32"), axis=1, keepdims=True)
