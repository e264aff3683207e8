"""Elastic training for the tests, with a worker that dies on purpose or one that is added."""

from pathlib import Path

import keras
import numpy as np

from rsutils import parallel as hvd
from rsutils.course.workers.lesson_10 import AddHost, DieOnce
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
    return (ids + np.array([0, USERS])).astype(np.int32), label


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
            *([DieOnce(rank, step, Path(folder) / "dead")] if step is not None else []),
            *([AddHost(Path(hosts), "127.0.0.3:1", 10)] if hosts else []),
        ],
    )
    return {
        **vars(progress),
        "workers": hvd.size(),
        "scores": model(ids[LEARN:]).numpy()[:, 0],
        "weights": model.get_weights(),
    }


def dropout_seeds() -> list[list[int]]:
    """Train a little with dropout; this worker's seeds afterwards."""
    keras.utils.set_random_seed(0)
    hvd.init()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    optimizer = hvd.DistributedOptimizer(keras.optimizers.SGD(0.01))
    model.compile(optimizer, "mse", jit_compile=False)
    rows = np.ones((64, 4), np.float32), np.ones((64, 1), np.float32)
    elastic.fit(model, rows, 8, 1, seed=0)
    return [np.array(v).tolist() for v in model.variables if "seed" in v.path]
