"""A recommender whose network scores one pair of user and item at a time."""

from functools import partial

import numpy as np
import tensorflow as tf

from rsutils.models.base import Recommender
from rsutils.models.pairs import scores_of_pairs
from rsutils.models.saving import KerasSaving


class PairRecommender(KerasSaving, Recommender):
    """Scores by ``model_``, from ``{"user": (n,), "item": (n,)}`` int32 to (n, 1) logits.

    Users without a history get popularity.

    Attributes:
        popularity_: (n_items,) float32, scores of users without a history.
        cold_: (n_users,) bool, which users these are.
    """

    learnt_arrays = ("popularity_", "cold_")
    popularity_: np.ndarray
    cold_: np.ndarray

    def _prepare_scoring(self) -> None:
        self._logits = tf.function(partial(self.model_, training=False))

    def scores(self, users: np.ndarray) -> np.ndarray:
        """The logit of every pair: (len(users), n_items) float32."""
        users = self._known_users(users)
        scores = scores_of_pairs(
            users,
            self.n_items_,
            lambda user, item: self._logits({"user": user, "item": item}).numpy(),
        )
        scores[self.cold_[users]] = self.popularity_
        return scores
