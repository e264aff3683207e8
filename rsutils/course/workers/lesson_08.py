"""Lesson 08's workers: one network, its table whole on each worker or spread over all."""

from typing import Any

import keras
import numpy as np

from rsutils import parallel as hvd
from rsutils.training import RowSparseAdam
from rsutils.training.callbacks import StartEpoch


def network(tables: list[int], dimensions: int, sharded: str | None, seed: int) -> keras.Model:
    """A hidden layer over one vector of each table; the same first numbers however they are kept.

    Args:
        tables: rows of each table, one table after the other in one.
        dimensions: length of a vector.
        sharded: ``"by_row"``, ``"by_table"``, or None for a whole table on each worker.
        seed: of the first numbers.
    """
    ids = keras.Input((len(tables),), dtype="int32")
    rows = tables if sharded == "by_table" else sum(tables)
    placement = None if sharded else hvd.ByRow(sum(tables), 1)
    table = hvd.ShardedEmbedding(
        rows, dimensions, stddev=0.1, seed=seed, placement=placement, name="table"
    )
    z = keras.layers.Flatten()(table(ids))
    for units in (64, 32):
        start = keras.initializers.HeNormal(seed=seed + units)
        z = keras.layers.Dense(units, activation="relu", kernel_initializer=start)(z)
    start = keras.initializers.HeNormal(seed=seed)
    return keras.Model(ids, keras.layers.Dense(1, kernel_initializer=start)(z))


def train(
    ids: np.ndarray,
    label: np.ndarray,
    tables: list[int],
    dimensions: int,
    batch_size: int,
    epochs: int,
    seed: int,
    sharded: str | None,
) -> dict[str, Any]:
    """Train on this worker's part of the rows; tell what the whole model is afterwards."""
    hvd.init()
    model = network(tables, dimensions, sharded, seed)
    model.compile(
        hvd.DistributedOptimizer(RowSparseAdam(0.002)),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    batches = hvd.WorkerBatches((ids, label), batch_size, seed)
    callbacks = [StartEpoch(batches), hvd.callbacks.BroadcastGlobalVariablesCallback(0)]
    model.fit(batches.dataset(), epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks)
    table = model.get_layer("table").embeddings
    state = [v for v in model.optimizer.variables if v.shape == table.shape]
    return {
        "whole": hvd.whole_state(model, optimizer=False),
        "table_bytes": table.numpy().nbytes,
        "state_bytes": sum(v.numpy().nbytes for v in state),
        "scores": model(ids[:1000]).numpy()[:, 0],
    }


def all_ways(*arguments: Any, ways: dict[str, str | None]) -> dict[str, Any]:
    """:func:`train` in several ways, one after the other in the same processes."""
    found = {}
    for name, sharded in ways.items():
        keras.backend.clear_session()
        found[name] = train(*arguments, sharded)
    return found
