"""A network over fields with its training: penalties, early stopping, refusal of bad rows."""

from collections.abc import Sequence
from functools import partial
from typing import Self

import keras
import numpy as np
import tensorflow as tf

from rsutils.data.dataset import FieldRows
from rsutils.models.checks import check_counts, check_positive, check_range
from rsutils.models.fields.networks import (
    KINDS,
    WITHOUT_HIDDEN,
    FieldConfig,
    build,
    import_layers_of,
)
from rsutils.models.fields.rows import check_rows, known_features
from rsutils.models.fields.train import train
from rsutils.models.fields.validate import MONITORS
from rsutils.models.saving import KerasSaving

ROWS = 1 << 13
"""Rows that are scored at a time."""


class FieldModel(KerasSaving):
    """The probability of label 1 for rows of categorical fields, by one of the ``KINDS``.

    Minimises the mean binary cross-entropy by Adam with a falling learning rate, plus l2 / 2 times
    the squared length of every factor and l2_weights / 2 times every squared weight of a single
    feature. Neither grows with how often an id occurs, so rare ids are held near 0 and say little.
    Given validation rows, training stops where ``monitor`` has not improved for ``patience``
    epochs, and the best epoch's weights stay.

    Args:
        kind: ``"lr"`` (single features only), ``"fm"``, ``"nfm"``, ``"dnn"``, ``"deepfm"``,
            ``"dnfm"``, ``"dlrm"`` or ``"dcn"``.
        dimensions: length of a factor.
        stddev: standard deviation of the first factors' numbers. Where factors are multiplied, as
            in FM, a gradient is as small as the other factors: with 0.01 and a strong penalty they
            never leave 0.
        hidden: units of each hidden layer; ``"lr"`` and ``"fm"`` have none.
        cross_layers: of ``"dcn"``.
        l2: strength of the penalty on factors.
        l2_weights: strength of the penalty on the weights of single features.
        dropout: share of units hidden in training.
        batch_norm: normalise hidden layers, and the pooled factors of ``"nfm"`` and ``"dnfm"``.
        norm_momentum: share that the running mean and variance keep at each step. Pooled factors
            grow fast in training; with 0.99 what validation sees is normalised by old figures.
        learning_rate: of Adam at the start; it falls to 0 as a cosine.
        epochs: passes over the rows, at most.
        batch_size: rows a step.
        patience: epochs without an improvement on the validation rows before training stops.
        monitor: ``"auc"`` or ``"log_loss"``.
        seed: of the first weights, the order and dropout.
        progress: show a progress bar.

    Attributes:
        model_: the functional Keras model that :func:`build` gives.
        history_: by name, what each epoch came to; with validation rows ``auc`` and ``log_loss``.

    Raises:
        ValueError: an argument is out of its range.
        FloatingPointError: training diverged.

    Example:
        >>> same = np.array([[0, 2], [1, 3]] * 20, np.int32)  # label 1 where both fields agree
        >>> other = np.array([[0, 3], [1, 2]] * 20, np.int32)
        >>> rows = FieldRows(np.concatenate([same, other]), np.repeat(np.float32([1, 0]), 40))
        >>> model = FieldModel("fm", 4, learning_rate=0.1, epochs=60, seed=1, progress=False)
        >>> model.fit(rows).probability([[0, 2], [0, 3]]).round().tolist()
        [1.0, 0.0]
    """

    learnt_sizes = ("n_features_", "n_fields_")

    def __init__(
        self,
        kind: str = "deepfm",
        dimensions: int = 32,
        stddev: float = 0.01,
        hidden: Sequence[int] = (128, 64),
        cross_layers: int = 2,
        l2: float = 0.0,
        l2_weights: float = 0.0,
        dropout: float = 0.0,
        batch_norm: bool = False,
        norm_momentum: float = 0.99,
        learning_rate: float = 0.005,
        epochs: int = 20,
        batch_size: int = 2048,
        patience: int = 3,
        monitor: str = "auc",
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; expected one of {', '.join(KINDS)}.")
        if monitor not in MONITORS:
            raise ValueError(f"monitor is {monitor!r}; expected one of {', '.join(MONITORS)}.")
        if not hidden and kind not in WITHOUT_HIDDEN:
            raise ValueError(f"hidden is {hidden!r}; expected at least one layer for {kind!r}.")
        check_counts(
            dimensions=dimensions,
            cross_layers=cross_layers,
            epochs=epochs,
            batch_size=batch_size,
            patience=patience,
            **{f"hidden[{place}]": units for place, units in enumerate(hidden)},
        )
        check_positive(learning_rate=learning_rate, stddev=stddev)
        check_range(0, float("inf"), l2=l2, l2_weights=l2_weights)
        check_range(0, 0.99, dropout=dropout, norm_momentum=norm_momentum)
        self.kind = kind
        self.dimensions = dimensions
        self.stddev = stddev
        self.hidden = tuple(hidden)
        self.cross_layers = cross_layers
        self.l2 = l2
        self.l2_weights = l2_weights
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.norm_momentum = norm_momentum
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.monitor = monitor
        self.seed = seed
        self.progress = progress

    def config(self) -> FieldConfig:
        """What built ``model_``; pass it to :func:`build` with ``tf_keras`` for the twin."""
        self._check_fitted()
        return FieldConfig(
            self.kind,
            self.n_features_,
            self.n_fields_,
            self.dimensions,
            self.stddev,
            self.hidden,
            self.cross_layers,
            self.batch_norm,
            self.norm_momentum,
            self.dropout,
            self.seed,
        )

    def fit(
        self,
        rows: FieldRows,
        validation: FieldRows | None = None,
        n_features: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> Self:
        """Learn from ``rows``.

        ``callbacks`` go to Keras; while they run, the model already gives probabilities. A run
        that ``BackupAndRestore`` continues knows no best epoch from before the interruption.

        Args:
            rows: what to learn from; labels may lie between 0 and 1.
            validation: what stops training; None runs all epochs.
            n_features: how many ids exist; None for one more than the largest in ``rows``.
            callbacks: of Keras.

        Raises:
            ValueError: there are no rows, or their ids or labels are not what was promised.
        """
        check_rows(rows, soft=True)
        self.n_fields_ = rows.features.shape[1]
        self.n_features_ = int(rows.features.max()) + 1 if n_features is None else n_features
        self._known(rows.features)
        if validation is not None:
            self._check(validation)
        self.model_ = build(keras, self.config())
        self._prepare_scoring()
        self.history_ = train(self, rows, validation, self.learning_rate, self.epochs, callbacks)
        return self

    def refine(
        self,
        rows: FieldRows,
        learning_rate: float,
        epochs: int,
        validation: FieldRows | None = None,
        start_from_epoch: int = 0,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> Self:
        """Go on training ``model_`` from the weights that it has, such as while it is pruned.

        Args:
            rows: those of ``fit``.
            learning_rate: at the start; it falls to 0 as a cosine.
            epochs: passes over the rows, at most.
            validation: what stops training; None runs all epochs.
            start_from_epoch: epochs before this one do not count as the best one. A model that
                is still being pruned is better than it will be.
            callbacks: of Keras.

        Raises:
            RuntimeError: the model has not been fitted.
            ValueError: an argument is out of its range, or rows are not like those of ``fit``.
            FloatingPointError: training diverged.
        """
        check_positive(learning_rate=learning_rate)
        check_counts(epochs=epochs)
        self._check_fitted()
        check_rows(rows, soft=True)
        self._known(rows.features)
        if validation is not None:
            self._check(validation)
        self.history_ = train(
            self, rows, validation, learning_rate, epochs, callbacks, start_from_epoch
        )
        return self

    def _check(self, rows: FieldRows) -> None:
        check_rows(rows)
        self._known(rows.features)

    def probability(self, features: np.ndarray) -> np.ndarray:
        """The probability of label 1 for each row of (n, n_fields) ids: (n,) float32.

        Raises:
            RuntimeError: the model has not been fitted.
            ValueError: the rows have another number of fields, or an id is unknown.
        """
        self._check_fitted()
        features = self._known(features)
        found = np.empty(len(features), np.float32)
        for start in range(0, len(features), ROWS):
            logits = self._logits(tf.constant(features[start : start + ROWS], tf.int32))
            found[start : start + ROWS] = tf.sigmoid(logits).numpy()[:, 0]
        return found

    def _register_layers(self) -> None:
        import_layers_of(self.kind)

    def _prepare_scoring(self) -> None:
        self._logits = tf.function(partial(self.model_, training=False), reduce_retracing=True)

    def _check_fitted(self) -> None:
        if not hasattr(self, "n_features_"):
            raise RuntimeError("This FieldModel has learnt nothing yet; call fit(rows) first.")

    def _known(self, features: np.ndarray) -> np.ndarray:
        """``features`` as an array of ids that this model has a row for."""
        return known_features(features, self.n_fields_, self.n_features_)
