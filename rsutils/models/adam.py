"""Training a Keras model by Adam with a falling learning rate, for the models that do."""

from typing import Any

import keras
import numpy as np
from tqdm import tqdm


def fit_by_adam(
    model: Any,
    batches: keras.utils.PyDataset,
    loss: keras.losses.Loss,
    learning_rate: float,
    epochs: int,
    progress: str | None,
) -> None:
    """Compile ``model`` and run ``epochs`` passes over ``batches`` in their own order.

    Args:
        model: a Keras model; its weights change.
        batches: the training data.
        loss: what to minimise, beside the penalties of the model's tables.
        learning_rate: at the start; it falls to 0 as a cosine.
        epochs: passes.
        progress: the title of the progress bar, or None for no bar.

    Raises:
        FloatingPointError: training diverged.
    """
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps=epochs * len(batches))
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss)
    with tqdm(total=epochs, desc=progress, disable=progress is None) as bar:
        tick = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.update())
        model.fit(batches, epochs=epochs, verbose=0, shuffle=False, callbacks=[tick])
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise FloatingPointError(f"Training diverged with learning_rate={learning_rate}; lower it.")
