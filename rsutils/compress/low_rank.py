"""A trained table as a narrow one times a projection, and what is lost by it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Truncated:
    """The best table of a given rank.

    Attributes:
        narrow: (n_rows, rank) float32.
        projection: (rank, dimensions) float32.
        error: sum of the squares of what is lost, over all numbers of the table.
    """

    narrow: np.ndarray
    projection: np.ndarray
    error: float

    @property
    def parameters(self) -> int:
        """Numbers in both."""
        return self.narrow.size + self.projection.size

    @property
    def table(self) -> np.ndarray:
        """What they stand for: (n_rows, dimensions) float32."""
        return self.narrow @ self.projection


def truncate(table: np.ndarray, rank: int) -> Truncated:
    """Keep the ``rank`` largest singular values of a table.

    No table of this rank is nearer, and what is lost is the sum of the squares of the singular
    values that were dropped (Eckart & Young 1936, "The approximation of one matrix by another of
    lower rank", Psychometrika 1, pp. 211-218).

    Args:
        table: (n_rows, dimensions).
        rank: from 1 to the smaller side of the table.

    Raises:
        ValueError: another shape or rank, or a number is not finite.

    Example:
        >>> found = truncate(np.diag([3.0, 2.0, 1.0]), rank=2)
        >>> found.narrow.shape, found.projection.shape, round(found.error, 6)
        ((3, 2), (2, 3), 1.0)
    """
    table = np.asarray(table, float)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"The table has the shape {table.shape}; expected rows of numbers.")
    if not np.isfinite(table).all():
        raise ValueError("There are numbers that are not finite; training has diverged.")
    if not 1 <= rank <= min(table.shape):
        raise ValueError(f"rank is {rank}; expected 1 to {min(table.shape)}, the smaller side.")
    left, values, right = np.linalg.svd(table, full_matrices=False)
    # Both sides get the root of a singular value, so that both quantize about equally well.
    root = np.sqrt(values[:rank])
    return Truncated(
        (left[:, :rank] * root).astype(np.float32),
        (root[:, None] * right[:rank]).astype(np.float32),
        float(np.square(values[rank:]).sum()),
    )
