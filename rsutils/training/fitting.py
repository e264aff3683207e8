"""One run of ``fit``: Adam with a falling learning rate, progress, a check for divergence."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from rsutils.training.batches import EpochBatches
from rsutils.training.callbacks import Progress, StartEpoch
from rsutils.training.table_adam import DenseAdam


def fit(
    model: Any,
    batches: EpochBatches,
    loss: keras.losses.Loss | None,
    learning_rate: float,
    epochs: int,
    progress: str | None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    warmup: float = 0.0,
    **compiled: object,
) -> keras.callbacks.History:
    """Compile ``model`` and run ``epochs`` passes over ``batches`` in their own order.

    With ``keras.callbacks.BackupAndRestore(folder)`` among the callbacks, a run that was
    interrupted goes on where its last whole epoch ended, and ends with the same weights.

    Args:
        model: a Keras model; its weights change.
        batches: the training data.
        loss: what to minimise, beside the penalties of the model's tables; None for a model that
            computes its own.
        learning_rate: at its highest; it falls to 0 as a cosine.
        epochs: passes.
        progress: the title of the progress bar, or None for no bar.
        callbacks: of Keras.
        warmup: share of all steps in which the learning rate first rises from 0.
        **compiled: further arguments of ``model.compile``.

    Returns:
        The logs of every epoch.

    Raises:
        FloatingPointError: training diverged.
    """
    model.compile(
        DenseAdam(cosine(learning_rate, epochs * len(batches), warmup)),
        loss=loss,
        **compiled,
    )
    # Made inside the first step, the optimizer's averages would have TensorFlow trace it twice.
    model.optimizer.build(model.trainable_variables)
    own: list[keras.callbacks.Callback] = [StartEpoch(batches)]
    bar = Progress(progress, len(batches), epochs) if progress is not None else None
    try:
        history = model.fit(
            batches.dataset(),
            epochs=epochs,
            verbose=0,
            shuffle=False,
            callbacks=[*own, *callbacks, *([bar] if bar else [])],
        )
    finally:
        if bar:
            bar.bar.close()
    # What is saved later then holds the model alone, without the optimizer and its averages.
    model.compiled = False
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise FloatingPointError(f"Training diverged with learning_rate={learning_rate}; lower it.")
    return history


def cosine(
    learning_rate: float, steps: int, warmup: float
) -> keras.optimizers.schedules.CosineDecay:
    """From 0 up to ``learning_rate`` in a share of the steps, then down to 0 as a cosine.

    Example:
        >>> rate = cosine(0.1, steps=100, warmup=0.1)
        >>> [round(float(rate(step)), 4) for step in (0, 5, 10, 55, 100)]
        [0.0, 0.05, 0.1, 0.05, 0.0]
    """
    rising = int(warmup * steps)
    if not rising:
        return keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps=max(steps, 1))
    return keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=steps - rising, warmup_target=learning_rate, warmup_steps=rising
    )
