"""Exact search: whole blocks of inner products, from the longest vectors on.

An inner product is at most the product of both norms. Items lie in order of their norms, so that a
search ends as soon as the k-th best score found is larger than any that can follow (Teflioudi,
Gemulla and Mykytiuk 2015, "LEMP: Fast retrieval of large entries in a matrix product", section 3.1,
length-based pruning). What a model learnt with popularity in its norms needs few blocks; where all
norms are equal, every block is read and nothing is lost against a plain scan.
"""

from pathlib import Path
from typing import Any, Self

import numpy as np

from rsutils.serve.retrieval.base import ItemIndex, checked_vectors, norms_of
from rsutils.serve.retrieval.hits import Hits

FIRST_BLOCK, LARGEST_BLOCK = 1024, 16_384
"""Items of the first block, and of any; each block is twice as long as the one before."""
PRECISIONS = ("float32", "float16")


class ExactIndex(ItemIndex):
    """Finds the best items without fail.

    Scores are summed in float64; items with equal scores come in the order of their ids.

    Example:
        >>> index = ExactIndex.build(np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]))
        >>> ids, scores = index.search(np.array([[1.0, 0.5]]), k=2)
        >>> ids.tolist(), scores.tolist()
        ([[2, 0]], [[1.5, 1.0]])
        >>> index.search(np.array([[1.0, 0.5]]), k=2, blocked=[np.array([2])])[0].tolist()
        [[0, 1]]
    """

    kind = "exact"

    def __init__(
        self, rows: np.ndarray, order: np.ndarray, norms: np.ndarray, settings: dict[str, Any]
    ) -> None:
        """An index of rows that are sorted already; ``build`` sorts them.

        Args:
            rows: (n, d) float32 or float16, longest first.
            order: (n,) int32, the item of each row.
            norms: (n,) float32, at least the length of each row, descending.
            settings: what it was built with.
        """
        self.rows, self.order, self.norms, self.settings = rows, order, norms, settings
        self.places = np.empty_like(order)
        self.places[order] = np.arange(len(order), dtype=order.dtype)

    @classmethod
    def build(
        cls, vectors: np.ndarray, precision: str = "float32", pruning: bool = True
    ) -> "ExactIndex":
        """An index over ``vectors``.

        Args:
            vectors: (n_items, d) real numbers, n_items at least 1.
            precision: ``"float32"``, or ``"float16"`` for half the bytes: the scores are then those
                of the rounded vectors, and a search takes longer.
            pruning: False reads every item for every query, to compare with.

        Raises:
            ValueError: there are no vectors, or they are not finite, or ``precision`` is unknown.
        """
        if precision not in PRECISIONS:
            raise ValueError(f"precision is {precision!r}; expected one of {PRECISIONS}.")
        vectors = checked_vectors(vectors, "vectors", "item")
        if not len(vectors):
            raise ValueError("There are no vectors to index; expected at least one.")
        with np.errstate(over="ignore"):
            rows = vectors.astype(precision, copy=False)
        norms = norms_of(rows)
        if not np.isfinite(norms).all():
            raise ValueError("There are numbers beyond 65504, the range of float16; use float32.")
        order = np.argsort(-norms, kind="stable").astype(np.int32)
        upper = np.nextafter(norms[order].astype(np.float32), np.float32(np.inf))
        return cls(rows[order], order, upper, {"precision": precision, "pruning": pruning})

    @property
    def n_items(self) -> int:
        """How many items are indexed."""
        return self.rows.shape[0]

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self.rows.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that a search may read, whether they lie in memory or are mapped."""
        return sum(each.nbytes for each in (self.rows, self.order, self.norms, self.places))

    def vectors(self, items: np.ndarray) -> np.ndarray:
        """The vectors of some items, as the index keeps them: (len(items), d) float32."""
        return self.rows[self.places[items]].astype(np.float32, copy=False)

    def _search(
        self,
        queries: np.ndarray,
        k: int,
        allowed: np.ndarray | None,
        blocked: list[np.ndarray] | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        if not (some := queries.any(axis=1)).all():
            return self._with_zeros(queries, k, allowed, blocked, some)
        chosen = None if allowed is None else np.flatnonzero(allowed[self.order])
        found = Hits(queries, k, float(self.norms[0]), self._places_of(blocked, chosen))
        n = self.n_items if chosen is None else len(chosen)
        start, size = 0, max(FIRST_BLOCK, 4 * k)
        while start < n and len(found.active):
            stop = min(start + size, n)
            block = slice(start, stop) if chosen is None else chosen[start:stop]
            found.add(self.rows[block].astype(np.float32, copy=False), start)
            if stop < n and self.settings["pruning"]:
                rest = self.norms[stop if chosen is None else chosen[stop]]
                found.finish(float(rest))
            start, size = stop, min(2 * size, max(LARGEST_BLOCK, 4 * k))
        return found.best(self.rows, self.order, chosen)

    def _with_zeros(
        self,
        queries: np.ndarray,
        k: int,
        allowed: np.ndarray | None,
        blocked: list[np.ndarray] | None,
        some: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """All items are equal to a query of zeros: the first ones are answered, without a scan."""
        ids = np.full((len(queries), k), -1, np.int32)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        for query in np.flatnonzero(~some):
            left = np.ones(self.n_items, bool) if allowed is None else allowed.copy()
            if blocked is not None:
                left[blocked[query]] = False
            first = np.flatnonzero(left)[:k]
            ids[query, : len(first)], scores[query, : len(first)] = first, 0
        if some.any():
            lists = blocked and [blocked[query] for query in np.flatnonzero(some)]
            ids[some], scores[some] = self._search(queries[some], k, allowed, lists)
        return ids, scores

    def _places_of(
        self, blocked: list[np.ndarray] | None, chosen: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Query and place in the scan of every blocked item, by place."""
        if blocked is None:
            return None
        query = np.repeat(np.arange(len(blocked)), [len(each) for each in blocked])
        place = self.places[np.concatenate(blocked)].astype(np.int64)
        if chosen is not None:
            among = np.searchsorted(chosen, place)
            found = among < len(chosen)
            found[found] = chosen[among[found]] == place[found]
            query, place = query[found], among[found]
        order = np.argsort(place)
        return query[order], place[order]

    def _write(self, folder: Path) -> None:
        for name in ("rows", "order", "norms"):
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def _read(cls, folder: Path, settings: dict[str, Any], memory_map: bool) -> Self:
        mode = "r" if memory_map else None
        rows, order, norms = (
            np.load(folder / f"{name}.npy", mmap_mode=mode, allow_pickle=False)
            for name in ("rows", "order", "norms")
        )
        return cls(rows, np.asarray(order), np.asarray(norms), settings)
