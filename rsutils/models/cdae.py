"""Collaborative denoising autoencoder: a history with gaps in, the whole history out."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Self

import keras
import numpy as np
from scipy import sparse

from rsutils.data.interactions import Interactions
from rsutils.models.base import Recommender
from rsutils.models.checks import check_counts, check_positive, check_range
from rsutils.models.popularity import item_counts
from rsutils.models.saving import KerasSaving
from rsutils.models.softmax_cf import UserBatches, frequency_weights
from rsutils.training import fit, penalised


@dataclass(frozen=True)
class CDAEConfig:
    """What :func:`build` needs to know.

    Attributes:
        n_users: rows of the user table.
        n_items: inputs and outputs.
        dimensions: length of the hidden vector.
        dropout: share of a history hidden in training.
        seed: of the first weights and of dropout.
    """

    n_users: int
    n_items: int
    dimensions: int
    dropout: float = 0.0
    seed: int = 0


def build(K: ModuleType, config: CDAEConfig) -> Any:
    """The logit of every item, from a user and their history (Wu et al. 2016, section 3.1).

    z = W x / ||x|| + u, with x the history with gaps and u the user's own vector; the logits
    are V z + b. The hidden layer is linear, one of the paper's two choices.

    Args:
        K: ``keras``, or ``tf_keras`` for the twin that tfmot works on.
        config: sizes, dropout and the seed.

    Returns:
        A functional model from ``{"user": (batch,) int32, "history": (batch, n_items) float32}``
        to (batch, n_items) float32 logits; their sigmoid is the probability.
    """
    user = K.Input((), dtype="int32", name="user")
    history = K.Input((config.n_items,), name="history")
    own = K.layers.Embedding(
        config.n_users,
        config.dimensions,
        embeddings_initializer=K.initializers.RandomNormal(stddev=0.1, seed=config.seed),
        name="user_factors",
    )(user)
    unit = K.layers.UnitNormalization(name="unit")(history)
    gaps = K.layers.Dropout(config.dropout, seed=config.seed + 1, name="gaps")(unit)
    encoded = K.layers.Dense(
        config.dimensions,
        use_bias=False,
        kernel_initializer=K.initializers.HeNormal(seed=config.seed + 2),
        name="encoder",
    )(gaps)
    hidden = K.layers.Add(name="hidden")([encoded, own])
    logits = K.layers.Dense(
        config.n_items,
        kernel_initializer=K.initializers.RandomNormal(stddev=0.05, seed=config.seed + 3),
        name="decoder",
    )(hidden)
    return K.Model({"user": user, "history": history}, logits, name="cdae")


class CDAE(KerasSaving, Recommender):
    """Matrix factorization whose user factor is partly read off the user's history.

    Wu et al. 2016, "Collaborative denoising auto-encoders for top-N recommender systems", WSDM.
    In training half of a history is hidden and the whole of it has to be found: each user is seen
    through many gaps, so little is learnt by heart. Minimises the binary cross-entropy over **all**
    items, the unobserved ones weighted by ``unobserved_weight``, plus a penalty on factors that
    grows with their number of interactions as ``SoftmaxCF``'s does. Nothing is sampled.

    Args:
        dimensions: length of the hidden vector.
        dropout: share of a history hidden in training.
        unobserved_weight: weight of an unobserved pair in the loss, beside 1 for an observed one.
        l2: strength of the regularisation.
        learning_rate: of Adam at the start; it falls to 0 as a cosine.
        epochs: passes over the users.
        batch_size: users a step.
        seed: of the first weights, the order and dropout.
        progress: show a progress bar.

    Attributes:
        model_: the functional Keras model that :func:`build` gives.
        items_, start_: the histories: user u has ``items_[start_[u] : start_[u + 1]]``.

    Raises:
        ValueError: an argument is out of its range.
        FloatingPointError: training diverged.

    Example:
        >>> log = Interactions.of(user=[0, 0, 1, 1, 2, 2], item=[0, 1, 0, 1, 2, 3])
        >>> model = CDAE(dimensions=4, learning_rate=0.1, epochs=30, progress=False).fit(log)
        >>> sorted(model.recommend([2], k=2)[0].tolist())
        [2, 3]
    """

    learnt_arrays = ("items_", "start_")

    def __init__(
        self,
        dimensions: int = 256,
        dropout: float = 0.5,
        unobserved_weight: float = 0.4,
        l2: float = 0.03,
        learning_rate: float = 0.01,
        epochs: int = 20,
        batch_size: int = 256,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        check_counts(dimensions=dimensions, epochs=epochs, batch_size=batch_size)
        check_positive(learning_rate=learning_rate, unobserved_weight=unobserved_weight)
        check_range(0, np.inf, l2=l2)
        check_range(0, 0.99, dropout=dropout)
        self.dimensions = dimensions
        self.dropout = dropout
        self.unobserved_weight = unobserved_weight
        self.l2 = l2
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed
        self.progress = progress

    def config(self) -> CDAEConfig:
        """What built ``model_``; pass it to :func:`build` with ``tf_keras`` for the twin."""
        self._known_users([])
        return CDAEConfig(self.n_users_, self.n_items_, self.dimensions, self.dropout, self.seed)

    @property
    def history_(self) -> sparse.csr_matrix:
        """What each user took: (n_users, n_items) csr float32 of ones."""
        ones = np.ones(len(self.items_), np.float32)
        return sparse.csr_matrix((ones, self.items_, self.start_), (self.n_users_, self.n_items_))

    def fit(
        self, interactions: Interactions, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> Self:
        """Run ``epochs`` passes; repeated pairs count once.

        ``callbacks`` go to Keras; while they run, the model already gives scores.
        """
        self._start_fit(interactions)
        history = interactions.to_csr()
        self.items_, self.start_ = history.indices, history.indptr
        batches = HistoryBatches(history, self.batch_size, self.seed)
        self.model_ = model = build(keras, self.config())
        count = item_counts(interactions)
        others = self.unobserved_weight * (self.n_users_ - count)
        model.get_layer("decoder").bias.assign(np.log((count + 1) / (others + 1)))
        with self._penalty(model, history):
            fit(
                model,
                batches,
                AllItems(self.unobserved_weight, history.nnz / len(batches.users)),
                self.learning_rate,
                self.epochs,
                "CDAE" if self.progress else None,
                callbacks,
                jit_compile=False,
            )
        # Only the biases rank for a user without a history.
        own = model.get_layer("user_factors").embeddings
        own.assign(own * (np.diff(history.indptr) > 0)[:, None])
        return self

    def _penalty(self, model: Any, history: sparse.csr_matrix) -> AbstractContextManager[None]:
        """l2 / 2 (||u||² + ||v||² + ||w||²) in the mean over interactions, and items once more."""
        user, item = frequency_weights(history, self.l2)
        return penalised(
            (model.get_layer("user_factors").embeddings, user),
            (model.get_layer("decoder").kernel, item.T),
            (model.get_layer("encoder").kernel, item),
        )

    def scores(self, users: np.ndarray) -> np.ndarray:
        """The logits of the Keras model: (len(users), n_items) float32."""
        users = self._known_users(users)
        if not len(users):  # Keras' Add fails on an empty batch.
            return np.empty((0, self.n_items_), np.float32)
        given = {"user": users.astype(np.int32), "history": self.history_[users].toarray()}
        return keras.ops.convert_to_numpy(self.model_(given, training=False))


class HistoryBatches(UserBatches):
    """Mini-batches of users with their histories, which are also what has to be found."""

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        users = self.users[index * self.batch_size : (index + 1) * self.batch_size]
        history = self.history[users].toarray()
        return {"user": users, "history": history}, history


class AllItems(keras.losses.Loss):
    """Binary cross-entropy of every item, summed over the items, in the mean over interactions.

    Args:
        unobserved_weight: weight of a pair that was not observed, beside 1.
        interactions: how many the mean user has.

    Example:
        >>> loss = AllItems(unobserved_weight=0.5, interactions=2)
        >>> round(float(loss(np.array([[1.0, 0.0]]), np.zeros((1, 2)))), 4)  # 3/4 log 2
        0.5199
    """

    def __init__(self, unobserved_weight: float, interactions: float) -> None:
        super().__init__(name="all_items")
        self.unobserved_weight = unobserved_weight
        self.interactions = interactions

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Observed or not and logits, both (batch, n_items), to a loss a user."""
        observed = y_true * keras.ops.softplus(-y_pred)
        other = self.unobserved_weight * (1 - y_true) * keras.ops.softplus(y_pred)
        return keras.ops.sum(observed + other, axis=-1) / self.interactions
