"""Quantization-aware training of Keras 3 models: rounded weights in front, exact ones behind.

The model holds rounded weights at every step, so that its loss is the loss of what will be served.
The gradient at the rounded weights moves exact ones, which are rounded anew: the rounding counts as
the identity (the straight-through estimator; Courbariaux et al. 2015, "BinaryConnect",
arXiv:1511.00363, section 2.3). Were the rounded weights moved themselves, no step smaller than half
a scale would ever get anywhere.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rsutils.compress.affine import BITS
from rsutils.compress.pruning import chosen_layers, is_table, prunable
from rsutils.compress.quantized_table import (
    CLIPPED_STEPS,
    ROUNDING,
    SMALLEST_TOP,
    STEPS_AN_OCTAVE,
)
from rsutils.models.checks import check_range

LAST_STEP = 255


def rounded_kernel(kernel: Any, bits: int) -> Any:
    """What a kernel (inputs, outputs) is worth in codes, with a scale for each output channel.

    Symmetric, the lowest code left out, as runtimes do it.

    Example:
        >>> rounded_kernel(tf.constant([[7.0], [2.4]]), bits=4).numpy().tolist()
        [[7.0], [2.0]]
    """
    most = (1 << (bits - 1)) - 1
    scale = tf.reduce_max(tf.abs(kernel), axis=0, keepdims=True) / most
    return tf.round(tf.math.divide_no_nan(kernel, scale)) * scale


def rounded_table(table: Any, bits: int) -> Any:
    """The rows of the :class:`QuantizedTable` of a table (n_rows, dimensions)."""
    most = (1 << (bits - 1)) - 1
    wanted = tf.reduce_max(tf.abs(table), axis=1, keepdims=True) / most
    top = tf.maximum(tf.reduce_max(wanted), SMALLEST_TOP)
    octaves = tf.math.log(top / tf.maximum(wanted, SMALLEST_TOP)) / np.log(2.0)
    full = tf.floor(octaves * STEPS_AN_OCTAVE + STEPS_AN_OCTAVE * ROUNDING * 2)
    best, error = None, None
    for steps in CLIPPED_STEPS[bits]:
        step = tf.clip_by_value(full + steps, 0.0, LAST_STEP)
        scale = top * tf.pow(2.0, -step / STEPS_AN_OCTAVE)
        found = tf.clip_by_value(tf.round(table / scale), -most, most) * scale
        off = tf.reduce_sum(tf.square(found - table), axis=1, keepdims=True)
        if best is None:
            best, error = found, off
        else:
            best = tf.where(off < error, found, best)
            error = tf.minimum(off, error)
    return best


class Rounded(keras.constraints.Constraint):
    """Keeps exact weights behind the rounded ones; the optimizer calls it after every update.

    Args:
        values: the exact weights to begin with.
        round_weights: takes weights and bits, gives rounded ones.
        bits: of a code.
        keep_zeros: whether weights at 0 stay there.
    """

    def __init__(
        self, values: np.ndarray, round_weights: Any, bits: int, keep_zeros: bool = False
    ) -> None:
        self.round_weights, self.bits = round_weights, bits
        self.mask = tf.constant(values != 0, tf.float32) if keep_zeros else None
        self.exact = tf.Variable(values, trainable=False)
        self.shown = tf.Variable(round_weights(tf.constant(values), bits), trainable=False)

    def __call__(self, weights: Any) -> Any:
        """Add what the optimizer changed to the exact weights, and round those."""
        moved = tf.convert_to_tensor(weights) - self.shown
        exact = self.exact + moved
        if self.mask is not None:
            exact *= self.mask
        self.exact.assign(exact)
        self.shown.assign(self.round_weights(exact, self.bits))
        return tf.identity(self.shown)


class QuantizationAware(keras.callbacks.Callback):
    """Train a model whose kernels and tables are rounded to few bits at every step.

    It ends with rounded weights in ordinary layers. Kernels get a scale for each output channel,
    tables one for each row, so that what is exported with as many bits (``compress_onnx``, or int8
    kernels in LiteRT) holds exactly these weights. What layers pass on to each other is not
    rounded.

    Args:
        model: whose layers are rounded; training may wrap it in another model.
        bits: by layer, or one number for all kernels and tables: 8 or 4 for tables, 2 to 8 for
            kernels.
        keep_zeros: whether pruned weights stay at 0.
        start: epoch, from 0, at whose beginning rounding starts.

    Raises:
        ValueError: a layer that does not exist or has nothing to round, bits that its kind does
            not have, or a start below 0; at the end, training that was over before the start.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, name="line")])
        >>> model.compile("adam", "mse")
        >>> aware = QuantizationAware(model, {"line": 2})
        >>> x = np.random.default_rng(0).normal(size=(64, 4))
        >>> _ = model.fit(x, x[:, :1], epochs=2, verbose=0, callbacks=[aware])
        >>> len(np.unique(model.get_layer("line").kernel.numpy())) <= 3
        True
    """

    def __init__(
        self,
        model: Any,
        bits: Mapping[str, int] | int,
        keep_zeros: bool = False,
        start: int = 0,
    ) -> None:
        super().__init__()
        check_range(0, np.inf, start=start)
        self.start = start
        self.bits = chosen_layers(model, bits)
        self.keep_zeros = keep_zeros
        known = prunable(model)
        self.rounded = {name: known[name] for name in self.bits}
        self.is_table = {name: is_table(model, name) for name in self.bits}
        for name, wanted in self.bits.items():
            allowed = tuple(CLIPPED_STEPS) if self.is_table[name] else BITS
            if wanted not in allowed:
                raise ValueError(
                    f"bits is {wanted} for layer {name!r}; expected one of {sorted(allowed)}."
                )

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Nothing is rounded yet."""
        self._begun = False

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """From the start on, round the weights and keep the exact ones behind."""
        if self._begun or epoch < self.start:
            return
        self._begun = True
        for name, weights in self.rounded.items():
            way = rounded_table if self.is_table[name] else rounded_kernel
            constraint = Rounded(weights.numpy(), way, self.bits[name], self.keep_zeros)
            weights.assign(constraint.shown)
            weights.constraint = constraint
        # A step that was compiled before knows nothing of this.
        self.model.make_train_function(force=True)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Leave the rounded weights in the layers."""
        if not self._begun:
            raise ValueError(
                f"Training ended before epoch {self.start}, at which rounding starts; train longer "
                "or give a smaller start."
            )
        for weights in self.rounded.values():
            weights.constraint = None
        self.model.make_train_function(force=True)
