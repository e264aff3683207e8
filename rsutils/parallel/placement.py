"""Which worker holds which row of an embedding table."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf


class Placement(Protocol):
    """Where the rows of a table are."""

    size: int
    """Workers."""
    n_rows: int
    """Of the whole table."""

    def rows_of(self, rank: int) -> np.ndarray:
        """The rows that ``rank`` holds, in the order in which it holds them: (n,) int64."""

    def locate(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """For each row of (n,) the rank that holds it, int32, and its place there."""


class ByRow:
    """Row i is on worker i mod N, at place i div N.

    Ids are often given by popularity, so neighbours on different workers share the work evenly.

    Args:
        n_rows: of the table.
        size: workers.

    Example:
        >>> placement = ByRow(5, size=2)
        >>> placement.rows_of(1)
        array([1, 3])
    """

    def __init__(self, n_rows: int, size: int) -> None:
        if n_rows < size:
            raise ValueError(f"{n_rows} rows for {size} workers; each needs at least one.")
        self.n_rows = n_rows
        self.size = size

    def rows_of(self, rank: int) -> np.ndarray:
        """See :class:`Placement`."""
        return np.arange(rank, self.n_rows, self.size)

    def locate(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See :class:`Placement`."""
        return tf.cast(rows % self.size, tf.int32), rows // self.size


class ByTable:
    """Several tables, one after the other in one; each is whole on one worker.

    The largest table goes first, each to the worker that has the fewest rows so far.

    Args:
        table_rows: rows of each table; table t's rows begin at the sum of those before.
        size: workers.

    Attributes:
        owner: (n_tables,) int32, the worker of each table.

    Example:
        >>> placement = ByTable([4, 1, 3], size=2)
        >>> placement.owner, placement.rows_of(1)
        (array([0, 1, 1], dtype=int32), array([4, 5, 6, 7]))
    """

    def __init__(self, table_rows: Sequence[int], size: int) -> None:
        if len(table_rows) < size or min(table_rows, default=0) < 1:
            raise ValueError(
                f"tables of {list(table_rows)} rows for {size} workers; each worker needs a table "
                "and each table a row. Place by row instead."
            )
        self.size = size
        self.n_rows = int(sum(table_rows))
        self.owner = np.zeros(len(table_rows), np.int32)
        self._first = np.concatenate([[0], np.cumsum(table_rows)]).astype(np.int64)
        self._local = np.zeros(len(table_rows), np.int64)
        held = np.zeros(size, np.int64)
        for table in sorted(range(len(table_rows)), key=lambda t: -table_rows[t]):
            self.owner[table] = np.argmin(held)
            held[self.owner[table]] += table_rows[table]
        for rank in range(size):
            place = 0
            for table in np.flatnonzero(self.owner == rank):
                self._local[table] = place
                place += table_rows[table]

    def rows_of(self, rank: int) -> np.ndarray:
        """See :class:`Placement`."""
        tables = np.flatnonzero(self.owner == rank)
        return np.concatenate([np.arange(self._first[t], self._first[t + 1]) for t in tables])

    def locate(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See :class:`Placement`."""
        wide = tf.cast(rows, tf.int64)
        table = tf.searchsorted(self._first, wide, side="right") - 1
        shift = tf.gather(self._local - self._first[:-1], table)
        return tf.gather(self.owner, table), tf.cast(wide + shift, rows.dtype)
