"""A few of many, without chance."""

import numpy as np


def spread(n: int, most: int) -> np.ndarray:
    """At most ``most`` of the numbers below ``n``, evenly spread, both ends among them: ascending.

    Example:
        >>> spread(101, 3).tolist(), spread(2, 3).tolist()
        ([0, 50, 100], [0, 1])
    """
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.intp))
