"""How sure a mean is: percentile bootstrap over users.

The users of a test set are a sample. Drawing them again and again with replacement shows how much
the mean would differ with other users (Efron & Tibshirani 1993, "An Introduction to the
Bootstrap", chapter 13). It says nothing of other splits, seeds or data sets.
"""

import numpy as np

BLOCK = 2**21
"""Draws held in memory at a time."""


def bootstrap_means(values: np.ndarray, resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """Means of ``resamples`` samples of the rows, drawn with replacement.

    Columns are resampled together, so differences between them stay paired.

    Args:
        values: (n, m), a row a user.
        resamples: how many samples to draw.
        seed: the same seed draws the same users.

    Returns:
        (resamples, m) float64.

    Raises:
        ValueError: there are no rows, or a value is not finite.

    Example:
        >>> bootstrap_means(np.ones((5, 2)), resamples=3).tolist()
        [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    if not n:
        raise ValueError("There are no values to resample; expected at least one user.")
    if not np.isfinite(values).all():
        raise ValueError("A value to resample is NaN or infinite; expected finite numbers.")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}; expected at least 1.")
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    for start in range(0, resamples, step := max(1, BLOCK // n)):
        rows = min(step, resamples - start)
        drawn = rng.integers(n, size=(rows, n)) + np.arange(0, rows * n, n)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        means[start : start + rows] = times.astype(np.float64) @ values / n
    return means


def interval(
    values: np.ndarray, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean of ``values``: (n,) one value a user.

    Raises:
        ValueError: there are no values, one is not finite, or ``level`` is not between 0 and 1.

    Example:
        >>> low, high = interval([0.0, 1.0] * 200)
        >>> round(low, 2), round(high, 2)
        (0.45, 0.55)
    """
    low, high = percentiles(bootstrap_means(np.asarray(values)[:, None], resamples, seed), level)
    return float(low[0]), float(high[0])


def percentiles(means: np.ndarray, level: float) -> np.ndarray:
    """Both ends of the central ``level`` of each column of (resamples, m) ``means``: (2, m)."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a share between 0 and 1, such as 0.95.")
    return np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
