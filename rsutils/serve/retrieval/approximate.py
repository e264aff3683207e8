"""What both approximate indexes share: filters, and an exact search where they would fail."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import faiss
import numpy as np

from rsutils.serve.retrieval.base import ItemIndex
from rsutils.serve.retrieval.exact import ExactIndex


class ApproximateIndex(ItemIndex):
    """A faiss index over the rows of an exact one, in the same order.

    Of few allowed items an approximate search finds too few, or takes long: it goes where the best
    items are, allowed or not. Up to a share of ``exact_share`` allowed, and for every query that
    got fewer than k, the exact index answers. What is blocked for a query is asked for beside the
    k, and dropped: a set that a walk looks into at each step finds no more. A search runs in one
    thread.

    Attributes:
        exact: the same items, searched exactly.
        exact_share: share of allowed items up to which a search is exact. On the factors that
            ``benchmarks.retrieval`` searches, the exact search is about as fast there, or finds
            clearly more.
    """

    exact_share: float

    def __init__(self, index: faiss.Index, exact: ExactIndex, settings: dict[str, Any]) -> None:
        """An index that was built or read; ``build`` builds one."""
        self.exact, self.settings = exact, settings
        self._index = index

    @property
    def n_items(self) -> int:
        """How many items are indexed."""
        return self.exact.n_items

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self.exact.dimensions

    def vectors(self, items: np.ndarray) -> np.ndarray:
        """The vectors of some items, as the index keeps them: (len(items), d) float32."""
        return self.exact.vectors(items)

    @abstractmethod
    def _nearest(
        self,
        queries: np.ndarray,
        k: int,
        more: int,
        selector: faiss.IDSelector | None,
        share: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores of about the best k + more; rows are -1 where there are fewer.

        Args:
            queries: (n, d) float32.
            k: how many are wanted.
            more: how many are found beside, and may turn out to be blocked.
            selector: what is allowed, by row; None for all.
            share: of the items that are allowed.
        """

    def _search(
        self,
        queries: np.ndarray,
        k: int,
        allowed: np.ndarray | None,
        blocked: list[np.ndarray] | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        share = 1.0 if allowed is None else np.count_nonzero(allowed) / self.n_items
        if share <= self.exact_share:
            return self.exact._search(queries, k, allowed, blocked)
        selector = self._selector(allowed)
        with faiss_threads(1):
            if blocked is None:
                ids, scores = self._found(queries, k, 0, selector, share)
            else:
                ids, scores = (
                    np.empty((len(queries), k), np.int32),
                    np.empty((len(queries), k), "f4"),
                )
                for at, taken in enumerate(blocked):
                    more = min(len(taken), self.n_items - k)
                    found = self._found(queries[at : at + 1], k, more, selector, share)
                    ids[at], scores[at] = _without(*found, taken, k)
        if (missing := ids < 0).any():
            short = np.flatnonzero(missing.any(axis=1))
            lists = blocked and [blocked[query] for query in short]
            ids[short], scores[short] = self.exact._search(queries[short], k, allowed, lists)
        return ids, scores

    def _found(
        self,
        queries: np.ndarray,
        k: int,
        more: int,
        selector: faiss.IDSelector | None,
        share: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        rows, scores = self._nearest(queries, k, more, selector, share)
        ids = self.exact.order[rows]
        if (missing := rows < 0).any():
            ids[missing], scores[missing] = -1, -np.inf
        return ids, scores

    def _selector(self, allowed: np.ndarray | None) -> faiss.IDSelector | None:
        if allowed is None:
            return None
        return faiss.IDSelectorBitmap(np.packbits(allowed[self.exact.order], bitorder="little"))


def _without(
    ids: np.ndarray, scores: np.ndarray, taken: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first k of one list, (1, n), that are not taken."""
    left, left_scores = np.full(k, -1, np.int32), np.full(k, -np.inf, np.float32)
    first = np.flatnonzero(~np.isin(ids[0], taken) & (ids[0] >= 0))[:k]
    left[: len(first)], left_scores[: len(first)] = ids[0, first], scores[0, first]
    return left, left_scores


@contextmanager
def faiss_threads(n: int) -> Iterator[None]:
    """Have faiss use ``n`` threads for what this thread calls.

    Raises:
        ValueError: ``n`` is below 1.
    """
    if n < 1:
        raise ValueError(f"threads is {n}; expected at least 1.")
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
