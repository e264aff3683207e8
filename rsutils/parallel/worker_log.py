"""Each worker's speed and its time in exchanges, for TensorBoard."""

import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from rsutils.parallel.world import rank

SPEED = "worker/examples_per_second"
SHARE = "worker/share_of_time_in_exchange"


class WorkerLog(keras.callbacks.Callback):
    """Writes two curves an epoch into ``folder/worker_<rank>``; give it to every worker.

    ``worker/examples_per_second`` is this worker's own. ``worker/share_of_time_in_exchange`` is
    the time from when all its gradients are there until all workers' are, over the epoch's time: a
    worker that is slower than the others shows a **small** share, since the others wait for it.

    Args:
        folder: of all logs; ``tensorboard --logdir folder`` shows the workers as curves.
        batch_size: rows of this worker's batch.

    Attributes:
        history: a dict of both figures for each epoch.
    """

    def __init__(self, folder: str | Path, batch_size: int) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.batch_size = batch_size
        self.history: list[dict[str, float]] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Open the log."""
        self.writer = tf.summary.create_file_writer(str(self.folder / f"worker_{rank()}"))

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start the clocks."""
        self.started = time.perf_counter()
        self.before = self._exchange_seconds()
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Count."""
        self.steps = batch + 1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write both figures."""
        seconds = time.perf_counter() - self.started
        figures = {
            SPEED: self.batch_size * self.steps / seconds,
            SHARE: (self._exchange_seconds() - self.before) / seconds,
        }
        self.history.append(figures)
        with self.writer.as_default(step=epoch):
            for name, value in figures.items():
                tf.summary.scalar(name, value)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the log."""
        self.writer.close()

    def _exchange_seconds(self) -> float:
        return float(getattr(self.model.optimizer, "exchange_seconds", 0.0))
