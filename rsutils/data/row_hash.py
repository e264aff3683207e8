"""Random-looking numbers that depend on a row and on nothing else.

A generator's numbers depend on the order in which they are asked for, and rows on a cluster have
no order. A hash of what identifies a row gives the same number wherever the row lies.
"""

import numpy as np

PRIMES = tuple(
    map(
        np.uint64,
        (
            0x9E3779B185EBCA87,
            0xC2B2AE3D27D4EB4F,
            0x165667B19E3779F9,
            0x85EBCA77C2B2AE63,
            0x27D4EB2F165667C5,
        ),
    )
)
SPARK_SEED = 42
"""Where Spark's own function begins."""


def hash_rows(*columns: np.ndarray) -> np.ndarray:
    """XXH64 of each row of whole numbers, chained over columns: what Spark's ``xxhash64`` gives.

    Each column is hashed as eight bytes, with the hash of the columns before as its seed (Y.
    Collet, *xxHash fast digest algorithm*, version 0.1.1, section "XXH64 algorithm description").

    Args:
        *columns: (n,) whole numbers each; single numbers stand for a whole column.

    Returns:
        (n,) int64.

    Raises:
        ValueError: no column.
        TypeError: a column has numbers that are not whole.

    Example:
        >>> hash_rows(np.array([0, 1]))
        array([-5252525462095825812, -7001672635703045582])
    """
    if not columns:
        raise ValueError("hash_rows() was given no column; expected at least one.")
    one, two, three, four, five = PRIMES
    found = np.uint64(SPARK_SEED)
    # The algorithm counts on numbers that overflow; NumPy warns of it for single ones.
    with np.errstate(over="ignore"):
        for column in columns:
            values = np.asarray(column)
            if values.dtype.kind not in "iub":
                raise TypeError(f"A column is of {values.dtype}; expected whole numbers.")
            values = values.astype(np.int64).view(np.uint64)
            found = found + five + np.uint64(8)
            found = found ^ (_rotate(values * two, 31) * one)
            found = _rotate(found, 27) * one + four
            found = (found ^ (found >> np.uint64(33))) * two
            found = (found ^ (found >> np.uint64(29))) * three
            found = found ^ (found >> np.uint64(32))
    return found.view(np.int64)


def _rotate(values: np.ndarray, bits: int) -> np.ndarray:
    return (values << np.uint64(bits)) | (values >> np.uint64(64 - bits))
