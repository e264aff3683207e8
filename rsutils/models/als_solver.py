"""The solver inside iALS: Newton steps over blocks of dimensions, for many rows at a time."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

CHUNK = 1 << 20
"""Floats gathered at a time, so that a chunk of histories stays in a core's cache."""


@dataclass(frozen=True)
class Problem:
    """Rows whose histories are about as long, solved together.

    Attributes:
        rows: (b,) positions.
        taken: (b, n) what each row took, filled up with the number of columns.
        l2: (b,) float32 regularisation.
    """

    rows: np.ndarray
    taken: np.ndarray
    l2: np.ndarray


def problems_of(histories: sparse.csr_matrix, l2: np.ndarray, size: int) -> Iterator[Problem]:
    """Cut histories, sorted by length, into problems of at most ``size`` entries (or one row)."""
    lengths = np.diff(histories.indptr)
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = max(int(lengths[order[start]]), 1)
        rows = order[start : start + max(size // longest, 1)]
        place = histories.indptr[rows, None] + np.arange(longest)
        inside = np.arange(longest) < lengths[rows, None]
        taken = np.full(place.shape, histories.shape[1], np.intp)
        taken[inside] = histories.indices[place[inside]]
        yield Problem(rows, taken, l2[rows])
        start += len(rows)


def regularisation(
    lengths: np.ndarray, n: int, l2: float, unobserved_weight: float, frequency_scaling: float
) -> np.ndarray:
    """The weight of ||x||² in the loss of each row: (rows,) float32.

    Args:
        lengths: (rows,) of the histories.
        n: columns, each of which a row could have taken.
        l2: like the next two, see ``IALS``.
        unobserved_weight: weight of a pair that was not seen.
        frequency_scaling: how the regularisation grows with the history.

    Example:
        >>> regularisation(np.array([0, 1]), 2, l2=0.5, unobserved_weight=0.1, frequency_scaling=1)
        array([0.1, 0.6], dtype=float32)
    """
    return (l2 * (lengths + unobserved_weight * n) ** frequency_scaling).astype(np.float32)


class FixedSide:
    """The factors that half an epoch holds while it moves those of the other side.

    Args:
        factors: (n, d) float32.
        unobserved_weight: weight of a pair that was not seen.

    Attributes:
        gram: (d, d) unobserved_weight times VᵀV.
    """

    def __init__(self, factors: np.ndarray, unobserved_weight: float) -> None:
        self.factors = factors
        self.gram = np.float32(unobserved_weight) * (factors.T @ factors)

    def improve(
        self,
        problems: Iterable[Problem],
        moving: np.ndarray,
        block_size: int,
        run: Callable[[Callable[[Problem], None], Iterable[Problem]], Iterable[None]] = map,
    ) -> None:
        """Overwrite ``moving``, (rows, d), with factors of a smaller loss.

        Args:
            problems: the rows' histories.
            moving: where to start.
            block_size: dimensions a Newton step.
            run: like ``map``; that of a pool solves many problems at a time.
        """

        def improve(problem: Problem) -> None:
            taken = np.take(self.factors, problem.taken, axis=0, mode="clip")
            taken[problem.taken == len(self.factors)] = 0
            moving[problem.rows] = newton_blocks(
                moving[problem.rows], taken, self.gram, problem.l2, block_size
            )

        for _ in run(improve, problems):
            pass


def newton_blocks(
    x: np.ndarray, Y: np.ndarray, gram: np.ndarray, l2: np.ndarray, block_size: int
) -> np.ndarray:
    """One Newton step for each block of dimensions, for a batch of rows.

    For a row, minimises ||1 - Yx||² + xᵀ gram x + l2 ||x||² over one block of x after the other.
    The loss is quadratic, so a step lands on the block's minimum.

    Args:
        x: (b, d) where to start.
        Y: (b, n, d) the factors of what each row took; rows of zeros fill up.
        gram: (d, d) unobserved_weight times VᵀV of the fixed side.
        l2: (b,).
        block_size: dimensions a block.

    Returns:
        (b, d) where the steps end.
    """
    x = x.copy()
    d = x.shape[1]
    error = np.matmul(Y, x[:, :, None])[:, :, 0] - 1
    for start in range(0, d, block_size):
        block = slice(start, min(start + block_size, d))
        Yb = Y[:, :, block]
        YbT = Yb.swapaxes(1, 2)
        gradient = np.matmul(YbT, error[:, :, None])[:, :, 0]
        gradient += x @ gram[:, block] + l2[:, None] * x[:, block]
        hessian = np.matmul(YbT, Yb) + gram[block, block]
        hessian[:, np.arange(len(hessian[0])), np.arange(len(hessian[0]))] += l2[:, None]
        step = np.linalg.solve(hessian, gradient[:, :, None])
        x[:, block] -= step[:, :, 0]
        if block.stop < d:
            error -= np.matmul(Yb, step)[:, :, 0]
    return x
