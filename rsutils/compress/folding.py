"""Batch normalisation folded into the dense layer before it: fewer weights, the same scores."""

from typing import Any

import keras
import numpy as np


def fold_batch_norm(model: Any) -> Any:
    """A copy without those batch normalisations that follow a dense layer.

    Once trained, z = (Wx + b - mean) * gamma / sqrt(variance + epsilon) + beta is a dense layer
    again: each column of W is multiplied by its factor, and the rest goes into the bias (Jacob et
    al. 2018, arXiv:1712.05877, section 3.2). Normalisations after something else stay.

    Args:
        model: a built functional Keras 3 model; it is not changed.

    Returns:
        A new model for scoring. To train it further would be to train another network.

    Raises:
        TypeError: this is no functional Keras 3 model.

    Example:
        >>> x = keras.Input((3,))
        >>> hidden = keras.layers.Dense(4, name="hidden")(x)
        >>> model = keras.Model(x, keras.layers.BatchNormalization(name="norm")(hidden))
        >>> [layer.name for layer in fold_batch_norm(model).layers][1:]
        ['hidden']
    """
    if not isinstance(model, keras.Model) or not hasattr(model, "operations"):
        kind = f"{type(model).__module__}.{type(model).__name__}"
        raise TypeError(f"The model is a {kind}; expected a functional Keras 3 model.")
    norms = _norms_of_dense(model)
    folded_away = {norm.name for norm in norms.values()}

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in norms:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return args[0] if layer.name in folded_away else layer(*args, **kwargs)

    folded = keras.models.clone_model(model, clone_function=copy, call_function=call)
    for layer in model.layers:
        if layer.name in norms:
            folded.get_layer(layer.name).set_weights(_folded(layer, norms[layer.name]))
        elif layer.weights and layer.name not in folded_away:
            folded.get_layer(layer.name).set_weights(layer.get_weights())
    return folded


def _norms_of_dense(model: Any) -> dict[str, Any]:
    """The normalisation that alone reads a linear dense layer, by that layer's name."""
    inputs = {layer.name: keras.tree.flatten(layer.input) for layer in model.layers}
    found = {}
    for dense in model.layers:
        if not isinstance(dense, keras.layers.Dense) or dense.activation is not _LINEAR:
            continue
        readers = [
            layer
            for layer in model.layers
            if any(tensor is dense.output for tensor in inputs[layer.name])
        ]
        is_read_once = len(readers) == 1 and all(dense.output is not each for each in model.outputs)
        if is_read_once and isinstance(readers[0], keras.layers.BatchNormalization):
            found[dense.name] = readers[0]
    return found


_LINEAR = keras.activations.linear


def _folded(dense: Any, norm: Any) -> list[np.ndarray]:
    """Kernel and bias with the normalisation in them, computed in float64."""

    def numbers(weights: Any, without: float) -> np.ndarray:
        return np.float64(without) if weights is None else np.float64(weights.numpy())

    factor = numbers(norm.gamma, 1) / np.sqrt(numbers(norm.moving_variance, 1) + norm.epsilon)
    shift = numbers(norm.beta, 0) - numbers(norm.moving_mean, 0) * factor
    bias = numbers(dense.bias, 0) * factor + shift
    return [np.float32(numbers(dense.kernel, 0) * factor), np.float32(bias)]
