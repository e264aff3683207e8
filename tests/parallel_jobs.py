"""What the tests of ``rsutils.parallel`` run on real worker processes."""

import keras
import numpy as np
import tensorflow as tf

from rsutils import parallel as hvd
from rsutils.parallel.callbacks import BroadcastGlobalVariablesCallback
from rsutils.parallel.collectives import Compression

USERS, ITEMS, ROWS, BATCH, STEPS = 30, 50, 800, 16, 50
"""Two epochs of 25 steps of two workers' batches."""
CASES = {
    "sgd": {"optimizer": "sgd"},
    "adam": {"optimizer": "adam"},
    "rows_not_merged": {"optimizer": "adam", "merge_rows": False},
    "one_by_one": {"optimizer": "adam", "grouped": False},
    "whole_tables": {"optimizer": "adam", "sparse_as_dense": True},
    "half_precision": {"optimizer": "sgd", "compression": Compression.fp16},
    "sum": {"optimizer": "sgd", "op": hvd.Sum, "rate": 0.5},
    "accumulated": {
        "optimizer": "adam",
        "batch": BATCH // 2,
        "backward_passes_per_step": 2,
        "average_aggregated_gradients": True,
        "sparse_as_dense": True,
    },
    "by_row": {"optimizer": "adam", "tables": "by_row"},
    "by_row_sgd": {"optimizer": "sgd", "tables": "by_row"},
    "by_table": {"optimizer": "adam", "tables": "by_table"},
}


def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    ids = np.column_stack([rng.integers(USERS, size=ROWS), rng.integers(ITEMS, size=ROWS)])
    label = ((ids[:, 0] * 7 + ids[:, 1]) % 3 == 0).astype(np.float32)[:, None]
    return (ids + np.array([0, USERS])).astype(np.int32), label


def build(tables: str = "whole", dropout: float = 0.0) -> keras.Model:
    """A small network over one table of users and items; the same numbers for every ``tables``."""
    ids = keras.Input((2,), dtype="int32", name="ids")
    if tables == "by_table":
        table = hvd.ShardedEmbedding((USERS, ITEMS), 8, stddev=0.3, name="table")
    elif tables == "by_row":
        table = hvd.ShardedEmbedding(USERS + ITEMS, 8, stddev=0.3, name="table")
    else:
        table = keras.layers.Embedding(USERS + ITEMS, 8, name="table")
    x = keras.layers.Flatten()(table(ids))
    for place, units in enumerate((16, 1)):
        start = keras.initializers.GlorotUniform(seed=place)
        last = "relu" if units > 1 else None
        x = keras.layers.Dense(units, last, kernel_initializer=start, name=f"dense_{place}")(x)
        if dropout and units > 1:
            x = keras.layers.Dropout(dropout, seed=1)(x)
    model = keras.Model(ids, x)
    if tables == "whole":
        from rsutils.parallel.sharded_embedding import first_numbers

        table.set_weights([first_numbers(np.arange(USERS + ITEMS), 8, 0.3, 0)])
    return model


def optimizer_of(name: str, rate: float = 1.0) -> keras.optimizers.Optimizer:
    if name == "sgd":
        return keras.optimizers.SGD(0.1 * rate, momentum=0.9)
    return keras.optimizers.Adam(0.01 * rate)


