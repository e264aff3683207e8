"""Lesson 09's workers: a network that reads its own part of a folder of Parquet files."""

from typing import Any

import keras

from rsutils import parallel as hvd
from rsutils.data.log_features import FEATURES
from rsutils.data.parquet_parts import count_rows, read_part
from rsutils.training.callbacks import StartEpoch

NAMES = ("user", "item", *FEATURES)


def network(n_users: int, n_items: int, seed: int) -> keras.Model:
    """Vectors of user and item beside what is known of both, then two hidden layers.

    The logarithm of counts and days is part of the network, so that whoever serves it cannot
    compute it otherwise.
    """
    inputs = {name: keras.Input((1,), name=name, dtype="float32") for name in FEATURES}
    known = []
    for name, value in inputs.items():
        if name.endswith("rating"):
            known.append(value / 5)
        else:
            known.append(keras.ops.log1p(value + float(name.endswith("days"))) / 5)
    vectors = []
    for name, rows in (("user", n_users), ("item", n_items)):
        inputs[name] = keras.Input((1,), name=name, dtype="int32")
        start = keras.initializers.RandomNormal(stddev=0.05, seed=seed + len(vectors))
        table = keras.layers.Embedding(rows, 16, embeddings_initializer=start)
        vectors.append(keras.layers.Flatten()(table(inputs[name])))
    z = keras.layers.Concatenate()([*vectors, *known])
    for units in (64, 32):
        start = keras.initializers.HeNormal(seed=seed + units)
        z = keras.layers.Dense(units, activation="relu", kernel_initializer=start)(z)
    start = keras.initializers.HeNormal(seed=seed)
    return keras.Model(inputs, keras.layers.Dense(1, kernel_initializer=start)(z))


def train(
    folder: str, n_users: int, n_items: int, batch_size: int, epochs: int, seed: int
) -> dict[str, Any]:
    """Train on this worker's rows of ``folder``, the only ones that it reads."""
    hvd.init()
    rows = read_part(folder, hvd.rank(), hvd.size(), [*NAMES, "label"])
    inputs = {name: rows[[name]].to_numpy() for name in NAMES}
    batches = hvd.PartBatches(
        (inputs, rows[["label"]].to_numpy()), batch_size, seed, total=count_rows(folder)
    )
    model = network(n_users, n_items, seed)
    model.compile(
        hvd.DistributedOptimizer(keras.optimizers.Adam(0.005)),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    callbacks = [StartEpoch(batches), hvd.callbacks.BroadcastGlobalVariablesCallback(0)]
    model.fit(batches.dataset(), epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks)
    return {
        "weights": model.get_weights(),
        "rows": len(rows),
        "steps": int(model.optimizer.iterations),
    }
