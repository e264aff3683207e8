"""An index that is replaced while it is searched."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from rsutils.models.checks import check_counts
from rsutils.serve.retrieval.base import ItemIndex, RebuildError, checked_vectors, norms_of
from rsutils.serve.retrieval.building import build_index

SAMPLE = 64
"""Items whose vectors are the queries of a check, where no queries are given."""

ROUNDING = 2e-3
"""Error of a score that float16 may bring, as a share of both norms."""

SUMMING = 1e-6
"""The same of two ways to sum in float32."""


class Version(NamedTuple):
    """An index and its number.

    Attributes:
        number: 1 for the first, one more for each that took its place.
        index: never changes.
        recall: share of the exact best that it found when it was checked; None for the first,
            which is taken as it is.
    """

    number: int
    index: ItemIndex
    recall: float | None = None


class LiveIndex:
    """Searches one version of an index while the next is built.

    A version takes the place of the one before in one assignment, after it was checked: every
    search is answered by one version alone. Whoever needs more than one search, or the number of
    items, of the same version takes ``current`` once and uses that.

    Args:
        index: the first version.
        queries: (n, d), a sample of real queries to check a new index with; None for the vectors
            of some of its own items.
        least_recall: share of the exact ``k`` best that a new index must find.
        k: how many a search asks for as a rule; where there are fewer items, all of them.

    Raises:
        ValueError: the queries do not fit, ``least_recall`` is not within 0 and 1, or ``k`` is
            below 1.

    Example:
        >>> live = LiveIndex(build_index("exact", np.eye(3)))
        >>> live.rebuild(np.eye(3)[[2, 1, 0]], "hnsw", neighbours=4).number
        2
        >>> live.search(np.eye(3)[:1], k=1)[0].tolist(), live.current.index.kind
        ([[2]], 'hnsw')
    """

    def __init__(
        self,
        index: ItemIndex,
        queries: np.ndarray | None = None,
        least_recall: float = 0.95,
        k: int = 10,
    ) -> None:
        if not 0 <= least_recall <= 1:
            raise ValueError(f"least_recall is {least_recall}; expected a share from 0 to 1.")
        check_counts(k=k)
        self._queries = _checked_queries(queries, index.dimensions)
        self.least_recall, self.k = least_recall, k
        self.current = Version(1, index)
        self._one_at_a_time = threading.Lock()
        self._builder = ThreadPoolExecutor(1, "rebuild_index")

    @property
    def version(self) -> int:
        """Number of the index that is searched."""
        return self.current.number

    def search(
        self,
        queries: np.ndarray,
        k: int = 10,
        allowed: np.ndarray | None = None,
        blocked: Sequence[np.ndarray] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """``ItemIndex.search`` of the current version."""
        return self.current.index.search(queries, k, allowed, blocked)

    def rebuild(
        self,
        vectors: np.ndarray,
        kind: str | None = None,
        queries: np.ndarray | None = None,
        **settings: Any,
    ) -> Version:
        """Build an index over ``vectors``, check it, and let it take over.

        Until then both are in memory. Queries belong to the vectors of one model: whoever replaces
        both takes them from one place at once, and gives ``queries`` of the new model.

        Args:
            vectors: (n_items, d), as many items as there are then.
            kind: see ``build_index``; None for that of the current index.
            queries: (n, d), to check this index with; None for those that were given at first.
            **settings: in place of those of the current index where the kind stays; where it
                changes, what is not given has the default of the new kind.

        Returns:
            The new version, with its recall.

        Raises:
            ValueError: vectors, kind or settings cannot be used; the current index goes on.
            RebuildError: the new index is wrong or finds too little; the current index goes on.
        """
        with self._one_at_a_time:
            number, index, _ = self.current
            vectors = checked_vectors(vectors, "vectors", "item", index.dimensions)
            given = _checked_queries(queries, index.dimensions)
            kept = index.settings if kind in (None, index.kind) else {}
            built = build_index(kind or index.kind, vectors, **{**kept, **settings})
            recall = self._check(built, vectors, self._queries if given is None else given)
            self.current = Version(number + 1, built, recall)
            return self.current

    def rebuild_in_background(
        self,
        vectors: np.ndarray,
        kind: str | None = None,
        queries: np.ndarray | None = None,
        **settings: Any,
    ) -> "Future[Version]":
        """``rebuild`` in a thread of its own, after those that were asked for before.

        Returns:
            A future whose ``result()`` is the version, or raises what ``rebuild`` raises.

        Raises:
            RuntimeError: the index was closed.
        """
        return self._builder.submit(self.rebuild, vectors, kind, queries, **settings)

    def close(self) -> None:
        """Wait for the rebuild that runs, and drop those that wait; searches still work."""
        self._builder.shutdown(cancel_futures=True)

    def _check(self, index: ItemIndex, vectors: np.ndarray, queries: np.ndarray | None) -> float:
        """The recall of an index; it is refused if it is of other vectors or finds too little."""
        if (index.n_items, index.dimensions) != vectors.shape:
            raise RebuildError(
                f"The index has {index.n_items} items of {index.dimensions} dimensions; "
                f"expected {vectors.shape}. Version {self.version} goes on."
            )
        if queries is None:
            queries = vectors[np.random.default_rng(0).permutation(len(vectors))[:SAMPLE]]
        k = min(self.k, len(vectors))
        found, scores = index.search(queries, k)
        products = np.einsum("nd,nkd->nk", queries, vectors[found])
        size = norms_of(queries)[:, None] * norms_of(vectors).max()
        if (found < 0).any() or (np.abs(products - scores) > ROUNDING * size).any():
            raise RebuildError(
                f"Scores of the index are not those of the vectors; expected inner products. "
                f"Version {self.version} goes on."
            )
        # By scores and not by ids: of items with equal scores any may be found.
        _, best = getattr(index, "exact", index).search(queries, k)
        recall = float(np.mean(scores >= best[:, -1:] - SUMMING * size))
        if recall < self.least_recall:
            raise RebuildError(
                f"The index finds {recall:.3f} of the exact {k} best; expected at least "
                f"{self.least_recall}. Version {self.version} goes on; build with larger settings."
            )
        return recall


def _checked_queries(queries: np.ndarray | None, dimensions: int) -> np.ndarray | None:
    if queries is None:
        return None
    queries = checked_vectors(queries, "queries", "query", dimensions)
    if not len(queries):
        raise ValueError("There are no queries to check with; expected some, or None.")
    return queries
