"""Orders of all items that need no ranker: by popularity, and by likeness to one item."""

import numpy as np

from rsutils.models.base import NOTHING, top_k


class PopularItems:
    """The last resort: what most people took.

    Args:
        popularity: (n_items,).
    """

    def __init__(self, popularity: np.ndarray) -> None:
        self.popularity = popularity
        self._order = np.argsort(-popularity, kind="stable")

    def best(
        self, k: int, hidden: np.ndarray, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """At most k items and their popularity, best first.

        Args:
            k: how many.
            hidden: item numbers that are left out.
            allowed: (n_items,) bool; None for all.

        Example:
            >>> PopularItems(np.array([0.2, 0.5, 0.3])).best(2, hidden=np.array([1]), allowed=None)
            (array([2, 0]), array([0.3, 0.2]))
        """
        shown = np.ones(len(self._order), bool) if allowed is None else allowed.copy()
        shown[hidden] = False
        items = self._order[shown[self._order]][:k]
        return items, self.popularity[items]


class SimilarItems:
    """Items whose factors point in the same direction.

    The cosine, and not the inner product, since long factors belong to what is popular: it would
    be like everything.

    Args:
        factors: (n_items, d) float32.
    """

    def __init__(self, factors: np.ndarray) -> None:
        lengths = np.linalg.norm(factors, axis=1, keepdims=True)
        self._directions = np.asarray(factors) / np.maximum(lengths, np.float32(1e-12))

    def nearest(
        self, item: int, k: int, hidden: np.ndarray, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """At most k items other than ``item`` and their cosines, best first.

        Args:
            item: its number.
            k: how many.
            hidden: item numbers that are left out.
            allowed: (n_items,) bool; None for all.

        Example:
            >>> similar = SimilarItems(np.float32([[1, 0], [2, 1], [0, 1]]))
            >>> similar.nearest(0, 2, hidden=np.array([], int), allowed=None)[0].tolist()
            [1, 2]
        """
        scores = self._directions @ self._directions[item]
        if allowed is not None:
            scores[~allowed] = -np.inf
        scores[hidden] = scores[item] = -np.inf
        items = top_k(scores[None], k)[0]
        items = items[items != NOTHING]
        return items, scores[items]
