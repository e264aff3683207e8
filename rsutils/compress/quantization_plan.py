"""Which layers of a twin are quantized in training, so that LiteRT's products can be int8."""

from typing import Any

import tensorflow as tf

from rsutils.compress.twin import NoTwinError

WEIGHTS = {"Dense": "kernel", "Embedding": "embeddings"}
"""By layer, the weight that is quantized."""
PASSED_ON = ("Flatten", "Dropout", "Reshape")
"""Layers that give what they were given: codes stay codes."""
FUSED = ("linear", "relu")
"""What an int8 product of LiteRT can do to its own sums."""


def kind(layer: Any) -> str:
    """The layer's type, such as ``Dense``."""
    return type(layer).__name__


def is_hidden(layer: Any) -> bool:
    """Whether this is a dense layer with more than the one unit of an output layer."""
    return kind(layer) == "Dense" and layer.units > 1


def weight_of(layer: Any) -> str | None:
    """The weight of a hidden layer or of a table; None for all others."""
    return WEIGHTS.get(kind(layer)) if kind(layer) != "Dense" or is_hidden(layer) else None


def int8_layers(twin: Any) -> tuple[set[str], set[str]]:
    """Layers whose weights are quantized, and layers whose outputs are.

    A hidden layer is computed in int8 where what it reads and what it gives are. It reads a table,
    whose rows are codes already, another hidden layer, or something that gets quantized for it. A
    hidden layer that is joined with float32 numbers for the output layer stays float32: joined
    codes share one scale, and the small ones of GMF's products would be lost in it.

    Raises:
        NoTwinError: a hidden layer has an activation that LiteRT has no int8 product for, or
            reads an input itself.
    """
    hidden = [layer for layer in twin.layers if is_hidden(layer)]
    read = {source.name for layer in hidden for source in _sources(layer)}
    joined = {
        source.name
        for layer in twin.layers
        if kind(layer) == "Concatenate" and layer.name not in read
        for source in _sources(layer)
    }
    hidden = [layer for layer in hidden if _last_of(layer).name not in joined]
    outputs: set[str] = set()
    for layer in hidden:
        _check(layer)
        made = [source.name for source in _sources(layer) if kind(source) != "Embedding"]
        outputs.update(made, [_last_of(layer).name])
    tables = {layer.name for layer in twin.layers if kind(layer) == "Embedding"}
    return tables | {layer.name for layer in hidden}, outputs


def _check(hidden: Any) -> None:
    if hidden.activation.__name__ not in FUSED:
        raise NoTwinError(
            f"Layer {hidden.name} has the activation {hidden.activation.__name__}; LiteRT's int8 "
            f"products know {' and '.join(FUSED)}. Put it into an Activation layer of its own."
        )
    for source in _sources(hidden):
        if kind(source) == "InputLayer":
            raise NoTwinError(
                f"Layer {hidden.name} reads the input {source.name} itself, which has no range; "
                "put a layer between them."
            )


def _last_of(hidden: Any) -> Any:
    """The ReLU that alone reads a linear layer, else the layer: what its int8 product ends with."""
    readers = [node.outbound_layer for node in hidden.outbound_nodes]
    is_linear = hidden.activation.__name__ == "linear"
    return readers[0] if is_linear and len(readers) == 1 and _is_relu(readers[0]) else hidden


def _is_relu(layer: Any) -> bool:
    is_activation = kind(layer) == "Activation" and layer.activation.__name__ == "relu"
    return is_activation or kind(layer) == "ReLU"


def _sources(layer: Any) -> list[Any]:
    """The layers that make what a layer reads, past those that only pass it on."""
    found = []
    for source in tf.nest.flatten(layer.inbound_nodes[0].inbound_layers):
        found += _sources(source) if kind(source) in PASSED_ON else [source]
    return found
