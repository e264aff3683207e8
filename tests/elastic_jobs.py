"""Elastic training for the tests, with a worker that dies on purpose."""

import os
import signal
from pathlib import Path

import keras
import numpy as np

from rsutils import parallel as hvd
from rsutils.parallel import elastic
from rsutils.parallel.checkpoints import Checkpoints
from tests import parallel_jobs as jobs

EPOCHS, BATCH, COMMIT_EVERY = 3, 16, 5


class Die(keras.callbacks.Callback):
    """SIGKILL to this worker at a step of all steps, once: a file says that it happened."""

    def __init__(self, rank: int, step: int, flag: Path) -> None:
        super().__init__()
        self.rank, self.step, self.flag = rank, step, flag

    def on_train_batch_end(self, batch, logs=None):
        if self.flag.exists() or hvd.rank() != self.rank or hvd.size() == 1:
            return
        if int(self.model.optimizer.iterations) >= self.step:
            self.flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def train(folder: str, rank: int | None, step: int = 0, checkpoints: bool = False) -> dict:
    hvd.init()
    model = jobs.build()
    model.compile(
        hvd.DistributedOptimizer(keras.optimizers.Adam(0.01)),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    ids, label = jobs.rows()
    dying = [Die(rank, step, Path(folder) / "dead")] if rank is not None else []
    progress = elastic.fit(
        model,
        (ids, label),
        BATCH,
        EPOCHS,
        seed=3,
        commit_every=COMMIT_EVERY,
        checkpoints=Checkpoints(Path(folder) / "saved") if checkpoints else None,
        callbacks=dying,
    )
    logits = model(ids).numpy()
    return {
        **vars(progress),
        "workers": hvd.size(),
        "loss": float(np.logaddexp(0, np.where(label == 1, -logits, logits)).mean()),
        "steps": int(model.optimizer.iterations),
    }
