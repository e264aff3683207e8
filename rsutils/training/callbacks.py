"""Callbacks of a training run, for what Keras does not bring along."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from rsutils.training.batches import EpochBatches

MOST_STEPS = 1 << 20
"""How far apart the counters of two epochs stand: more steps than an epoch has."""


class Progress(keras.callbacks.Callback):
    """A bar over all steps of all epochs, with the loss of the running epoch.

    Args:
        title: in front of the bar.
        steps: in an epoch.
        epochs: in all.
    """

    def __init__(self, title: str, steps: int, epochs: int) -> None:
        super().__init__()
        self.steps = steps
        self.bar = tqdm(total=steps * epochs, desc=title, unit=" steps", mininterval=0.5)
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Stand where this epoch begins: a resumed run starts late."""
        self.epoch = epoch
        self._move_to(epoch * self.steps)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Move on."""
        # The last call of several steps may count more than the epoch has.
        self._move_to(self.epoch * self.steps + min(batch + 1, self.steps))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Show what the epoch came to."""
        self.bar.set_postfix(
            {name: f"{float(value):.4g}" for name, value in (logs or {}).items()}, refresh=False
        )

    def on_train_end(self, logs: dict | None = None) -> None:
        """Leave the bar as it stands."""
        self.bar.close()

    def _move_to(self, step: int) -> None:
        self.bar.update(step - self.bar.n)


class StartEpoch(keras.callbacks.Callback):
    """Make order, negatives and dropout depend on the epoch's number alone.

    Keras saves no state of its random generators, so that a resumed run would drop other units.

    Args:
        batches: draws anew in each epoch.
    """

    def __init__(self, batches: EpochBatches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Draw this epoch's order and negatives; set the counters of dropout."""
        self.batches.start_epoch(epoch)
        for variable in self.model.variables:
            if variable.path.endswith("seed_generator_state"):
                seed = int(variable.value[0])
                variable.assign(np.array([seed, epoch * MOST_STEPS], variable.dtype))


class ScoreEachEpoch(keras.callbacks.Callback):
    """Put a score of the half-trained recommender into the logs, for other callbacks to use.

    Keras' validation is a mean loss over rows; a recommender is judged on ranked lists. Give this
    callback before ``keras.callbacks.TensorBoard``; :func:`keep_best` stops by it.

    Args:
        name: in the logs, such as ``"ndcg@10"``.
        score: takes nothing, returns the score.
        every: epochs between two measurements, the first after epoch 1; in between the last value
            stands.

    Attributes:
        history: ``(epoch, value, seconds)`` of every measurement, epochs counted from 1 and seconds
            from the start of training.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> score = ScoreEachEpoch("size", model.count_params, every=2)
        >>> one = keras.ops.ones((1, 1))
        >>> logs = model.fit(one, one, epochs=4, verbose=0, callbacks=[score])
        >>> [(epoch, value) for epoch, value, _ in score.history], logs.history["size"]
        ([(1, 2.0), (2, 2.0), (4, 2.0)], [2.0, 2.0, 2.0, 2.0])
    """

    def __init__(self, name: str, score: Callable[[], float], every: int = 1) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"every is {every}; expected at least 1 epoch.")
        self.name = name
        self.score = score
        self.every = every
        self.history: list[tuple[int, float, float]] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Start the clock."""
        self.history = []
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, or repeat what was measured last."""
        if epoch == 0 or (epoch + 1) % self.every == 0:
            value = float(self.score())
            self.history.append((epoch + 1, value, time.perf_counter() - self.started))
        if logs is not None:
            logs[self.name] = self.history[-1][1]


class ReportEachEpoch(keras.callbacks.Callback):
    """Report a figure of the logs to a search, which stops a run that falls behind.

    Give it after the callback that writes the figure, such as :class:`ScoreEachEpoch`.

    Args:
        report: takes epoch and value, as ``search`` gives it to its objective.
        name: of the figure in the logs.

    Raises:
        KeyError: the logs of an epoch do not hold the figure.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> callbacks = [ScoreEachEpoch("size", model.count_params), ReportEachEpoch(print, "size")]
        >>> one = keras.ops.ones((1, 1))
        >>> logs = model.fit(one, one, epochs=2, verbose=0, callbacks=callbacks)
        1 2.0
        2 2.0
    """

    def __init__(self, report: Callable[[int, float], None], name: str) -> None:
        super().__init__()
        self.report = report
        self.name = name

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report; epochs count from 1."""
        logs = logs or {}
        if self.name not in logs:
            raise KeyError(
                f"The logs hold no {self.name!r}, only {', '.join(logs)}. "
                "Put the callback that measures it before ReportEachEpoch."
            )
        self.report(epoch + 1, float(logs[self.name]))


def keep_best(
    name: str, score: Callable[[], float], every: int = 1, patience: int = 5
) -> list[keras.callbacks.Callback]:
    """Stop when a score has not grown for long, and end with the weights of its best epoch.

    Args:
        name: in the logs, such as ``"ndcg@10"``.
        score: takes nothing, returns the score; larger is better.
        every: epochs between two measurements.
        patience: measurements without a new best one before training stops.

    Returns:
        Callbacks for ``fit``, a :class:`ScoreEachEpoch` first.
    """
    stop = keras.callbacks.EarlyStopping(
        name, mode="max", patience=patience * every, restore_best_weights=True
    )
    return [ScoreEachEpoch(name, score, every), stop]
