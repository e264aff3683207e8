"""Elastic training for the tests, with a worker that dies on purpose or one that is added."""

import os
import signal
import time
from pathlib import Path

import keras
import numpy as np

from rsutils import parallel as hvd
from rsutils.parallel import elastic

USERS, ITEMS, LEARN, JUDGE = 40, 60, 3000, 2000
BATCH, EPOCHS, COMMIT_EVERY = 32, 8, 5
LAST_STEP = EPOCHS * -(-LEARN // (2 * BATCH))


def rows() -> tuple[np.ndarray, np.ndarray]:
    """Pairs, and whether the user likes the item by known tastes, with noise."""
    rng = np.random.default_rng(11)
    users, items = rng.normal(size=(USERS, 2)), rng.normal(size=(ITEMS, 2))
    n = LEARN + JUDGE
    ids = np.column_stack([rng.integers(USERS, size=n), rng.integers(ITEMS, size=n)])
    logit = 3 * (users[ids[:, 0]] * items[ids[:, 1]]).sum(1)
    label = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.float32)[:, None]
    return (ids + [0, USERS]).astype(np.int32), label


def build() -> keras.Model:
    ids = keras.Input((2,), dtype="int32")
    factors = keras.layers.Embedding(USERS + ITEMS, 8, name="table")(ids)
    product = keras.layers.Dot(1)([factors[:, 0], factors[:, 1]])
    model = keras.Model(ids, keras.layers.Dense(1, kernel_initializer="ones")(product))
    model.compile(
        hvd.DistributedOptimizer(keras.optimizers.Adam(0.02)),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return model


class Die(keras.callbacks.Callback):
    """SIGKILL to the worker of a rank at a step of all steps, once: a file tells that it was."""

    def __init__(self, rank: int, step: int, flag: Path) -> None:
        super().__init__()
        self.rank, self.step, self.flag = rank, step, flag

    def on_train_batch_end(self, batch, logs=None):
        if self.flag.exists() or hvd.rank() != self.rank or hvd.size() == 1:
            return
        if int(self.model.optimizer.iterations) >= self.step:
            self.flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class AddHost(keras.callbacks.Callback):
    """Adds a line to the list of hosts, then goes slowly until a worker has come."""

    def __init__(self, hosts: Path) -> None:
        super().__init__()
        self.hosts = hosts

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == 10 and hvd.rank() == 0:
            with self.hosts.open("a") as file:
                file.write("127.0.0.3:1\n")
        if int(self.model.optimizer.iterations) >= 10 and hvd.size() == 2:
            time.sleep(0.1)


def train(
    rank: int = 0,
    step: int | None = None,
    folder: str = "",
    hosts: str = "",
    epochs: int = EPOCHS,
) -> dict:
    """Train, judge on rows that were not learnt from, and tell how it went."""
    keras.utils.set_random_seed(0)
    hvd.init()
    model = build()
    ids, label = rows()
    progress = elastic.fit(
        model,
        (ids[:LEARN], label[:LEARN]),
        BATCH,
        epochs,
        seed=3,
        commit_every=COMMIT_EVERY,
        checkpoints=hvd.Checkpoints(Path(folder) / "saved") if folder else None,
        callbacks=[
            *([Die(rank, step, Path(folder) / "dead")] if step is not None else []),
            *([AddHost(Path(hosts))] if hosts else []),
        ],
    )
    return {
        **vars(progress),
        "workers": hvd.size(),
        "scores": model(ids[LEARN:]).numpy()[:, 0],
        "weights": model.get_weights(),
    }
