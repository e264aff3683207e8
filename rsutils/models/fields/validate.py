"""What a model of fields is worth on validation rows, after each epoch."""

from collections.abc import Callable

import keras
import numpy as np

from rsutils.data.dataset import FieldRows
from rsutils.evaluate import auc, log_loss


class Validate(keras.callbacks.Callback):
    """Put AUC and log loss of the half-trained model into the logs of each epoch.

    Args:
        probability: from (n, n_fields) ids to the (n,) probabilities of label 1.
        rows: what to measure on.
    """

    def __init__(self, probability: Callable[[np.ndarray], np.ndarray], rows: FieldRows) -> None:
        super().__init__()
        self.probability = probability
        self.rows = rows

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Measure."""
        found = self.probability(self.rows.features)
        logs |= {"auc": auc(self.rows.label, found), "log_loss": log_loss(self.rows.label, found)}


MONITORS = {"auc": "max", "log_loss": "min"}
"""What may stop training, and in which direction it is better."""


def stop_by(
    probability: Callable[[np.ndarray], np.ndarray],
    rows: FieldRows,
    monitor: str,
    patience: int,
    start_from_epoch: int = 0,
) -> list[keras.callbacks.Callback]:
    """Callbacks that measure each epoch, stop training, and bring the best epoch's weights back.

    Args:
        probability: from (n, n_fields) ids to the (n,) probabilities of label 1.
        rows: what to measure on.
        monitor: one of ``MONITORS``.
        patience: epochs without an improvement before training stops.
        start_from_epoch: epochs before this one are no candidates.
    """
    stop = keras.callbacks.EarlyStopping(
        monitor,
        mode=MONITORS[monitor],
        patience=patience,
        restore_best_weights=True,
        start_from_epoch=start_from_epoch,
    )
    return [Validate(probability, rows), stop]