def trained(case: str, batch: int = BATCH) -> keras.Model:
    """The model after 50 steps, each of ``batch`` rows a worker."""
    options = dict(CASES[case])
    tables = options.pop("tables", "whole")
    batch = options.pop("batch", batch)
    inner = optimizer_of(options.pop("optimizer"), options.pop("rate", 1.0))
    model = build(tables)
    model.compile(
        hvd.DistributedOptimizer(inner, **options),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    batches = hvd.WorkerBatches(rows(), batch, seed=3)
    for epoch in range(2):
        batches.start_epoch(epoch)
        callbacks = [BroadcastGlobalVariablesCallback(0)] if epoch == 0 else []
        model.fit(batches.dataset(), verbose=0, shuffle=False, callbacks=callbacks)
    return model


def trained_plainly(name: str) -> list[np.ndarray]:
    """Weights and state after 50 steps of plain Keras, with the gradients of whole tables."""
    model, optimizer = build(), optimizer_of(name)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    ids, label = rows()
    for epoch in range(2):
        order = np.random.default_rng([3, epoch]).permutation(ROWS)
        for part in order.reshape(-1, 2 * BATCH):
            with tf.GradientTape() as tape:
                value = loss(label[part], model(ids[part]))
            gradients = tape.gradient(value, model.trainable_variables)
            optimizer.apply(
                [tf.convert_to_tensor(gradient) for gradient in gradients],
                model.trainable_variables,
            )
    return [np.asarray(variable) for variable in [*model.weights, *optimizer.variables]]


def train_all_cases() -> dict[str, dict]:
    """For each case: weights of this worker, the whole state, scores and bytes of its tables."""
    hvd.init()
    found = {}
    for case in CASES:
        keras.backend.clear_session()
        model = trained(case)
        ids = rows()[0]
        found[case] = {
            "own": model.get_weights(),
            "whole": hvd.whole_state(model),
            "steps": int(model.optimizer.iterations),
            "scores": model(ids).numpy(),
            "table_bytes": model.get_layer("table").embeddings.numpy().nbytes,
            "slot_bytes": sum(
                np.asarray(v).nbytes for v in model.optimizer.variables if "table_" in v.path
            ),
            "seconds": float(model.optimizer.exchange_seconds),
        }
    return found


def exchange() -> dict:
    """Every collective operation once, on vectors that can be checked by hand."""
    hvd.init()
    rank, size = hvd.rank(), hvd.size()
    axis = tf.one_hot(rank, 3)
    rows = tf.fill((rank + 1, 2), float(rank))
    sent = tf.range(3) + 10 * rank
    received, counts = hvd.alltoall(sent, [1, 2])
    half = hvd.allreduce(tf.constant([1 / 3]), compression=Compression.fp16)
    variable = keras.Variable([float(rank)])
    hvd.broadcast_variables([variable], root_rank=1)
    return {
        "average": hvd.allreduce(tf.constant([rank, 4.0])).numpy(),
        "sum": hvd.allreduce(tf.constant([rank, 4.0]), op=hvd.Sum).numpy(),
        "adasum_orthogonal": hvd.allreduce(axis, op=hvd.Adasum).numpy(),
        "adasum_parallel": hvd.allreduce(tf.ones(3), op=hvd.Adasum).numpy(),
        "gathered": hvd.grouped_allgather([rows])[0].numpy(),
        "received": received.numpy(),
        "counts": counts.numpy(),
        "half": half.numpy(),
        "broadcast": np.asarray(variable),
        "object": hvd.broadcast_object({"rank": rank}, root_rank=1),
        "objects": hvd.allgather_object(rank),
        "local": (hvd.local_rank(), hvd.local_size(), size, hvd.is_initialized()),
    }


def refusals() -> dict[str, str]:
    """What each wrong use is told, on this worker."""
    hvd.init()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    data = rows()
    told = {}

    def attempt(name: str, optimizer, units: int = 3, tables: str = "whole", **compiled) -> None:
        ids = keras.Input((2,), dtype="int32")
        cut = build(tables)(ids)
        model = keras.Model(ids, keras.layers.Dense(1)(keras.layers.Dense(units)(cut)))
        model.compile(optimizer, loss, **{"jit_compile": False, **compiled})
        batches = hvd.WorkerBatches(data, 100, 0).dataset()
        try:
            callbacks = [BroadcastGlobalVariablesCallback()]
            model.fit(batches.take(1), verbose=0, callbacks=callbacks)
        except ValueError as error:
            told[name] = str(error)

    adam = keras.optimizers.Adam
    attempt("fine", hvd.DistributedOptimizer(adam()))
    attempt("plain", adam())
    attempt("compiled", hvd.DistributedOptimizer(adam()), jit_compile=True)
    scaled = keras.optimizers.LossScaleOptimizer(hvd.DistributedOptimizer(adam()))
    attempt("scaled", scaled)
    attempt("other_shape", hvd.DistributedOptimizer(adam()), units=3 + hvd.rank())
    attempt("adasum", hvd.DistributedOptimizer(adam(), op=hvd.Adasum))
    attempt("clipped", hvd.DistributedOptimizer(adam(clipnorm=1.0)), tables="by_row")
    return told


def dropout_masks() -> dict:
    """A dropout layer's first mask in training, and the metrics and logs of an epoch."""
    import tempfile

    hvd.init()
    keras.utils.set_random_seed(4)
    model = build(dropout=0.5)
    model.compile(
        hvd.DistributedOptimizer(keras.optimizers.SGD(0.0)),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        log = hvd.WorkerLog(folder, BATCH)
        warm = hvd.callbacks.LearningRateWarmupCallback(0.4, warmup_epochs=2)
        history = model.fit(
            hvd.WorkerBatches(rows(), BATCH, 0).dataset(),
            epochs=3,
            verbose=0,
            callbacks=[
                BroadcastGlobalVariablesCallback(),
                hvd.callbacks.MetricAverageCallback(),
                warm,
                log,
            ],
        )
    seeds = [np.asarray(v) for v in model.variables if v.path.endswith("seed_generator_state")]
    only = hvd.callbacks.only_on_rank_0(keras.callbacks.TerminateOnNaN())
    return {"seeds": seeds, "only": len(only), "log": log.history, **history.history}


def train_on_hosts() -> dict:
    """The case ``adam``, with the addresses of this worker's host."""
    import socket

    import psutil

    hvd.init()
    model = trained("adam")
    return {
        "whole": hvd.whole_state(model),
        "local": (hvd.local_rank(), hvd.local_size()),
        "addresses": [
            one.address
            for name, addresses in psutil.net_if_addrs().items()
            for one in addresses
            if one.family == socket.AF_INET and name != "lo"
        ],
    }
