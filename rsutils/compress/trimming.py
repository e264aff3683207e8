"""Layer trimming: fewer units and fewer layers, so that dense products really get smaller.

It works on the stack of hidden layers that the builders of ``rsutils.models`` make: layers
``hidden_1``, ``hidden_2``, ... (with ``norm_1``, ... where they are normalised), and one layer that
reads the last of them, as the last of its inputs.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from rsutils.compress.twin import Build

Weights = dict[str, list[np.ndarray]]


def importance(model: Any) -> dict[str, np.ndarray]:
    """What each hidden unit is worth: the length of its weights in, times that of those out.

    Multiplying what goes into a ReLU and dividing what comes out of it by the same number changes
    nothing, and this measure neither. Li et al. 2017, "Pruning filters for efficient convnets"
    (arXiv:1608.08710, section 3.1), use the weights in alone.

    Returns:
        By layer, (units,) float64.

    Example:
        >>> import keras
        >>> from rsutils.models.ncf import NCFConfig, build
        >>> model = build(keras, NCFConfig(3, 4, hidden=(8, 2)))
        >>> {name: worth.shape for name, worth in importance(model).items()}
        {'hidden_1': (8,), 'hidden_2': (2,)}
    """
    weights, names = _weights(model), _hidden(model)
    found = {}
    for number, name in enumerate(names, 1):
        kernel = weights[name][0].astype(float)
        if f"norm_{number}" in weights:
            gamma, _, _, variance = weights[f"norm_{number}"]
            kernel = kernel * gamma / np.sqrt(variance + _epsilon(model, number))
        after = weights[_reader(model, names, number)][0][-kernel.shape[1] :]
        found[name] = np.linalg.norm(kernel, axis=0) * np.linalg.norm(after, axis=1)
    return found


def trim_units(build: Build, config: Any, model: Any, hidden: Sequence[int]) -> tuple[Any, Any]:
    """A model with fewer units in its hidden layers: those of most :func:`importance` stay.

    Args:
        build: takes ``keras`` and ``config``, and returns a functional model.
        config: what ``model`` was built with; a dataclass with ``hidden``.
        model: of Keras 3, trained.
        hidden: units of each layer in the smaller model.

    Returns:
        The smaller model's config, and the smaller model.

    Raises:
        ValueError: another number of layers, or more units than there are.
    """
    names = _hidden(model)
    old = [model.get_layer(name).units for name in names]
    if len(hidden) != len(old) or any(
        not 1 <= new <= was for new, was in zip(hidden, old, strict=True)
    ):
        raise ValueError(
            f"hidden is {tuple(hidden)}; expected {len(old)} layers of 1 to at most {tuple(old)} "
            "units. drop_layer takes whole layers out."
        )
    weights, worth = _weights(model), importance(model)
    for number, (name, units) in enumerate(zip(names, hidden, strict=True), 1):
        kept = np.sort(np.argsort(-worth[name], kind="stable")[:units])
        reader = _reader(model, names, number)
        weights[name] = [w[..., kept] for w in weights[name]]
        if f"norm_{number}" in weights:
            weights[f"norm_{number}"] = [w[kept] for w in weights[f"norm_{number}"]]
        rows = weights[reader][0]
        others, own = rows[: -old[number - 1]], rows[-old[number - 1] :]
        weights[reader][0] = np.concatenate([others, own[kept]])
    return _rebuilt(build, config, hidden, weights)


def drop_layer(
    build: Build, config: Any, model: Any, number: int, examples: Any
) -> tuple[Any, Any]:
    """A model without one of its hidden layers.

    Each ReLU of the layer is replaced by the straight line that is nearest to it on the examples,
    by least squares. What is left of the layer is linear, and becomes part of the kernel that reads
    it. Where a ReLU lets everything pass, or nothing, this changes nothing; elsewhere it is a
    beginning for fine-tuning.

    Args:
        build: takes ``keras`` and ``config``, and returns a functional model.
        config: what ``model`` was built with; a dataclass with ``hidden``.
        model: of Keras 3, trained, with two hidden layers or more.
        number: of the layer that goes; the first is 1.
        examples: inputs of the model, two or more.

    Returns:
        The smaller model's config, and the smaller model.

    Raises:
        ValueError: there is no such layer, or no other one.
    """
    names = _hidden(model)
    if len(names) < 2 or not 1 <= number <= len(names):
        raise ValueError(
            f"number is {number} and the model has {len(names)} hidden layers; expected one of "
            "two layers or more, the first being 1."
        )
    weights, gone = _weights(model), names[number - 1]
    reader = _reader(model, names, number)
    kernel, bias = _nearest_line(model, number, examples)
    rows = weights[reader][0]
    others, own = rows[: -len(bias)], rows[-len(bias) :]
    weights[reader][0] = np.concatenate([others, kernel @ own])
    weights[reader][1] = weights[reader][1] + bias @ own
    for later in range(number + 1, len(names) + 1):
        for kind in ("hidden", "norm"):
            if f"{kind}_{later}" in weights:
                weights[f"{kind}_{later - 1}"] = weights.pop(f"{kind}_{later}")
    units = [model.get_layer(name).units for name in names if name != gone]
    return _rebuilt(build, config, units, weights)


def _nearest_line(model: Any, number: int, examples: Any) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the linear layer that is nearest to a hidden layer on the examples."""
    layer = model.get_layer(f"hidden_{number}")
    kernel, bias = layer.get_weights()
    weights = _weights(model)
    if f"norm_{number}" in weights:
        gamma, beta, mean, variance = weights[f"norm_{number}"]
        scale = gamma / np.sqrt(variance + _epsilon(model, number))
        kernel, bias = kernel * scale, (bias - mean) * scale + beta
    reads = keras.Model(model.input, layer.input)
    z = reads(examples, training=False).numpy().astype(float) @ kernel + bias
    passed = np.maximum(z, 0)
    spread = z.var(0)
    slope = ((z - z.mean(0)) * passed).mean(0) / np.where(spread > 0, spread, 1)
    # A unit without spread says the same for all examples: a constant.
    slope = np.where(spread > 0, slope, 0)
    return kernel * slope, bias * slope + passed.mean(0) - slope * z.mean(0)


def _rebuilt(
    build: Build, config: Any, hidden: Sequence[int], weights: Mapping[str, Any]
) -> tuple[Any, Any]:
    smaller = dataclasses.replace(config, hidden=tuple(hidden))
    model = build(keras, smaller)
    for layer in model.layers:
        if layer.get_weights():
            layer.set_weights(weights[layer.name])
    return smaller, model


def _weights(model: Any) -> Weights:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.get_weights()}


def _hidden(model: Any) -> list[str]:
    """The names of the hidden layers in their order.

    Raises:
        ValueError: there are none.
    """
    names = [layer.name for layer in model.layers if layer.name.startswith("hidden_")]
    if not names:
        raise ValueError(
            f"The model {model.name!r} has no hidden layers hidden_1, hidden_2, ...; there is "
            "nothing to trim."
        )
    return sorted(names, key=lambda name: int(name.removeprefix("hidden_")))


def _reader(model: Any, names: Sequence[str], number: int) -> str:
    """The layer with a kernel that reads hidden layer ``number``."""
    if number < len(names):
        return names[number]
    dense = [layer.name for layer in model.layers if hasattr(layer, "kernel")]
    return next(name for name in dense if name in ("logit", "deep"))


def _epsilon(model: Any, number: int) -> float:
    return float(model.get_layer(f"norm_{number}").epsilon)
