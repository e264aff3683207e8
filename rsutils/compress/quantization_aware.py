"""Quantization-aware training for LiteRT: the int8 file is felt while the model learns.

Weights stay float32 for the optimizer; what the network computes with, activations included, are
the numbers that int8 codes stand for. The gradient passes the rounding as if it were not there
(Bengio et al. 2013, arXiv:1308.3432, section 4; Jacob et al. 2018, arXiv:1712.05877, section 3).
tfmot does this for tf_keras models, so it is the twin that is trained.
"""

from typing import Any

import numpy as np

from rsutils.compress.calibration import Calibration, checked_batches
from rsutils.compress.quantization_plan import int8_layers, kind, weight_of
from rsutils.compress.quantized_layers import (
    config_of,
    last_part,
    own_weights,
    ranges,
    set_output_ranges,
    set_weight_ranges,
)
from rsutils.compress.twin import Build, NoTwinError, make_twin


def make_quantization_aware(build: Build, config: Any, model: Any, calibration: Calibration) -> Any:
    """A tf_keras model that computes as an int8 file of LiteRT will, to be trained by its ``fit``.

    Tables have int8 codes with one scale, hidden layers int8 kernels, inputs and outputs. All else
    stays float32, since its errors would be errors of the score: the output layer, FM's sums, and a
    hidden layer that is joined with GMF's products. Untrained it is what quantization after
    training would make of ``model``.

    Ranges of activations begin with those of ``calibration`` and follow the batches slowly. Fold
    normalisations first (:func:`fold_batch_norm`, with a config that has none): they would stand,
    in float32, between int8 products. ``export_litert(aware, path, int8=True)`` writes the file.

    Args:
        build: takes ``keras`` or ``tf_keras`` and ``config``, and returns a functional model.
        config: what ``model`` was built with.
        model: of Keras 3, trained; it is not changed.
        calibration: batches of inputs, by name.

    Returns:
        A model with the names, inputs and weights of ``model``.

    Raises:
        NoTwinError: there is no twin of ``model``, or tfmot cannot quantize one of its layers.
        ValueError: there is nothing to quantize, or the calibration data does not fit.

    Example:
        >>> import keras
        >>> from rsutils.models.ncf import NCFConfig, build
        >>> config = NCFConfig(n_users=3, n_items=4, gmf_dimensions=0, hidden=(8,))
        >>> pairs = {"user": np.int32([0, 1, 2]), "item": np.int32([3, 1, 0])}
        >>> aware = make_quantization_aware(build, config, build(keras, config), [pairs])
        >>> len(np.unique(quantized_weights(aware)["hidden_1"][0])) <= 255
        True
    """
    from rsutils.compress import tfmot_parts as parts

    twin = _checked_twin(build, config, model)
    types = {each.name: each.dtype.as_numpy_dtype for each in twin.inputs}
    batches = checked_batches(types, calibration)
    weights, outputs = int8_layers(twin)

    def chosen(layer: Any) -> Any:
        weight = weight_of(layer) if layer.name in weights else None
        output = parts.moving_range() if layer.name in outputs else None
        by = parts.one_range() if weight else None
        return parts.LayerConfig(weight, by, output) if weight or output else None

    aware = _wrapped(twin, chosen)
    set_weight_ranges(aware)
    set_output_ranges(aware, twin, sorted(outputs), batches)
    return aware


def quantized_weights(aware: Any) -> dict[str, list[np.ndarray]]:
    """The weights that an aware model computes with, by layer, in the order of ``get_weights``.

    Kernels and tables are the numbers that their codes stand for; biases are as trained.

    Raises:
        TypeError: this is no model of :func:`make_quantization_aware`.
    """
    wrapped = [layer for layer in aware.layers if config_of(layer) is not None]
    if not wrapped:
        raise TypeError(
            f"The model {getattr(aware, 'name', aware)!r} has no quantized layer; expected what "
            "make_quantization_aware gives."
        )
    found = {}
    for layer in aware.layers:
        config = config_of(layer)
        weights = own_weights(layer)
        values = [weight.numpy() for weight in weights]
        if config is not None and config.weight:
            place = [last_part(weight) for weight in weights].index(config.weight)
            ends = ranges(layer, config.weight)
            values[place] = config.weights_by(weights[place], False, weights=ends).numpy()
        if values:
            found[layer.name] = values
    return found


def copy_quantized(aware: Any, target: Any) -> Any:
    """Give a Keras 3 model, or a twin, the weights that an aware model computes with.

    Activations are float32 there. LiteRT's tables have one scale, a :class:`QuantizedTable` one a
    row: ``compress_onnx`` rounds the numbers once more, by less than half of a code. For its files
    train with :class:`QuantizationAware`.

    Returns:
        ``target``.

    Raises:
        TypeError: ``aware`` is no model of :func:`make_quantization_aware`.
        NoTwinError: ``target`` has other layers or shapes.
    """
    found = quantized_weights(aware)
    wanted = {layer.name: [w.shape for w in layer.get_weights()] for layer in target.layers}
    wanted = {name: shapes for name, shapes in wanted.items() if shapes}
    if wanted != {name: [w.shape for w in weights] for name, weights in found.items()}:
        raise NoTwinError(
            f"The model {target.name!r} has weights in {', '.join(wanted)}, the aware one in "
            f"{', '.join(found)}; expected the same layers with the same shapes."
        )
    for name, weights in found.items():
        target.get_layer(name).set_weights(weights)
    return target


def _checked_twin(build: Build, config: Any, model: Any) -> Any:
    """The twin of a model in which every weight is one that can be quantized or stays float32."""
    twin = make_twin(build, config, model)
    for layer in twin.layers:
        large = [w for w in layer.trainable_weights if len(w.shape) > 1]
        if large and kind(layer) not in ("Dense", "Embedding"):
            raise NoTwinError(
                f"Layer {layer.name} is a {kind(layer)} with weights of {large[0].shape}; only "
                "those of Dense and Embedding can be quantized in training."
            )
    if not any(weight_of(layer) for layer in twin.layers):
        raise ValueError(
            f"The model {model.name!r} has neither a table nor a hidden layer to quantize."
        )
    return twin


def _wrapped(twin: Any, chosen: Any) -> Any:
    """A clone whose layers quantize what was chosen for each, with the weights of ``twin``."""
    import tf_keras

    from rsutils.compress import tfmot_parts as parts

    def clone(layer: Any) -> Any:
        is_of_vectors = kind(layer) == "Dot" and len(layer.output.shape) == 2
        copy = (parts.SumOfProducts if is_of_vectors else type(layer)).from_config(
            layer.get_config()
        )
        config = chosen(layer)
        if config is None:
            return copy
        return parts.quantization.QuantizeWrapperV2(copy, config, name=layer.name)

    aware = tf_keras.models.clone_model(twin, clone_function=clone)
    for layer in twin.layers:
        for weight, value in zip(
            own_weights(aware.get_layer(layer.name)), layer.weights, strict=True
        ):
            weight.assign(value)
    return aware
