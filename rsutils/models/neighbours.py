"""Item-based nearest neighbours: people who took this also took that."""

import numpy as np
from scipy import sparse

from rsutils.models.base import top_k
from rsutils.models.checks import check_counts, check_range
from rsutils.models.history import HistoryRecommender

BLOCK = 1024
"""Rows of the similarity matrix that are dense at a time."""


class ItemNeighbours(HistoryRecommender):
    """Scores an item by its similarity to the items of the user's history.

    The cosine of two items is c_ij / sqrt(c_i c_j), where c_ij users took both. ``shrinkage`` is
    added to the denominator, so that pairs seen a few times count for less (Deshpande and Karypis
    2004, "Item-based top-N recommendation algorithms", section 4, and Bell and Koren 2007).

    Args:
        neighbours: how many similar items each item keeps.
        shrinkage: added to the denominator, in users.

    Attributes:
        similarity_: (n_items, n_items) csr float32; row i holds item i's neighbours.

    Raises:
        ValueError: ``neighbours`` is below 1 or ``shrinkage`` below 0.

    Example:
        >>> from rsutils.data.interactions import Interactions
        >>> log = Interactions.of(user=[0, 0, 1, 1, 2], item=[0, 1, 0, 1, 2])
        >>> ItemNeighbours(shrinkage=0).fit(log).similarity_.toarray().round(3)
        array([[0., 1., 0.],
               [1., 0., 0.],
               [0., 0., 0.]], dtype=float32)
    """

    def __init__(self, neighbours: int = 100, shrinkage: float = 10.0) -> None:
        check_counts(neighbours=neighbours)
        check_range(0, np.inf, shrinkage=shrinkage)
        self.neighbours = neighbours
        self.shrinkage = shrinkage

    def _learn(self, history: sparse.csr_matrix) -> None:
        self.similarity_ = cosine_neighbours(history, self.neighbours, self.shrinkage)

    def _score(self, history: sparse.csr_matrix) -> np.ndarray:
        return (history @ self.similarity_).toarray()


def cosine_neighbours(
    history: sparse.csr_matrix, neighbours: int, shrinkage: float
) -> sparse.csr_matrix:
    """Each item's most similar items by shrunk cosine; no item is its own neighbour.

    Args:
        history: (n_users, n_items) of ones.
        neighbours: how many to keep in each row.
        shrinkage: added to the denominator.

    Returns:
        (n_items, n_items) csr float32 with at most ``neighbours`` entries a row.
    """
    users_of = history.T.tocsr()
    norm = np.sqrt(np.diff(users_of.indptr)).astype(np.float32)
    blocks = []
    for start in range(0, len(norm), BLOCK):
        rows = slice(start, start + BLOCK)
        similar = (users_of[rows] @ history).toarray()
        similar /= np.maximum(norm[rows, None] * norm + np.float32(shrinkage), 1e-9)
        np.fill_diagonal(similar[:, start:], 0.0)
        similar[similar == 0] = -np.inf
        best = top_k(similar, neighbours)
        row, place = np.nonzero(best >= 0)
        column = best[row, place]
        blocks.append(sparse.csr_matrix((similar[row, column], (row, column)), shape=similar.shape))
    return sparse.vstack(blocks, format="csr")
