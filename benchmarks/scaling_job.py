"""What each worker of ``benchmarks.scaling`` runs, in a module that every worker can import."""

import time
from typing import Any

import numpy as np

from rsutils.data import load, sample_negatives

DATASET = "gowalla"
DIMENSIONS = 64
HIDDEN = (256, 128, 64)


def pairs(n: int, seed: int) -> tuple[tuple[np.ndarray, np.ndarray], int]:
    """``n`` rows of a user and an item, half of them observed, with labels; rows of the table."""
    log = load(DATASET).published.train
    chosen = np.random.default_rng(seed).integers(len(log), size=n // 2)
    drawn = sample_negatives(log, log.user[chosen], 1, seed=seed)[:, 0]
    user = np.concatenate([log.user[chosen]] * 2)
    item = np.concatenate([log.item[chosen], drawn]) + log.n_users
    label = np.repeat([1.0, 0.0], n // 2).astype(np.float32)[:, None]
    return (np.column_stack([user, item]).astype(np.int32), label), log.n_users + log.n_items


def network(n_rows: int, sharded: bool) -> Any:
    """The DNN: two vectors of one table, three hidden layers, a logit."""
    import keras

    from rsutils.parallel import ShardedEmbedding

    ids = keras.Input((2,), dtype="int32")
    table = ShardedEmbedding if sharded else keras.layers.Embedding
    z = keras.layers.Flatten()(table(n_rows, DIMENSIONS, name="table")(ids))
    for units in HIDDEN:
        z = keras.layers.Dense(units, activation="relu")(z)
    return keras.Model(ids, keras.layers.Dense(1)(z))


def train(way: dict[str, Any], batch: int, steps: int, rounds: int, seed: int) -> dict[str, Any]:
    """Train by turns with the other workers and alone beside them, and tell how fast both went.

    Args:
        way: ``table`` (``"dense"``, ``"sparse"`` or ``"sharded"``) and options of the optimizer.
        batch: rows of a worker's step.
        steps: that are timed in a turn; one more before them is not.
        rounds: turns that are timed; one more before them is not, TensorFlow traces in it.
        seed: of data and weights.

    Returns:
        ``together`` and ``apart``, examples a second in each turn; ``ms_in_exchange`` of a step,
        and ``kb_sent``, what went over the loopback in a step for each worker.
    """
    import keras

    from rsutils import parallel as hvd

    hvd.init()
    keras.utils.set_random_seed(seed)
    rows, n_rows = pairs(batch * (steps + 1) * hvd.size(), seed)
    models = {
        name: model(name, dict(way), rows, n_rows, batch, seed) for name in ("together", "apart")
    }
    clock, speeds = round_clock(models["together"][0].optimizer), {name: [] for name in models}
    for turn in range(rounds + 1):
        # Whoever begins meets another state of the machine; so they take turns at it.
        for name in list(models)[:: 1 if turn % 2 else -1]:
            network, batches = models[name]
            first = [hvd.callbacks.BroadcastGlobalVariablesCallback()] if turn == 0 else []
            callbacks = [clock, *(first if name == "together" else [])]
            hvd.barrier()
            network.fit(batches.dataset(), verbose=0, shuffle=False, callbacks=callbacks)
            speeds[name].append(batch * steps / clock.seconds)
            clock.note(name == "together" and turn > 0)
    timed = steps * rounds
    return {
        **{name: speed[1:] for name, speed in speeds.items()},
        "ms_in_exchange": 1000 * clock.exchange / timed,
        "kb_sent": clock.sent / 1000 / timed / hvd.size(),
    }


def model(
    name: str, way: dict[str, Any], rows: Any, n_rows: int, batch: int, seed: int
) -> tuple[Any, Any]:
    """The compiled model that trains together or apart, and its batches."""
    import keras

    from rsutils import parallel as hvd
    from rsutils.training import DenseAdam, RowSparseAdam, SliceBatches

    table = way.pop("table")
    optimizer = (DenseAdam if table == "dense" else RowSparseAdam)(0.001)
    if name == "together":
        optimizer = hvd.DistributedOptimizer(optimizer, **way)
        batches = hvd.WorkerBatches(rows, batch, seed)
    else:
        own = len(rows[1]) // hvd.size()
        batches = SliceBatches((rows[0][:own], rows[1][:own]), batch, seed)
    found = network(n_rows, table == "sharded" and name == "together")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    found.compile(optimizer, loss, jit_compile=False)
    return found, batches


def round_clock(optimizer: Any) -> Any:
    """A callback that times the steps of a turn behind the first one, and adds up their traffic.

    Its ``seconds`` are those of the last turn; ``sent`` (bytes over the loopback) and ``exchange``
    (seconds) those of the turns that were noted.
    """
    import keras
    import psutil

    def now() -> tuple[float, float, float]:
        sent = psutil.net_io_counters(pernic=True)["lo"].bytes_sent
        return time.perf_counter(), sent, float(optimizer.exchange_seconds)

    class Clock(keras.callbacks.Callback):
        sent, exchange = 0.0, 0.0

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            if batch == 0:
                self.start = now()

        def on_train_end(self, logs: dict | None = None) -> None:
            self.last = [b - a for a, b in zip(self.start, now(), strict=True)]
            self.seconds = self.last[0]

        def note(self, noted: bool) -> None:
            if noted:
                self.sent += self.last[1]
                self.exchange += self.last[2]

    return Clock()
