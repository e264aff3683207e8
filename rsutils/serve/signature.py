"""What exporters and runtimes agree on: inputs by name, one output."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


def check_exportable(model: Any, packages: Sequence[str] = ("keras",)) -> None:
    """Refuse what is no built functional model with one output.

    Raises:
        TypeError: this is no model of one of ``packages``.
        ValueError: the model does not say its inputs, or has more than one output.
    """
    names = {
        f"{parent.__module__.split('.')[0]}.{parent.__name__}" for parent in type(model).__mro__
    }
    if not names & {f"{package}.Model" for package in packages}:
        kind = f"{type(model).__module__}.{type(model).__name__}"
        raise TypeError(
            f"The model is a {kind}; expected one of {' or '.join(packages)}, such as the model_ "
            "of a fitted recommender."
        )
    if not getattr(model, "inputs", None):
        raise ValueError(
            f"The model {model.name!r} does not say its inputs; build it, or make it functional: "
            "Model(inputs, outputs)."
        )
    if len(model.outputs) != 1:
        raise ValueError(f"The model {model.name!r} has {len(model.outputs)} outputs; expected 1.")


def named_call(model: Any) -> Callable[..., dict[str, Any]]:
    """A ``tf.function`` of a model outside of training: a batch of any size, names as in Keras."""
    import tensorflow as tf

    signature = [
        tf.TensorSpec((None, *each.shape[1:]), each.dtype, name=each.name) for each in model.inputs
    ]

    @tf.function(input_signature=signature)
    def call(*inputs: Any) -> dict[str, Any]:
        packed = tf.nest.pack_sequence_as(model.input, inputs)
        return {model.output_names[0]: model(packed, training=False)}

    return call


def with_variables(model: Any, call: Any) -> Any:
    """A ``tf.Module`` of ``call`` and its variables: TensorFlow does not find those of Keras 3."""
    import tensorflow as tf

    holder = tf.Module()
    holder.call = call
    holder.weights = [w if isinstance(w, tf.Variable) else w.value for w in model.weights]
    return holder


def checked_inputs(
    inputs: Mapping[str, Any] | Any, shapes: Mapping[str, Sequence[Any]], types: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """The inputs of one call in a model's types.

    Args:
        inputs: an array for each input, by name; or just the array where there is one input.
        shapes: of each input; dimensions that are no numbers can have any size.
        types: the NumPy type of each input.

    Raises:
        ValueError: inputs are missing or unknown, or have another shape.

    Example:
        >>> checked_inputs([3, 4], {"user": ("batch",)}, {"user": np.int32})
        {'user': array([3, 4], dtype=int32)}
    """
    if not isinstance(inputs, Mapping):
        if len(shapes) > 1:
            raise ValueError(f"The model reads {', '.join(shapes)}; give a dict by name.")
        inputs = dict.fromkeys(shapes, inputs)
    if inputs.keys() != shapes.keys():
        raise ValueError(
            f"The inputs are {', '.join(map(str, inputs)) or 'none'}; expected {', '.join(shapes)}."
        )
    found = {}
    for name, wanted in shapes.items():
        found[name] = np.asarray(inputs[name], types[name])
        sizes = zip(wanted, found[name].shape, strict=False)
        if found[name].ndim != len(wanted) or any(
            isinstance(size, int) and size != got for size, got in sizes
        ):
            shape = ", ".join(map(str, wanted)) + ("," if len(wanted) == 1 else "")
            raise ValueError(f"{name} has the shape {found[name].shape}; expected ({shape}).")
    return found
