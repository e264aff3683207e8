"""Lesson 10's workers: elastic training, with workers that are killed and one that is added."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rsutils import parallel as hvd
from rsutils.models.ncf import NCFConfig, build
from rsutils.parallel import elastic


class DieOnce(keras.callbacks.Callback):
    """SIGKILL to the worker of a rank at a step of all steps; a file keeps it from dying again.

    Args:
        rank: whose worker dies, as long as there are others.
        step: of the optimizer.
        flag: the file.
    """

    def __init__(self, rank: int, step: int, flag: Path) -> None:
        super().__init__()
        self.rank, self.step, self.flag = rank, step, flag

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Die where it is time."""
        if self.flag.exists() or hvd.rank() != self.rank or hvd.size() == 1:
            return
        if int(self.model.optimizer.iterations) >= self.step:
            self.flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class AddHost(keras.callbacks.Callback):
    """Adds a line to the list of hosts, then lets training wait a little for the new worker.

    Args:
        hosts: the list.
        line: that is added by rank 0.
        step: of the optimizer.
    """

    def __init__(self, hosts: Path, line: str, step: int) -> None:
        super().__init__()
        self.hosts, self.line, self.step = hosts, line, step
        self.size = hvd.size()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Add it where it is time."""
        now = int(self.model.optimizer.iterations)
        if now == self.step and hvd.rank() == 0:
            with self.hosts.open("a", encoding="utf-8") as file:
                file.write(f"{self.line}\n")
        if now >= self.step and hvd.size() == self.size:
            time.sleep(0.1)


def train(
    inputs: dict[str, np.ndarray],
    label: np.ndarray,
    config: NCFConfig,
    batch_size: int,
    epochs: int,
    seed: int,
    commit_every: int,
    die: tuple[int, int] | None = None,
    folder: str | None = None,
) -> dict[str, Any]:
    """Train the network of ``config``; ``die`` is the rank and the step of a worker's death."""
    hvd.init()
    model = build(keras, config)
    model.compile(
        hvd.DistributedOptimizer(keras.optimizers.Adam(0.01)),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    progress = elastic.fit(
        model,
        (inputs, label),
        batch_size,
        epochs,
        seed,
        commit_every,
        checkpoints=hvd.Checkpoints(Path(folder) / "checkpoints") if folder else None,
        callbacks=[DieOnce(*die, Path(folder) / "dead")] if die and folder else [],
    )
    return {**vars(progress), "workers": hvd.size(), "weights": model.get_weights()}
