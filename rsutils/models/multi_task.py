"""One model for several labels of a row, such as a click and a like."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from rsutils.models.checks import check_counts, check_positive, check_range
from rsutils.models.fields.model import ROWS
from rsutils.models.fields.rows import known_features
from rsutils.models.multi_task_network import KINDS, MultiTaskConfig, build
from rsutils.models.multi_task_rows import UNKNOWN, check_labels, click_and_like
from rsutils.models.saving import KerasSaving
from rsutils.training import SliceBatches, fit, penalised

__all__ = [
    "KINDS",
    "UNKNOWN",
    "KnownLabels",
    "MultiTaskConfig",
    "MultiTaskModel",
    "build",
    "click_and_like",
]


class KnownLabels(keras.losses.Loss):
    """The sum over tasks of the binary cross-entropy, in the mean over the rows with a label.

    Args:
        weights: of each task, divided by the share of rows that have a label for it.

    Example:
        >>> loss = KnownLabels((1.0, 2.0))
        >>> labels = np.array([[1, UNKNOWN], [0, 1]], np.float32)
        >>> round(float(loss(labels, np.zeros((2, 2), np.float32))), 4)  # log 2 + log 2
        1.3863
    """

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__(name="known_labels")
        self.weights = np.asarray(weights, np.float32)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Labels and logits, both (batch, n_tasks), to a loss a row."""
        known = keras.ops.cast(y_true >= 0, y_pred.dtype)
        entropy = keras.ops.softplus(y_pred) - y_true * y_pred
        return keras.ops.sum(self.weights * known * entropy, axis=-1)


class MultiTaskModel(KerasSaving):
    """The probability of each of several labels for rows of categorical fields.

    Minimises the sum of the tasks' mean binary cross-entropies, each over the rows that have a
    label for it, by Adam with a falling learning rate, plus l2 / 2 times the squared length of
    every factor.

    Args:
        kind: ``"separate"``, ``"shared_bottom"`` or ``"mmoe"``, see :class:`MultiTaskConfig`.
        dimensions: length of a factor.
        units: of the shared layer, or of each expert.
        experts: how many ``"mmoe"`` has.
        tower: units of each task's own hidden layer.
        dropout: share of a row's factors hidden in training.
        l2: strength of the penalty on factors.
        weights: of each task in the loss; None weighs all alike.
        learning_rate: of Adam at the start; it falls to 0 as a cosine.
        epochs: passes over the rows.
        batch_size: rows a step.
        seed: of the first weights, the order and dropout.
        progress: show a progress bar.

    Attributes:
        model_: the functional Keras model that :func:`build` gives.

    Raises:
        ValueError: an argument is out of its range.
        FloatingPointError: training diverged.

    Example:
        >>> rows = np.array([[0, 2], [0, 3], [1, 2], [1, 3]] * 20, np.int32)
        >>> same = (rows[:, 0] == rows[:, 1] - 2).astype(np.float32)
        >>> labels = np.stack([same, np.where(same, rows[:, 0], UNKNOWN)], axis=1)
        >>> model = MultiTaskModel(learning_rate=0.05, epochs=30, batch_size=16, progress=False)
        >>> model.fit(rows, labels).probability([[0, 2], [1, 3]]).round().tolist()
        [[1.0, 0.0], [1.0, 1.0]]
    """

    learnt_sizes = ("n_features_", "n_fields_", "n_tasks_")

    def __init__(
        self,
        kind: str = "mmoe",
        dimensions: int = 16,
        units: int = 64,
        experts: int = 4,
        tower: int = 16,
        dropout: float = 0.0,
        l2: float = 0.0,
        weights: Sequence[float] | None = None,
        learning_rate: float = 0.005,
        epochs: int = 10,
        batch_size: int = 2048,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; expected one of {', '.join(KINDS)}.")
        check_counts(dimensions=dimensions, units=units, experts=experts, tower=tower)
        check_counts(epochs=epochs, batch_size=batch_size)
        check_positive(learning_rate=learning_rate)
        check_range(0, float("inf"), l2=l2)
        check_range(0, 0.99, dropout=dropout)
        for place, weight in enumerate(weights or ()):
            check_positive(**{f"weights[{place}]": weight})
        self.kind = kind
        self.dimensions = dimensions
        self.units = units
        self.experts = experts
        self.tower = tower
        self.dropout = dropout
        self.l2 = l2
        self.weights = None if weights is None else tuple(weights)
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed
        self.progress = progress

    def config(self) -> MultiTaskConfig:
        """What built ``model_``; pass it to :func:`build` with ``tf_keras`` for the twin."""
        self._check_fitted()
        return MultiTaskConfig(
            self.kind,
            self.n_features_,
            self.n_fields_,
            self.n_tasks_,
            self.dimensions,
            self.units,
            self.experts,
            self.tower,
            self.dropout,
            self.seed,
        )

    def fit(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        n_features: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> Self:
        """Run ``epochs`` passes.

        Args:
            features: (n, n_fields) ids, numbered over all fields.
            labels: (n, n_tasks) of 0, 1, or -1 where a row says nothing of a task.
            n_features: how many ids exist; None for one more than the largest in ``features``.
            callbacks: of Keras; while they run, the model already gives probabilities.

        Raises:
            ValueError: there are no rows, ids or labels are not what was promised, or a task has
                no label at all.
        """
        features, labels = np.asarray(features), np.asarray(labels, np.float32)
        known = check_labels(features, labels)
        self.n_fields_, self.n_tasks_ = features.shape[1], labels.shape[1]
        self.n_features_ = int(features.max()) + 1 if n_features is None else n_features
        features = known_features(features, self.n_fields_, self.n_features_).astype(np.int32)
        weights = self.weights or (1.0,) * self.n_tasks_
        if len(weights) != self.n_tasks_:
            raise ValueError(
                f"weights is {weights}; expected one for each of {self.n_tasks_} tasks."
            )
        self.model_ = build(keras, self.config())
        self._prepare_scoring()
        tables = (each for each in self.model_.layers if isinstance(each, keras.layers.Embedding))
        with penalised(*((table.embeddings, np.float32(self.l2 / 2)) for table in tables)):
            fit(
                self.model_,
                SliceBatches((features, labels), self.batch_size, self.seed),
                KnownLabels(weights / known),
                self.learning_rate,
                self.epochs,
                self.kind if self.progress else None,
                callbacks,
                jit_compile=False,
            )
        return self

    def probability(self, features: np.ndarray) -> np.ndarray:
        """The probability of each task's label 1: (n, n_tasks) float32.

        Raises:
            RuntimeError: the model has not been fitted.
            ValueError: the rows have another number of fields, or an id is unknown.
        """
        self._check_fitted()
        features = known_features(features, self.n_fields_, self.n_features_)
        found = np.empty((len(features), self.n_tasks_), np.float32)
        for start in range(0, len(features), ROWS):
            logits = self._logits(tf.constant(features[start : start + ROWS], tf.int32))
            found[start : start + ROWS] = tf.sigmoid(logits).numpy()
        return found

    def _prepare_scoring(self) -> None:
        self._logits = tf.function(partial(self.model_, training=False), reduce_retracing=True)

    def _check_fitted(self) -> None:
        if not hasattr(self, "n_features_"):
            raise RuntimeError("This MultiTaskModel has learnt nothing yet; call fit first.")
