"""Lesson 07's workers: a first exchange, and a training run with what can be forgotten in it."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from rsutils import parallel as hvd
from rsutils.models.ncf import NCFConfig, build
from rsutils.training.callbacks import StartEpoch


def first_exchange(vectors: list[np.ndarray]) -> dict[str, Any]:
    """Say who this worker is, and add up one vector of each worker's."""
    hvd.init()
    print(f"rank {hvd.rank()} of {hvd.size()}")
    total = hvd.allreduce(vectors[hvd.rank()], op=hvd.Sum)
    return {"rank": hvd.rank(), "total": total.numpy()}


def train(
    inputs: dict[str, np.ndarray],
    label: np.ndarray,
    config: NCFConfig,
    batch_size: int,
    epochs: int,
    seed: int,
    distributed: bool = True,
    broadcast: bool = True,
    folder: str | None = None,
) -> dict[str, Any]:
    """Train the network of ``config`` on this worker's part of the rows."""
    hvd.init()
    model = build(keras, config)
    if hvd.rank() > 0:  # as if each worker had started from random numbers of its own
        model.set_weights([weights * 0.9 for weights in model.get_weights()])
    optimizer = keras.optimizers.Adam(0.01)
    if distributed:
        optimizer = hvd.DistributedOptimizer(optimizer)
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    batches = hvd.WorkerBatches((inputs, label), batch_size, seed)
    callbacks = [StartEpoch(batches)]
    if broadcast and distributed:
        callbacks.append(hvd.callbacks.BroadcastGlobalVariablesCallback(0))
    callbacks.append(hvd.callbacks.MetricAverageCallback())
    log = hvd.WorkerLog(folder, batch_size) if folder else None
    if log:
        callbacks.append(log)
    history = model.fit(
        batches.dataset(), epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks
    )
    return {
        "weights": model.get_weights(),
        "steps": int(optimizer.iterations),
        "losses": history.history["loss"],
        "log": log.history if log else [],
    }


def variants(*arguments: Any, ways: dict[str, dict[str, bool]], folder: str) -> dict[str, Any]:
    """:func:`train` in several ways, one after the other in the same processes."""
    found = {}
    for number, (name, options) in enumerate(ways.items()):
        keras.backend.clear_session()
        found[name] = train(*arguments, **options, folder=str(Path(folder) / str(number)))
    return found


def fail(rank: int, vector: list[float]) -> float:
    """Make a mistake on one worker while the others wait for it."""
    hvd.init()
    if hvd.rank() == rank:
        vector = [*vector[:-1], "seven"]
    mean = sum(vector) / len(vector)
    return float(hvd.allreduce(mean))
