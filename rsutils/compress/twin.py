"""The tf_keras twin of a Keras 3 model: the same network where tfmot can work on it.

TensorFlow's model-optimization toolkit knows Keras 2 models only, and none of the file formats
carries a Keras 3 model over. What does: a builder that takes ``keras`` or ``tf_keras`` and makes
the same layers under the same names, as those of ``rsutils.models`` do, and the weights by name.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

Build = Callable[[ModuleType, Any], Any]


class NoTwinError(ValueError):
    """The model has no twin; the message says why."""


def make_twin(build: Build, config: Any, model: Any) -> Any:
    """A tf_keras model with the layers and the weights of ``model``.

    Args:
        build: takes ``keras`` or ``tf_keras`` and ``config``, and returns a functional model.
        config: what ``model`` was built with.
        model: of Keras 3.

    Raises:
        NoTwinError: the builder fails on tf_keras, or gives other layers or shapes.

    Example:
        >>> import keras
        >>> from rsutils.models.ncf import NCFConfig, build
        >>> config = NCFConfig(n_users=3, n_items=4)
        >>> twin = make_twin(build, config, build(keras, config))
        >>> type(twin).__module__.split(".")[0]
        'tf_keras'
    """
    import tf_keras

    try:
        twin = build(tf_keras, config)
    except Exception as error:
        raise NoTwinError(
            f"{getattr(build, '__name__', build)} does not build with tf_keras "
            f"({type(error).__name__}: {error}). Use layers that both have, through the module "
            "that the builder is given."
        ) from error
    if not type(twin).__module__.startswith("tf_keras"):
        raise NoTwinError(
            f"{getattr(build, '__name__', build)} was given tf_keras and made a model of "
            f"{type(twin).__module__.split('.')[0]}; it has to use the module that it is given."
        )
    copy_weights(model, twin)
    return twin


def copy_weights(source: Any, target: Any) -> None:
    """Give ``target`` the weights of ``source``, layer by layer under equal names.

    Works in both directions: from a Keras 3 model to its twin, and back after pruning.

    Raises:
        NoTwinError: layers or shapes differ; nothing is copied then.
    """
    found, wanted = _weights(source), _weights(target)
    if list(found) != list(wanted):
        extra = [name for name in found if name not in wanted]
        lacking = [name for name in wanted if name not in found]
        raise NoTwinError(
            "The models differ in their layers with weights: "
            f"only the source has {extra or 'none'}, only the target {lacking or 'none'}"
            + ("." if extra or lacking else ", and their order differs.")
        )
    for name, weights in found.items():
        shapes = [w.shape for w in weights], [w.shape for w in wanted[name]]
        if shapes[0] != shapes[1]:
            raise NoTwinError(f"Layer {name} has weights of {shapes[0]}, its twin of {shapes[1]}.")
    for layer in target.layers:
        if layer.name in found:
            layer.set_weights(found[layer.name])


def _weights(model: Any) -> dict[str, list[np.ndarray]]:
    """The weights of each layer that has any, in the order of layers."""
    both = {layer.name: layer.get_weights() for layer in model.layers}
    return {name: weights for name, weights in both.items() if weights}
