"""What tfmot's wrapper adds to a layer: ranges, and which weights they are of."""

from typing import Any

import numpy as np
import tensorflow as tf

RANGE = {"min_var": "min", "max_var": "max"}
"""What tfmot calls the ends of a range: as an argument, and at the end of a weight's name."""


def set_weight_ranges(aware: Any) -> None:
    """Let the range of each quantized weight be that of its numbers, symmetric around 0."""
    for layer in aware.layers:
        config = config_of(layer)
        if config is not None and config.weight:
            (weight,) = (each for each in own_weights(layer) if last_part(each) == config.weight)
            _assign_range(
                layer, config.weight, -np.abs(weight.numpy()).max(), np.abs(weight.numpy()).max()
            )


def set_output_ranges(
    aware: Any, twin: Any, names: list[str], batches: list[dict[str, np.ndarray]]
) -> None:
    """Let ranges of outputs be those of a float32 model on some batches.

    Args:
        aware: whose ranges are set.
        twin: the float32 model.
        names: layers with a quantized output.
        batches: of inputs, by name.
    """
    import tf_keras

    if not names:
        return
    shown = tf_keras.Model(twin.input, [twin.get_layer(name).output for name in names])
    low, high = np.zeros(len(names)), np.zeros(len(names))
    for batch in batches:
        inputs = [tf.convert_to_tensor(batch[each.name]) for each in twin.inputs]
        found = tf.nest.flatten(shown(tf.nest.pack_sequence_as(twin.input, inputs)))
        low = np.minimum(low, [each.numpy().min() for each in found])
        high = np.maximum(high, [each.numpy().max() for each in found])
    for name, *ends in zip(names, low, high, strict=True):
        _assign_range(aware.get_layer(name), "output", *ends)


def _assign_range(wrapper: Any, name: str, low: float, high: float) -> None:
    """Set a range; where there is nothing but 0 any will do, and an empty one will not."""
    ends = ranges(wrapper, name)
    if ends:
        ends["min_var"].assign(low)
        ends["max_var"].assign(high if high > low else low + 1)


def ranges(wrapper: Any, name: str) -> dict[str, Any]:
    """The ends of the range of a weight or of the output, as tfmot's quantizers want them."""
    by_name = {last_part(weight): weight for weight in wrapper.weights}
    names = {key: f"{name}_{end}" for key, end in RANGE.items()}
    return {key: by_name[end] for key, end in names.items() if end in by_name}


def own_weights(layer: Any) -> list[Any]:
    """The weights that a layer has without its wrapper."""
    if config_of(layer) is None:
        return list(layer.weights)
    names = (config_of(layer).weight, "output")
    added = {"optimizer_step", *(f"{name}_{end}" for name in names for end in RANGE.values())}
    return [weight for weight in layer.weights if last_part(weight) not in added]


def config_of(layer: Any) -> Any:
    """What tfmot's wrapper quantizes; None for a layer without one."""
    return getattr(layer, "quantize_config", None)


def last_part(weight: Any) -> str:
    """``kernel`` of ``hidden_1/kernel:0``."""
    return weight.name.rpartition("/")[2].partition(":")[0]
