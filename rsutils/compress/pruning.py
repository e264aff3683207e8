"""Pruning of Keras 3 models while they train, with standard layers and any optimizer.

Keras 3 has no pruning, and TensorFlow's model-optimization toolkit knows Keras 2 only. All that is
needed is a mask for each pruned weight: applied after every update, and made anew, stricter, from
time to time.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rsutils.compress.masks import Pattern, magnitude_mask, sparsity_of
from rsutils.compress.schedule import Schedule

KINDS = ("kernel", "embeddings")
"""What a layer calls the weights that can be pruned; biases are few and matter."""


def prunable(model: Any) -> dict[str, keras.Variable]:
    """The kernel or table of each layer that has one, by the layer's name.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="hidden")])
        >>> {name: tuple(weights.shape) for name, weights in prunable(model).items()}
        {'hidden': (4, 2)}
    """
    found = {}
    for layer in model.layers:
        for kind in KINDS:
            weights = getattr(layer, kind, None)
            if isinstance(weights, keras.Variable):
                found[layer.name] = weights
    return found


def is_table(model: Any, name: str) -> bool:
    """Whether the layer of this name looks rows up."""
    return hasattr(model.get_layer(name), "embeddings")


def sparsities(model: Any) -> dict[str, float]:
    """The share of zeros in each kernel and table, by the layer's name."""
    return {name: sparsity_of(weights.numpy()) for name, weights in prunable(model).items()}


def prune(
    model: Any, sparsity: Mapping[str, float] | float, pattern: Pattern = magnitude_mask
) -> Any:
    """Set weights to 0 at once, without training; the model itself is changed and returned.

    Args:
        model: a built Keras 3 model.
        sparsity: by layer, or one for all kernels and tables.
        pattern: takes weights and sparsity, gives a mask; by magnitude unless told otherwise.

    Raises:
        ValueError: a layer that does not exist or has nothing to prune, a sparsity outside of
            [0, 1).
    """
    known = prunable(model)
    masks = {
        name: pattern(known[name].numpy(), share)
        for name, share in chosen_layers(model, sparsity).items()
    }
    for name, mask in masks.items():
        known[name].assign(known[name].numpy() * mask)
    return model


class Masked(keras.constraints.Constraint):
    """Multiplies weights by a mask; the optimizer calls it after every update.

    Args:
        mask: 1 where a weight stays.
    """

    def __init__(self, mask: np.ndarray) -> None:
        # A variable, so that a compiled step reads the mask of the day.
        self.mask = tf.Variable(mask, trainable=False, dtype="float32")

    def __call__(self, weights: Any) -> Any:
        """The weights that stay."""
        return weights * tf.cast(self.mask, weights.dtype)


class KeepZeros(keras.callbacks.Callback):
    """Train on without losing the zeros that a model has.

    Args:
        model: whose kernels and tables keep their zeros; training may wrap it in another model.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="line")])
        >>> _ = prune(model, 0.5)
        >>> model.compile("sgd", "mse")
        >>> ones = np.ones((8, 2)), np.ones((8, 1))
        >>> _ = model.fit(*ones, epochs=3, verbose=0, callbacks=[KeepZeros(model)])
        >>> sparsities(model)
        {'line': 0.5}
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.pruned = prunable(model)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Put the masks on."""
        for weights in self.pruned.values():
            weights.constraint = Masked(self.first_mask(weights.numpy()))
        # A step that was compiled before knows nothing of them.
        self.model.make_train_function(force=True)

    def first_mask(self, values: np.ndarray) -> np.ndarray:
        """The mask to begin with."""
        return values != 0

    def on_train_end(self, logs: dict | None = None) -> None:
        """Take the masks off: what remains is the model that its builder gave, with zeros in it."""
        for weights in self.pruned.values():
            weights.constraint = None
        self.model.make_train_function(force=True)


class Pruner(KeepZeros):
    """Prune a model while it trains.

    A mask is made of what the weights are at that moment, from time to time, until its schedule
    ends; in between the optimizer sets what is masked back to 0. Weights dropped once are the
    smallest from then on, so that masks only grow. Afterwards the zeros stand in ordinary layers.

    Args:
        model: whose layers are pruned; training may wrap it in another model.
        schedule: by layer, or one for all kernels and tables.
        pattern: takes weights and sparsity, gives a mask: for all layers, or by layer, where those
            not named are pruned by magnitude.

    Raises:
        ValueError: a layer that does not exist or has nothing to prune.

    Example:
        >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1, name="line")])
        >>> model.compile("sgd", "mse")
        >>> pruner = Pruner(model, {"line": Schedule(0.8, end=20, every=5)})
        >>> rows = np.ones((64, 10)), np.ones((64, 1))
        >>> _ = model.fit(*rows, batch_size=2, verbose=0, callbacks=[pruner])
        >>> sparsities(model)
        {'line': 0.8}
    """

    def __init__(
        self,
        model: Any,
        schedule: Mapping[str, Schedule] | Schedule,
        pattern: Mapping[str, Pattern] | Pattern = magnitude_mask,
    ) -> None:
        super().__init__(model)
        every = prunable(model)
        self.schedules = chosen_layers(model, schedule)
        self.pruned = {name: every[name] for name in self.schedules}
        patterns = pattern if isinstance(pattern, Mapping) else dict.fromkeys(every, pattern)
        chosen_layers(model, patterns)
        self.patterns = {name: patterns.get(name, magnitude_mask) for name in self.pruned}
        self.last: dict[str, int] = {}

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Put the masks on; nothing is pruned yet."""
        super().on_train_begin(logs)
        self.last = {}

    def first_mask(self, values: np.ndarray) -> np.ndarray:
        """Everything stays."""
        return np.ones_like(values)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Make the masks anew that are due."""
        step = int(self.model.optimizer.iterations)
        for name, schedule in self.schedules.items():
            last = self.last.get(name)
            if step >= schedule.begin and (last is None or last < schedule.end):
                due = last is None or step >= last + schedule.every or step >= schedule.end
                if due:
                    self._prune(name, step)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Prune up to the sparsity of the last step, and take the masks off."""
        step = int(self.model.optimizer.iterations)
        for name, schedule in self.schedules.items():
            if step >= schedule.begin and self.last.get(name, -1) < schedule.end:
                self._prune(name, step)
        super().on_train_end(logs)

    def _prune(self, name: str, step: int) -> None:
        weights = self.pruned[name]
        values = weights.numpy()
        mask = self.patterns[name](values, self.schedules[name](step))
        weights.constraint.mask.assign(mask)
        weights.assign(values * mask)
        self.last[name] = step


def chosen_layers(model: Any, chosen: Any) -> dict[str, Any]:
    """What was chosen for each layer: given by name, or one thing for all kernels and tables.

    Raises:
        ValueError: a layer that does not exist or has nothing to prune.
    """
    known = prunable(model)
    if not isinstance(chosen, Mapping):
        return dict.fromkeys(known, chosen)
    for name in chosen:
        if name not in known:
            raise ValueError(
                f"There is nothing to prune in a layer {name!r}; the model has a kernel or table "
                f"in {', '.join(known) or 'no layer'}."
            )
    return dict(chosen)
