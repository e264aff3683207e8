"""Metrics of predicted ratings and click probabilities: one number for aligned arrays.

Every function takes the truth first and the prediction second, both (n,), and refuses arrays that
differ in shape, are empty, or hold NaN or infinity.
"""

import numpy as np
import pandas as pd
from scipy import stats


def rmse(y: np.ndarray, p: np.ndarray) -> float:
    """Root mean squared error, in units of the rating.

    Example:
        >>> rmse([4.0, 2.0], [3.0, 3.0])
        1.0
    """
    y, p = _aligned(y, p)
    return float(np.sqrt(np.mean((y - p) ** 2)))


def mae(y: np.ndarray, p: np.ndarray) -> float:
    """Mean absolute error, in units of the rating.

    Example:
        >>> mae([4.0, 2.0], [3.0, 4.0])
        1.5
    """
    y, p = _aligned(y, p)
    return float(np.mean(np.abs(y - p)))


def log_loss(y: np.ndarray, p: np.ndarray) -> float:
    """Mean of -log of the probability given to what happened (binary cross-entropy), in nats.

    Probabilities of exactly 0 and 1 are first moved inwards by the resolution of their dtype, so
    that one confident mistake costs much but not infinity; scikit-learn does the same.

    Args:
        y: labels, 0 or 1.
        p: probabilities of label 1.

    Example:
        >>> round(log_loss([1, 0], [0.5, 0.5]), 4)
        0.6931
    """
    resolution = np.finfo(np.result_type(np.asarray(p).dtype, np.float16)).eps
    y, p = _probabilities(y, p)
    p = np.clip(p, resolution, 1 - resolution)
    return float(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p))))


def auc(y: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a random 1 outscores a random 0, ties half.

    From mid-ranks, as the Mann-Whitney statistic (Hanley & McNeil 1982, Radiology 143, pp. 29-36).
    This one pools all rows, as click data is read; ``full_ranking`` averages an AUC a user.

    Args:
        y: labels, 0 or 1.
        score: any numbers that grow with the chance of label 1.

    Raises:
        ValueError: all labels are equal.

    Example:
        >>> auc([0, 1, 1], [0.2, 0.2, 0.9])
        0.75
    """
    y, score = _aligned(y, score)
    _check_labels(y)
    positives = int(y.sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        raise ValueError(f"All {len(y)} labels are {int(y[0])}; AUC needs both 0 and 1.")
    ranks = stats.rankdata(score)
    wins = ranks[y == 1].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def calibration(y: np.ndarray, p: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Predicted against observed probability in bins of equal width; empty bins are left out.

    Args:
        y: labels, 0 or 1.
        p: probabilities of label 1.
        bins: how many parts to cut [0, 1] into; a bin holds its lower edge, the last both.

    Returns:
        A row a bin: ``count``, mean ``predicted`` probability, ``observed`` share of label 1.

    Raises:
        ValueError: ``bins`` is not positive.

    Example:
        >>> table = calibration([0, 1, 1, 1], [0.25, 0.25, 0.75, 0.75], bins=2)
        >>> table.loc[0].to_dict()
        {'count': 2.0, 'predicted': 0.25, 'observed': 0.5}
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}; expected at least 1.")
    y, p = _probabilities(y, p)
    rows = pd.DataFrame({"bin": np.minimum((p * bins).astype(int), bins - 1), "p": p, "y": y})
    return rows.groupby("bin").agg(
        count=("y", "size"), predicted=("p", "mean"), observed=("y", "mean")
    )


def calibration_error(y: np.ndarray, p: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: the mean gap of predicted and observed, bins by their count.

    After Naeini, Cooper & Hauskrecht 2015, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning", AAAI, pp. 2901-2907.

    Example:
        >>> round(calibration_error([0, 1, 1, 1], [0.1, 0.1, 0.8, 0.8], bins=2), 4)
        0.3
    """
    table = calibration(y, p, bins)
    gaps = (table["predicted"] - table["observed"]).abs()
    return float(np.average(gaps, weights=table["count"]))


def _aligned(y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64, or a ValueError that says what is wrong with them."""
    y, p = np.asarray(y, np.float64), np.asarray(p, np.float64)
    if y.shape != p.shape or y.ndim != 1:
        raise ValueError(
            f"Truth has shape {y.shape} and prediction {p.shape}; expected two aligned 1-d arrays. "
            "Flatten a model's (n, 1) output with .ravel()."
        )
    if not len(y):
        raise ValueError("Truth and prediction are empty; expected at least one row.")
    for name, values in (("truth", y), ("prediction", p)):
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise ValueError(
                f"The {name} is {values[bad[0]]} in row {bad[0]}; expected finite numbers."
            )
    return y, p


def _check_labels(y: np.ndarray) -> None:
    bad = np.flatnonzero((y != 0) & (y != 1))
    if len(bad):
        raise ValueError(f"Label {y[bad[0]]:g} in row {bad[0]}; expected 0 or 1.")


def _probabilities(y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, p = _aligned(y, p)
    _check_labels(y)
    bad = np.flatnonzero((p < 0) | (p > 1))
    if len(bad):
        raise ValueError(
            f"Probability {p[bad[0]]:g} in row {bad[0]}; expected 0 to 1. Turn logits into "
            "probabilities with a sigmoid first."
        )
    return y, p
