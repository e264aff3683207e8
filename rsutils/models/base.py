"""The one protocol: every model answers ``fit``, ``scores`` and ``recommend``."""

from abc import ABC, abstractmethod
from typing import Self

import numpy as np

from rsutils.data.interactions import Interactions

NOTHING = -1
"""Stands in a recommendation list where fewer than k items were left to recommend."""


class Recommender(ABC):
    """A recommender over numbered users and items."""

    @abstractmethod
    def fit(self, interactions: Interactions) -> Self:
        """Learn from ``interactions`` and return the model itself."""

    @abstractmethod
    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores of every item for each of ``users``: (len(users), n_items) float32."""

    def recommend(
        self, users: np.ndarray, k: int = 10, exclude: Interactions | None = None
    ) -> np.ndarray:
        """The k best items for each of ``users``, best first: (len(users), k) int32.

        Items that a user has in ``exclude`` are left out. Where fewer than k remain, the list is
        filled up with -1.

        Raises:
            ValueError: ``k`` is not positive.
            IndexError: a user is unknown to the model.
        """
        if k < 1:
            raise ValueError(f"k is {k}; expected at least 1.")
        users = np.asarray(users)
        scores = np.array(self.scores(users), np.float32)
        if exclude is not None:
            seen = exclude.to_csr()[users].tocoo()
            scores[seen.row, seen.col] = -np.inf
        return top_k(scores, k)


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """Positions of each row's k largest scores, best first; equal scores in order of position.

    A score of minus infinity is never chosen: -1 stands in its place.

    Args:
        scores: (n, m) floats without NaN.
        k: list length; positions beyond m are filled with -1.

    Returns:
        (n, k) int32.

    Example:
        >>> top_k(np.array([[0.1, 0.9, -np.inf, 0.5]]), k=4)
        array([[ 1,  3,  0, -1]], dtype=int32)
    """
    n, m = scores.shape
    width = min(k, m)
    if width < m:
        edge = -np.partition(-scores, width - 1, axis=1)[:, width - 1 : width]
        candidates = [np.flatnonzero(row) for row in scores >= edge]
    else:
        candidates = [np.arange(m)] * n
    best = np.full((n, k), NOTHING, np.int32)
    for row, places in enumerate(candidates):
        order = places[np.argsort(-scores[row, places], kind="stable")[:width]]
        best[row, :width] = np.where(np.isneginf(scores[row, order]), NOTHING, order)
    return best
