"""The one protocol: every model answers ``fit``, ``scores`` and ``recommend``."""

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from scipy import sparse

from rsutils.data.interactions import Interactions

NOTHING = -1
"""Stands in a recommendation list where fewer than k items were left to recommend."""


class Recommender(ABC):
    """A recommender over numbered users and items.

    What a model learns stands in attributes that end in an underscore, and exists after ``fit``.

    Attributes:
        n_users_: how many users the model knows.
        n_items_: how many items the model scores.
    """

    @abstractmethod
    def fit(self, interactions: Interactions) -> Self:
        """Learn from ``interactions`` and return the model itself.

        Raises:
            ValueError: ``interactions`` is empty.
        """

    @abstractmethod
    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores of every item for each of ``users``: (len(users), n_items) float32.

        Raises:
            IndexError: a user is unknown to the model.
            RuntimeError: the model has not been fitted.
        """

    def recommend(
        self,
        users: np.ndarray,
        k: int = 10,
        exclude: Interactions | sparse.csr_matrix | None = None,
    ) -> np.ndarray:
        """The k best items for each of ``users``, best first: (len(users), k) int32.

        Items that a user has in ``exclude`` are left out. Where fewer than k remain, the list is
        filled up with -1. A service that asks for one user at a time passes ``exclude`` as the
        matrix that ``Interactions.to_csr`` builds: then only that user's row is read.

        Raises:
            ValueError: ``k`` is not positive, or ``exclude`` is about other users or items.
            IndexError: a user is unknown to the model.
        """
        if k < 1:
            raise ValueError(f"k is {k}; expected at least 1.")
        users = np.asarray(users)
        scores = np.array(self.scores(users), np.float32)
        if exclude is not None and len(users):
            seen = _rows_of(exclude, users, n_items=scores.shape[1]).tocoo()
            scores[seen.row, seen.col] = -np.inf
        return top_k(scores, k)

    def _start_fit(self, interactions: Interactions) -> None:
        """Refuse an empty table and note the sizes."""
        if not len(interactions):
            raise ValueError(
                f"{type(self).__name__}.fit got no interactions; expected at least one. "
                "Check the filter or split that made the table."
            )
        self.n_users_ = interactions.n_users
        self.n_items_ = interactions.n_items

    def _known_users(self, users: np.ndarray) -> np.ndarray:
        """``users`` as an array of ids that this model has a row for."""
        if not hasattr(self, "n_users_"):
            name = type(self).__name__
            raise RuntimeError(f"This {name} has learnt nothing yet; call fit(interactions) first.")
        users = np.asarray(users)
        if users.ndim != 1 or (len(users) and users.dtype.kind not in "iu"):
            raise ValueError(
                f"users has shape {users.shape} and type {users.dtype}; "
                "expected a flat array of whole numbers."
            )
        unknown = (users < 0) | (users >= self.n_users_)
        if unknown.any():
            raise IndexError(
                f"User {users[unknown][0]} is unknown; this model was fitted on users "
                f"0 to {self.n_users_ - 1}."
            )
        return users.astype(np.intp)


def _rows_of(
    exclude: Interactions | sparse.csr_matrix, users: np.ndarray, n_items: int
) -> sparse.csr_matrix:
    """The rows of ``exclude`` for ``users``, without building the whole matrix for a few."""
    is_table = isinstance(exclude, Interactions)
    shape = (exclude.n_users, exclude.n_items) if is_table else exclude.shape
    if shape[1] != n_items or users.max() >= shape[0]:
        raise ValueError(
            f"exclude covers {shape[0]} users and {shape[1]} items; expected {n_items} items and "
            f"more than {users.max()} users. Exclude what the model was fitted on."
        )
    if is_table:
        wanted = np.zeros(shape[0], bool)
        wanted[users] = True
        exclude = exclude.take(np.flatnonzero(wanted[exclude.user])).to_csr()
    return exclude[users]


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
    best = np.full((n, k), NOTHING, np.int32)
    if not width:
        return best
    edge = np.partition(scores, m - width, axis=1)[:, m - width, None]
    for row, places in enumerate(scores >= edge):
        at_least = np.flatnonzero(places)
        order = at_least[np.argsort(-scores[row, at_least], kind="stable")[:width]]
        best[row, :width] = np.where(np.isneginf(scores[row, order]), NOTHING, order)
    return best
