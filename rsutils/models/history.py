"""What EASE, item neighbours and iALS share: a user is the set of items in their history."""

from abc import abstractmethod
from typing import Self

import numpy as np
from scipy import sparse

from rsutils.data.interactions import Interactions
from rsutils.models.base import Recommender
from rsutils.models.popularity import item_counts


class HistoryRecommender(Recommender):
    """Scores a history of items, so that a new history needs no refit.

    A user without a history gets every item's share of all interactions: popularity.

    Attributes:
        history_: (n_users, n_items) csr float32 of ones, what each user took.
        popularity_: (n_items,) float32, each item's share of the interactions; sums to one.
    """

    history_: sparse.csr_matrix
    popularity_: np.ndarray

    def fit(self, interactions: Interactions) -> Self:
        """Learn from who took what; repeated pairs count once."""
        self._start_fit(interactions)
        self.history_ = interactions.to_csr()
        self.popularity_ = item_counts(interactions) / np.float32(len(interactions))
        self._learn(self.history_)
        return self

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores of every item for each of ``users``: (len(users), n_items) float32."""
        users = self._known_users(users)
        return self.scores_for_history(self.history_[users])

    def scores_for_history(self, history: sparse.csr_matrix) -> np.ndarray:
        """Scores for histories that need not belong to known users.

        Args:
            history: (n, n_items), one for each item taken.

        Returns:
            (n, n_items) float32.

        Raises:
            ValueError: the history is over another number of items.
        """
        self._known_users([])
        history = sparse.csr_matrix(history, dtype=np.float32)
        if history.shape[1] != self.n_items_:
            raise ValueError(
                f"The history covers {history.shape[1]} items; expected {self.n_items_}, "
                "as the model was fitted."
            )
        return self._with_cold_users(self._score(history), history)

    def _with_cold_users(self, scores: np.ndarray, history: sparse.csr_matrix) -> np.ndarray:
        """``scores`` with popularity in the rows that have no history."""
        scores[np.diff(history.indptr) == 0] = self.popularity_
        return scores

    @abstractmethod
    def _learn(self, history: sparse.csr_matrix) -> None:
        """Learn from the (n_users, n_items) matrix of ones."""

    @abstractmethod
    def _score(self, history: sparse.csr_matrix) -> np.ndarray:
        """Scores for histories: (n, n_items) float32, free to be overwritten."""
