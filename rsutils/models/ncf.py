"""Neural collaborative filtering: GMF, MLP and NeuMF, trained on sampled negatives."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

import keras
import numpy as np

from rsutils.data.interactions import Interactions
from rsutils.models.checks import check_counts, check_positive, check_range
from rsutils.models.ncf_network import NCFConfig, build
from rsutils.models.pair_recommender import PairRecommender
from rsutils.models.popularity import item_counts
from rsutils.training import PairPrediction, SliceBatches, fit, penalised

STEPS = 8
"""Batches that TensorFlow runs through before Python is asked again."""


class NCF(PairRecommender):
    """Is this pair taken? A probability from two factors, by a product, hidden layers, or both.

    Minimises the binary cross-entropy of the observed pairs and of ``negatives`` pairs for each,
    drawn anew in every epoch among the items that the user does not have (He et al. 2017, "Neural
    collaborative filtering", eq. 7), by Adam with a falling learning rate. ``hidden=()`` is GMF,
    ``gmf_dimensions=0`` the MLP, both together NeuMF.

    Args:
        gmf_dimensions: length of the factors that are multiplied.
        mlp_dimensions: length of the factors that enter the hidden layers.
        hidden: units of each hidden layer.
        l2: strength of the regularisation of all factors, for each pair that they are part of.
        dropout: share of units hidden before each hidden layer in training.
        negatives: pairs drawn for each observed one.
        learning_rate: of Adam at the start; it falls to 0 as a cosine.
        epochs: passes over the interactions.
        batch_size: observed pairs a step.
        seed: of the first weights, the order, the negatives and dropout.
        progress: show a progress bar.

    Attributes:
        model_: the functional Keras model that :func:`build` gives.
        popularity_: (n_items,) float32, scores of users without a history.
        cold_: (n_users,) bool, which users these are.

    Raises:
        ValueError: an argument is out of its range, or there is neither branch.
        FloatingPointError: training diverged.

    Example:
        >>> log = Interactions.of(user=[0, 0, 1, 1, 2, 2], item=[0, 1, 0, 1, 2, 3])
        >>> model = NCF(8, hidden=(), learning_rate=0.1, epochs=60, progress=False).fit(log)
        >>> sorted(model.recommend([2], k=2)[0].tolist())
        [2, 3]
    """

    def __init__(
        self,
        gmf_dimensions: int = 64,
        mlp_dimensions: int = 32,
        hidden: Sequence[int] = (64, 32, 16),
        l2: float = 0.0,
        dropout: float = 0.0,
        negatives: int = 4,
        learning_rate: float = 0.002,
        epochs: int = 20,
        batch_size: int = 2048,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        check_counts(
            mlp_dimensions=mlp_dimensions,
            negatives=negatives,
            epochs=epochs,
            batch_size=batch_size,
            **{f"hidden[{place}]": units for place, units in enumerate(hidden)},
        )
        check_positive(learning_rate=learning_rate)
        check_range(0, np.inf, l2=l2)
        check_range(0, 0.99, dropout=dropout)
        if gmf_dimensions or not hidden:
            check_counts(gmf_dimensions=gmf_dimensions)
        self.gmf_dimensions = gmf_dimensions
        self.mlp_dimensions = mlp_dimensions
        self.hidden = tuple(hidden)
        self.l2 = l2
        self.dropout = dropout
        self.negatives = negatives
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed
        self.progress = progress

    def config(self) -> NCFConfig:
        """What built ``model_``; pass it to :func:`build` with ``tf_keras`` for the twin."""
        self._known_users([])
        return NCFConfig(
            self.n_users_,
            self.n_items_,
            self.gmf_dimensions,
            self.mlp_dimensions,
            self.hidden,
            self.dropout,
            self.seed,
        )

    def fit(
        self, interactions: Interactions, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> Self:
        """Run ``epochs`` passes; repeated pairs count as often as they occur.

        ``callbacks`` go to Keras; while they run, the model already gives scores.
        """
        self._start_fit(interactions)
        self.model_ = build(keras, self.config())
        self._prepare_scoring()
        self.cold_ = np.bincount(interactions.user, minlength=self.n_users_) == 0
        self.popularity_ = item_counts(interactions) / np.float32(len(interactions))
        return self._train(interactions, self.learning_rate, self.epochs, callbacks)

    def refine(
        self,
        interactions: Interactions,
        learning_rate: float,
        epochs: int,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> Self:
        """Go on training ``model_`` from the weights that it has, such as while it is pruned.

        Args:
            interactions: those of ``fit``.
            learning_rate: at the start; it falls to 0 as a cosine.
            epochs: passes over the interactions.
            callbacks: of Keras.

        Raises:
            RuntimeError: the model has not been fitted.
            ValueError: an argument is out of its range, or there are other users or items.
            FloatingPointError: training diverged.
        """
        check_positive(learning_rate=learning_rate)
        check_counts(epochs=epochs)
        self._known_users([])
        found = interactions.n_users, interactions.n_items
        if found != (self.n_users_, self.n_items_):
            raise ValueError(
                f"There are {found[0]} users and {found[1]} items; expected {self.n_users_} and "
                f"{self.n_items_}, as in fit."
            )
        return self._train(interactions, learning_rate, epochs, callbacks)

    def _train(
        self,
        interactions: Interactions,
        learning_rate: float,
        epochs: int,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> Self:
        pairs = {"user": interactions.user, "item": interactions.item}
        batches = SliceBatches(pairs, self.batch_size, self.seed)
        with self._penalty(self.model_, interactions):
            fit(
                PairPrediction(self.model_, interactions, self.negatives, self.seed),
                batches,
                None,
                learning_rate,
                epochs,
                "NCF" if self.progress else None,
                callbacks,
                jit_compile=False,
                steps_per_execution=min(STEPS, len(batches)),
            )
        return self

    def _penalty(self, model: Any, interactions: Interactions) -> AbstractContextManager[None]:
        """l2 / 2 times a factor's squared length, in the mean over observed and drawn pairs.

        Drawn pairs are spread evenly over the items, so each item counts in as many as the others.
        """
        n = len(interactions)
        drawn = self.negatives * n / self.n_items_
        pairs = {
            "user": (1 + self.negatives) * np.bincount(interactions.user, minlength=self.n_users_),
            "item": drawn + np.bincount(interactions.item, minlength=self.n_items_),
        }
        weight = {name: self.l2 / 2 / n / (1 + self.negatives) * c for name, c in pairs.items()}
        tables = [layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)]
        return penalised(
            *((t.embeddings, weight[t.name.rpartition("_")[2]][:, None]) for t in tables)
        )
