"""Which weights to keep: masks by magnitude, in blocks, n of every m, or whole rows.

A mask has the shape of the weights and is True where a weight stays. Magnitude as the measure of
what can go: Han et al. 2015, "Learning both weights and connections for efficient neural networks",
section 3.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Pattern = Callable[[np.ndarray, float], np.ndarray]
"""Takes weights and a sparsity, gives a mask."""


def magnitude_mask(
    weights: np.ndarray, sparsity: float, block: tuple[int, int] = (1, 1)
) -> np.ndarray:
    """Drop the share ``sparsity`` of the weights that are nearest to 0, alone or in blocks.

    Args:
        weights: any shape; blocks need two dimensions.
        sparsity: share that goes, from 0 to below 1, rounded to whole blocks. Of equal ones those
            that come later go.
        block: rows and columns that stay or go together, by their mean absolute value. At the
            edges blocks may be cut.

    Returns:
        A bool array of the shape of ``weights``.

    Raises:
        ValueError: a sparsity outside of [0, 1), a block that does not fit, or weights that are not
            finite.

    Example:
        >>> magnitude_mask(np.array([0.1, -2.0, 0.3, 1.0]), 0.5).tolist()
        [False, True, False, True]
    """
    size = _checked(weights, sparsity)
    if tuple(block) == (1, 1):
        return _largest(size.ravel(), sparsity).reshape(size.shape)
    if size.ndim != 2 or len(block) != 2 or min(block) < 1:
        raise ValueError(
            f"block is {tuple(block)} for weights of shape {size.shape}; expected two whole "
            "numbers, rows and columns, and weights with two dimensions."
        )
    rows, columns = (range(0, n, step) for n, step in zip(size.shape, block, strict=True))
    total = np.add.reduceat(np.add.reduceat(size, rows, axis=0), columns, axis=1)
    ones = np.ones_like(size)
    total /= np.add.reduceat(np.add.reduceat(ones, rows, axis=0), columns, axis=1)
    kept = _largest(total.ravel(), sparsity).reshape(total.shape)
    full = kept.repeat(block[0], axis=0).repeat(block[1], axis=1)
    return full[: size.shape[0], : size.shape[1]]


def n_of_m_mask(
    weights: np.ndarray, sparsity: float = 0.5, n: int = 2, m: int = 4, axis: int = 0
) -> np.ndarray:
    """Keep the ``n`` largest of every ``m`` weights in a row along ``axis``.

    With 2 of 4 GPUs have units that skip the zeros (Mishra et al. 2021, "Accelerating sparse deep
    neural networks", arXiv:2104.08378, section 2). The groups have to lie along the sum that a
    product of matrices adds up: of a kernel (inputs, outputs) that is axis 0.

    Args:
        weights: any shape. The last group may be shorter and keeps up to ``n``.
        sparsity: up to 1 - n/m nothing else is possible; given so that this is a pattern like
            others. 0 keeps everything.
        n: kept of each group.
        m: weights in a group.
        axis: along which the groups lie.

    Raises:
        ValueError: a sparsity outside of [0, 1), ``n`` not between 1 and ``m``, or weights that are
            not finite.

    Example:
        >>> kernel = np.array([[1.0], [-4.0], [3.0], [2.0]])
        >>> n_of_m_mask(kernel)[:, 0].tolist()
        [False, True, True, False]
    """
    size = _checked(weights, sparsity)
    if not 1 <= n <= m:
        raise ValueError(f"n is {n} and m is {m}; expected to keep at least 1 and at most m.")
    if not sparsity or not size.size:
        return np.ones(size.shape, bool)
    lined = np.moveaxis(size, axis, -1)
    padding = -lined.shape[-1] % m
    padded = np.pad(lined, [(0, 0)] * (lined.ndim - 1) + [(0, padding)], constant_values=-1)
    groups = padded.reshape(*lined.shape[:-1], -1, m)
    place = np.argsort(np.argsort(-groups, axis=-1, kind="stable"), axis=-1, kind="stable")
    kept = (place < n).reshape(padded.shape)[..., : lined.shape[-1]]
    return np.moveaxis(kept, -1, axis)


def row_mask(
    weights: np.ndarray, sparsity: float, counts: Sequence[int] | np.ndarray | None = None
) -> np.ndarray:
    """Drop whole rows of a table: the rarest ids, or the shortest rows where no counts are given.

    Args:
        weights: (n_rows, dimensions).
        sparsity: share of the rows that go, rounded. Rows that were never counted go in any case:
            what they hold are their first, random numbers.
        counts: how often each id occurs in training.

    Raises:
        ValueError: weights that are no table, or counts of another length.

    Example:
        >>> table = np.ones((4, 2))
        >>> row_mask(table, 0.5, counts=[9, 1, 0, 5])[:, 0].tolist()
        [True, False, False, True]
    """
    size = _checked(weights, sparsity)
    worth = _worth(size, 0, counts)
    kept = _largest(worth, sparsity)
    if counts is not None:
        kept &= worth > 0
    return np.broadcast_to(kept[:, None], size.shape).copy()


def column_mask(
    weights: np.ndarray, sparsity: float, worth: Sequence[float] | np.ndarray | None = None
) -> np.ndarray:
    """Drop whole dimensions of a table: those of least worth, or the shortest ones.

    Two tables whose rows are multiplied number by number have to drop the same dimensions: a
    product is lost where either factor is 0.

    Args:
        weights: (n_rows, dimensions).
        sparsity: share of the dimensions that go, rounded.
        worth: of each dimension.

    Raises:
        ValueError: weights that are no table, or a worth of another length.

    Example:
        >>> column_mask(np.ones((2, 4)), 0.5, worth=[0.3, 0.1, 0.4, 0.2])[0].tolist()
        [True, False, True, False]
    """
    size = _checked(weights, sparsity)
    kept = _largest(_worth(size, 1, worth), sparsity)
    return np.broadcast_to(kept, size.shape).copy()


def sparsity_of(weights: np.ndarray) -> float:
    """The share of weights that are exactly 0; of no weights it is 0.

    Example:
        >>> sparsity_of(np.array([0.0, 1.0, 0.0, 3.0]))
        0.5
    """
    weights = np.asarray(weights)
    return float((weights == 0).mean()) if weights.size else 0.0


def check_sparsity(sparsity: float, name: str = "sparsity") -> float:
    """The sparsity itself.

    Raises:
        ValueError: it is outside of [0, 1).
    """
    if not 0 <= sparsity < 1:
        raise ValueError(f"{name} is {sparsity}; expected a share from 0 to below 1.")
    return sparsity


def _worth(size: np.ndarray, axis: int, given: Any) -> np.ndarray:
    """A number for each row (axis 0) or dimension (axis 1) of a table."""
    if size.ndim != 2:
        raise ValueError(f"The weights have the shape {size.shape}; expected rows of numbers.")
    found = size.sum(1 - axis) if given is None else np.asarray(given, float)
    if found.shape != (size.shape[axis],):
        what = ("rows", "dimensions")[axis]
        raise ValueError(
            f"There are {found.size} numbers for {size.shape[axis]} {what}; expected one for each."
        )
    return found


def _checked(weights: np.ndarray, sparsity: float) -> np.ndarray:
    """Absolute values, in float64 so that sums over blocks do not depend on their order."""
    check_sparsity(sparsity)
    weights = np.abs(np.asarray(weights, float))
    if not np.isfinite(weights).all():
        raise ValueError("There are weights that are not finite; training has diverged.")
    return weights


def _largest(size: np.ndarray, sparsity: float) -> np.ndarray:
    """True for all but the ``sparsity`` smallest of a flat array."""
    dropped = round(sparsity * len(size))
    kept = np.ones(len(size), bool)
    # By the reversed array, so that among equals the first ones stay.
    kept[len(size) - 1 - np.argsort(size[::-1], kind="stable")[:dropped]] = False
    return kept
