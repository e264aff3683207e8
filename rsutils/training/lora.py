"""Low-rank adaptation: train two thin matrices beside each large one, and merge them afterwards."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

ATTENTION = ("query_dense", "key_dense", "value_dense", "output_dense")


def enable_lora(model: Any, rank: int, seed: int = 0) -> None:
    """Replace every large matrix W of ``model`` by W + A B, and train A and B instead of W.

    A has ``rank`` columns and B as many rows; B starts at zero, so the model gives what it gave
    before. Biases and the scales of norms are small and stay trainable. (Hu et al. 2021, "LoRA:
    low-rank adaptation of large language models", arXiv:2106.09685, section 4.1.)

    Args:
        model: a Keras 3 model of dense, embedding and attention layers; it changes.
        rank: columns of A.
        seed: of the A.

    Raises:
        ValueError: ``rank`` is not positive, or no layer can be adapted.

    Example:
        >>> model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(50)])
        >>> enable_lora(model, rank=2)
        >>> [tuple(weight.shape) for weight in model.trainable_weights]
        [(50,), (100, 2), (2, 50)]
    """
    if rank < 1:
        raise ValueError(f"rank is {rank}; expected at least 1.")
    layers = list(_adaptable(model))
    if not layers:
        raise ValueError(f"{model.name} has no dense, embedding or attention layer to adapt.")
    for number, layer in enumerate(layers):
        layer.enable_lora(rank, a_initializer=keras.initializers.HeUniform(seed + number))


def merge_lora(model: Any, plain: Any) -> None:
    """Give ``plain``, built as ``model`` was, the weights W + A B.

    Keras merges when it saves; a model with adapters cannot hand its weights over as a list.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "merged.weights.h5"
        model.save_weights(path)
        plain.load_weights(path)


def _adaptable(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if isinstance(layer, keras.layers.MultiHeadAttention):
            yield from (getattr(layer, name) for name in ATTENTION)
        elif isinstance(
            layer, keras.layers.Dense | keras.layers.Embedding | keras.layers.EinsumDense
        ):
            yield layer
