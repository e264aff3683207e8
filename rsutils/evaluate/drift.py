"""Drift: whether what comes in today still looks like what came in before.

The population stability index of two histograms with shares p and q is::

    PSI = sum over bins of (q - p) ln(q / p)

the symmetric Kullback-Leibler divergence. It is 0 for equal shares and grows with the difference,
but also with chance: for n and m independent rows in B bins that do not differ, PSI / (1/n + 1/m)
follows a chi-squared distribution with B - 1 degrees of freedom (Yurdakul 2018, "Statistical
properties of population stability index"). Rows of one user are not independent, so ``drift_test``
shuffles whole users instead.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

EMPTY = 0.5
"""Rows that every bin has in addition, so that an empty one has a logarithm."""


@dataclass(frozen=True)
class Drift:
    """How far two periods are apart.

    Attributes:
        index: the population stability index.
        threshold: what chance alone passes in a share ``level`` of shuffles.
        p_value: share of shuffles, with the found order among them, that are as far apart.
    """

    index: float
    threshold: float
    p_value: float

    @property
    def alarm(self) -> bool:
        """Whether the index passes the threshold."""
        return self.index > self.threshold


def stability_index(before: np.ndarray, after: np.ndarray) -> float:
    """The population stability index of counts in bins.

    Args:
        before: (bins,) rows of the reference in each bin.
        after: (bins,) rows of the period on trial.

    Raises:
        ValueError: shapes differ, a count is negative, or a period has no rows.

    Example:
        >>> stability_index(np.array([500, 500]), np.array([500, 500]))
        0.0
        >>> round(stability_index(np.array([5000, 5000]), np.array([2500, 7500])), 3)
        0.275
    """
    before, after = np.asarray(before, float), np.asarray(after, float)
    if before.shape != after.shape or before.ndim != 1:
        raise ValueError(
            f"The counts have shapes {before.shape} and {after.shape}; expected the same bins."
        )
    for counts in (before, after):
        if not np.isfinite(counts).all() or (counts < 0).any() or not counts.sum():
            raise ValueError("A period has no rows or a negative count; expected counts of rows.")
    p, q = ((c + EMPTY) / (c + EMPTY).sum() for c in (before, after))
    return float(((q - p) * np.log(q / p)).sum())


def bin_of(values: np.ndarray, reference: np.ndarray, bins: int = 10) -> np.ndarray:
    """The bin of each value, between quantiles of a reference, so that all bins are as full.

    Args:
        values: (n,) what to bin.
        reference: (m,) whose quantiles are the edges.
        bins: how many; fewer where the reference has many equal values.

    Returns:
        (n,) whole numbers from 0.

    Raises:
        ValueError: there is no reference, a value is not finite, or there are fewer than two bins.

    Example:
        >>> bin_of(np.array([0.0, 2.4, 2.6, 99.0]), np.arange(6.0), bins=2).tolist()
        [0, 0, 1, 1]
    """
    values, reference = np.asarray(values, float), np.asarray(reference, float)
    if bins < 2:
        raise ValueError(f"bins is {bins}; expected at least 2.")
    if not len(reference):
        raise ValueError("The reference has no rows; expected some to take quantiles of.")
    if not (np.isfinite(values).all() and np.isfinite(reference).all()):
        raise ValueError("A value to bin is NaN or infinite; expected finite numbers.")
    edges = np.unique(np.quantile(reference, np.arange(1, bins) / bins))
    return np.searchsorted(edges, values, side="right")


def chance_threshold(before: int, after: int, bins: int, level: float = 0.05) -> float:
    """What the index passes by chance in a share ``level`` of cases, were all rows independent.

    Raises:
        ValueError: there are no rows, fewer than two bins, or the level is no share.

    Example:
        >>> round(chance_threshold(1000, 1000, bins=10), 4)
        0.0338
    """
    if before < 1 or after < 1 or bins < 2 or not 0 < level < 1:
        raise ValueError(
            f"{before} and {after} rows in {bins} bins at the level {level}; expected rows in both "
            "periods, at least 2 bins, and a level between 0 and 1."
        )
    return float(chi2.ppf(1 - level, bins - 1) * (1 / before + 1 / after))


def drift_test(
    bins: np.ndarray,
    late: np.ndarray,
    groups: np.ndarray | None = None,
    level: float = 0.05,
    resamples: int = 500,
    seed: int = 0,
) -> Drift:
    """The index between early and late rows, with a threshold from shuffling who is late.

    Args:
        bins: (n,) the bin of each row, from 0.
        late: (n,) bool, whether the row belongs to the period on trial.
        groups: (n,) whole numbers; rows of one group and period are shuffled as one. Give the
            user where one user has many rows. None shuffles single rows.
        level: share of false alarms.
        resamples: how many shuffles.
        seed: the same seed shuffles alike.

    Raises:
        ValueError: shapes differ, a period has no rows, or a number is out of its range.

    Example:
        >>> found = drift_test(np.repeat([0, 1], 50), np.repeat([False, True], 50))
        >>> found.alarm, found.p_value < 0.01
        (True, True)
    """
    bins, late = np.asarray(bins), np.asarray(late, bool)
    groups = np.arange(len(bins)) if groups is None else np.asarray(groups)
    if not bins.shape == late.shape == groups.shape or bins.ndim != 1:
        raise ValueError(
            f"bins, late and groups have shapes {bins.shape}, {late.shape}, {groups.shape}; "
            "expected one of each for every row."
        )
    if late.all() or not late.any():
        raise ValueError("One of both periods has no rows; expected rows that are early and late.")
    if not 0 < level < 1 or resamples < 1:
        raise ValueError(
            f"level is {level}, resamples {resamples}; expected a share, and 1 or more."
        )
    units, of_row = np.unique(np.stack([groups, late]), axis=1, return_inverse=True)
    of_row = of_row.ravel()
    n_bins = int(bins.max()) + 1
    counts = np.bincount(of_row * n_bins + bins, minlength=units.shape[1] * n_bins)
    counts = counts.reshape(-1, n_bins).astype(float)
    total, is_late = counts.sum(axis=0), units[1].astype(bool)
    index = stability_index(counts[~is_late].sum(axis=0), counts[is_late].sum(axis=0))
    rng, shuffled = np.random.default_rng(seed), np.empty(resamples)
    for turn in range(resamples):
        now_late = rng.permutation(is_late) @ counts
        shuffled[turn] = stability_index(total - now_late, now_late)
    p_value = (1 + np.count_nonzero(shuffled >= index)) / (1 + resamples)
    return Drift(index, float(np.quantile(shuffled, 1 - level)), float(p_value))
