"""One run of training of a network over fields: loss, penalties, what stops it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np

from rsutils.data.dataset import FieldRows
from rsutils.models.fields.validate import stop_by
from rsutils.training import SliceBatches, fit, penalised

JIT = False
"""Compiled by XLA for a CPU, steps with dropout and large tables take several times as long."""


def train(
    model: Any,
    rows: FieldRows,
    validation: FieldRows | None,
    learning_rate: float,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
    start_from_epoch: int = 0,
) -> dict[str, list[float]]:
    """Train the network of a ``FieldModel`` from the weights that it has.

    Args:
        model: a ``FieldModel`` with its network.
        rows: what to learn from.
        validation: what stops training; None runs all epochs.
        learning_rate: at the start; it falls to 0 as a cosine.
        epochs: passes over the rows, at most.
        callbacks: of Keras.
        start_from_epoch: epochs before this one do not count as the best one.

    Returns:
        By name, what each epoch came to.
    """
    own: list[keras.callbacks.Callback] = []
    if validation is not None:
        own = stop_by(
            model.probability, validation, model.monitor, model.patience, start_from_epoch
        )
    with penalty(model.model_, {"factors": model.l2, "weights": model.l2_weights}):
        history = fit(
            model.model_,
            SliceBatches((rows.features, rows.label[:, None]), model.batch_size, model.seed),
            keras.losses.BinaryCrossentropy(from_logits=True),
            learning_rate,
            epochs,
            model.kind if model.progress else None,
            [*own, *callbacks],
            jit_compile=JIT,
        )
    return history.history


def penalty(network: Any, strength: dict[str, float]) -> AbstractContextManager[None]:
    """Half the strength times the square of every number in a table."""
    return penalised(
        *(
            (layer.embeddings, np.float32(strength[layer.name] / 2))
            for layer in network.layers
            if layer.name in strength
        )
    )
