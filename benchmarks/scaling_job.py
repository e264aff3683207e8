"""What each worker of ``benchmarks.scaling`` runs, in a module that every worker can import."""

from typing import Any

import numpy as np

from benchmarks.steps import step_clock
from rsutils.data import load, sample_negatives

DATASET = "gowalla"
DIMENSIONS = 64
HIDDEN = (256, 128, 64)
SKIPPED = 8
"""Steps at the start that are not timed: TensorFlow traces in them."""


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


def train(way: dict[str, Any], batch: int, steps: int, seed: int, together: bool) -> dict[str, Any]:
    """Train ``steps`` timed steps and tell how fast this worker was.

    Args:
        way: ``table`` (``"dense"``, ``"sparse"`` or ``"sharded"``) and options of the optimizer.
        batch: rows of a worker's step.
        steps: that are timed.
        seed: of data and weights.
        together: whether workers exchange gradients; False for workers that never talk.

    Returns:
        ``examples_per_second``, ``ms_in_exchange`` of a step, and ``kb_sent``, what went over the
        loopback in a step for each worker.
    """
    import keras

    from rsutils import parallel as hvd
    from rsutils.training import DenseAdam, RowSparseAdam, SliceBatches

    options = dict(way)
    table = options.pop("table")
    hvd.init()
    keras.utils.set_random_seed(seed)
    rows, n_rows = pairs(batch * (steps + SKIPPED) * (hvd.size() if together else 1), seed)
    model = network(n_rows, table == "sharded" and together)
    optimizer = (DenseAdam if table == "dense" else RowSparseAdam)(0.001)
    callbacks: list[keras.callbacks.Callback] = []
    if together:
        optimizer = hvd.DistributedOptimizer(optimizer, **options)
        batches = hvd.WorkerBatches(rows, batch, seed)
        callbacks.append(hvd.callbacks.BroadcastGlobalVariablesCallback())
    else:
        batches = SliceBatches(rows, batch, seed)
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    clock, traffic = step_clock(SKIPPED), loopback_clock(SKIPPED, optimizer)
    hvd.barrier()
    model.fit(batches.dataset(), verbose=0, shuffle=False, callbacks=[*callbacks, clock, traffic])
    return {
        "examples_per_second": batch * clock.steps / clock.seconds,
        "ms_in_exchange": 1000 * traffic.exchange / clock.steps,
        "kb_sent": traffic.sent / 1000 / clock.steps / hvd.size(),
    }


def loopback_clock(skipped: int, optimizer: Any) -> Any:
    """A callback that counts what is sent over the loopback, and seconds in exchanges."""
    import keras
    import psutil

    def now() -> tuple[float, float]:
        sent = psutil.net_io_counters(pernic=True)["lo"].bytes_sent
        return sent, float(getattr(optimizer, "exchange_seconds", 0.0))

    class Counter(keras.callbacks.Callback):
        sent, exchange = 0.0, 0.0

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            if batch + 1 == skipped:
                self.start = now()

        def on_train_end(self, logs: dict | None = None) -> None:
            self.sent, self.exchange = (b - a for a, b in zip(self.start, now(), strict=True))

    return Counter()
