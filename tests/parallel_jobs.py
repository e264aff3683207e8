"""What the tests of ``rsutils.parallel`` run on real worker processes."""

import os
import time
from pathlib import Path

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
    "by_row": {"optimizer": "adam", "tables": "by_row"},
    "by_row_sgd": {"optimizer": "sgd", "tables": "by_row"},
    "by_table": {"optimizer": "adam", "tables": "by_table"},
}


def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    ids = np.column_stack([rng.integers(USERS, size=ROWS), rng.integers(ITEMS, size=ROWS)])
    label = ((ids[:, 0] * 7 + ids[:, 1]) % 3 == 0).astype(np.float32)[:, None]
    return (ids + [0, USERS]).astype(np.int32), label


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
            "seconds": float(model.optimizer.exchange_seconds),
        }
    return found
