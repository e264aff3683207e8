"""What every index of items answers, and what all of them refuse."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

LARGEST_NORM = 1e18
"""Norms of vectors and queries stay below, so that no product overflows float32."""


class RebuildError(RuntimeError):
    """A new index was not taken; the one before goes on."""


class ItemIndex(ABC):
    """Finds the items whose vectors have the largest inner products with a query.

    An index is never changed once it is built: any number of threads may search it. Items are
    numbered from 0 in the order of the vectors that were given.

    Attributes:
        kind: name under which ``build_index`` makes it.
        settings: what it was built with, as ``build_index`` takes it.
    """

    kind: ClassVar[str]
    settings: dict[str, Any]

    @property
    @abstractmethod
    def n_items(self) -> int:
        """How many items are indexed."""

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of the arrays that a search may read, whether they lie in memory or are mapped."""

    @abstractmethod
    def vectors(self, items: np.ndarray) -> np.ndarray:
        """The vectors of some items, as the index keeps them: (len(items), d) float32."""

    def search(
        self,
        queries: np.ndarray,
        k: int = 10,
        allowed: np.ndarray | None = None,
        blocked: Sequence[np.ndarray] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The ``k`` best items for each query, best first.

        Filters never shorten the answer: where k items are allowed and not blocked, k come back.

        Args:
            queries: (n, d) real numbers.
            k: how many items are wanted; more than there are is no error.
            allowed: (n_items,) bool, what may be shown to any of the queries; None for all.
            blocked: for each query the items that it must not get; None for no such items.

        Returns:
            ids: (n, k) int32, -1 where no more items are left.
            scores: (n, k) float32, inner products; minus infinity where there is no item.

        Raises:
            ValueError: an argument has another shape or type, or holds NaN or infinity.
            IndexError: a blocked item does not exist.
        """
        queries = checked_vectors(queries, "queries", "query", self.dimensions)
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"k is {k!r}; expected a whole number of at least 1.")
        if allowed is not None:
            allowed = self._checked_mask(allowed)
        lists = self._checked_lists(blocked, len(queries))
        width = min(int(k), self.n_items)
        if len(queries) and width == k:
            return self._search(queries, width, allowed, lists)
        ids = np.full((len(queries), k), -1, np.int32)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        if len(queries):
            ids[:, :width], scores[:, :width] = self._search(queries, width, allowed, lists)
        return ids, scores

    @abstractmethod
    def _search(
        self,
        queries: np.ndarray,
        k: int,
        allowed: np.ndarray | None,
        blocked: list[np.ndarray] | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """``search`` for arguments that were checked, with at least one query and k <= n_items."""

    @classmethod
    @abstractmethod
    def build(cls, vectors: np.ndarray, **settings: Any) -> Self:
        """An index over ``vectors``, (n_items, d) real numbers."""

    @abstractmethod
    def _write(self, folder: Path) -> None:
        """Write what ``_read`` needs into a draft."""

    @classmethod
    @abstractmethod
    def _read(cls, folder: Path, settings: dict[str, Any], memory_map: bool) -> Self:
        """The index that ``_write`` wrote."""

    def _checked_mask(self, allowed: np.ndarray) -> np.ndarray:
        allowed = np.asarray(allowed)
        if allowed.dtype != bool or allowed.shape != (self.n_items,):
            raise ValueError(
                f"allowed has shape {allowed.shape} and type {allowed.dtype}; expected a bool for "
                f"each of {self.n_items} items."
            )
        return allowed

    def _checked_lists(
        self, blocked: Sequence[np.ndarray] | None, n: int
    ) -> list[np.ndarray] | None:
        if blocked is None:
            return None
        if len(blocked) != n:
            raise ValueError(f"blocked has {len(blocked)} lists; expected one for each of {n}.")
        lists = [np.asarray(each) for each in blocked]
        for each in lists:
            if each.ndim != 1 or (each.size and each.dtype.kind not in "iu"):
                raise ValueError(
                    f"A list in blocked has shape {each.shape} and type {each.dtype}; expected "
                    "item ids, a flat array of whole numbers."
                )
            unknown = (each < 0) | (each >= self.n_items)
            if unknown.any():
                raise IndexError(
                    f"Item {each[unknown][0]} is blocked and unknown; there are items 0 to "
                    f"{self.n_items - 1}."
                )
        return [each.astype(np.int64) for each in lists] if any(map(len, lists)) else None


def checked_vectors(
    vectors: np.ndarray, name: str, one: str, dimensions: int | None = None
) -> np.ndarray:
    """``vectors`` as (n, d) float32, row by row in memory.

    Args:
        vectors: what was given.
        name: what an error calls all of it.
        one: what an error calls a row.
        dimensions: the length that rows must have; None for any of at least 1.

    Raises:
        ValueError: it is no matrix of finite real numbers of that width.

    Example:
        >>> checked_vectors([[1, 2], [3, 4]], "queries", "query", 2).dtype
        dtype('float32')
    """
    given = np.asarray(vectors)
    wide = given.ndim == 2 and given.shape[1] > 0
    if not wide or (dimensions is not None and given.shape[1] != dimensions):
        width = "d" if dimensions is None else dimensions
        raise ValueError(f"{name} has shape {given.shape}; expected (n, {width}), a row a {one}.")
    if given.dtype.kind not in "fiu":
        raise ValueError(f"{name} has type {given.dtype}; expected real numbers.")
    # The comparison is false for NaN too; a norm is at most sqrt(d) times the largest number.
    if given.size and not np.abs(given).max() < LARGEST_NORM / given.shape[1] ** 0.5:
        norms = norms_of(given)
        if len(wrong := np.flatnonzero(~(norms < LARGEST_NORM))):
            raise ValueError(
                f"Row {wrong[0]} of {name} has a norm of {norms[wrong[0]]}; expected finite "
                f"numbers and a norm below {LARGEST_NORM:g}."
            )
    return np.ascontiguousarray(given, np.float32)


def norms_of(vectors: np.ndarray) -> np.ndarray:
    """Lengths of the rows: (n,) float64.

    Example:
        >>> norms_of(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([5., 0.])
    """
    vectors = np.asarray(vectors)
    norms = np.empty(len(vectors))
    for start in range(0, len(vectors), 1 << 16):
        block = vectors[start : start + (1 << 16)].astype(np.float64)
        norms[start : start + (1 << 16)] = np.sqrt(np.einsum("nd,nd->n", block, block))
    return norms
