"""Why metrics on sampled negatives mislead, as a formula.

Among m negatives drawn at random, an item at rank r of n moves to rank 1 + Binomial(m, (r - 1) /
(n - 1)). So HR@10 among 99 negatives does not ask who is among the first 10 items but, softly, who
is in the first tenth of the catalogue. The fewer the negatives, the more alike all metrics: with
one they measure AUC (Krichene & Rendle 2020, "On Sampled Metrics for Item Recommendation", KDD,
pp. 1748-1757).
"""

import numpy as np
from scipy import stats

from rsutils.evaluate.metrics import METRICS
from rsutils.evaluate.ties import Ranks


def expected_when_sampled(
    metric: str, rank: np.ndarray, n_items: int, m: int, k: int | None = None
) -> np.ndarray:
    """What a sampled metric gives, on average, to an item at ``rank`` of the full ranking.

    Args:
        metric: ``hr``, ``ndcg``, ``recall``, ``mrr`` or ``auc``.
        rank: (r,) ranks among all candidates, from 1.
        n_items: candidates in the full ranking, the positive included.
        m: negatives drawn, with replacement.
        k: list length; None reads lists to their end.

    Returns:
        (r,) expectations over the draw.

    Raises:
        ValueError: the metric is unknown, or a rank lies outside 1 to ``n_items``.

    Example:
        Rank 100 of 3,416 is far outside a list of 10, but not among 99 sampled negatives.

        >>> expected_when_sampled("hr", [100], n_items=3416, m=99, k=10).round(3)
        array([0.999])
    """
    if metric not in METRICS:
        raise ValueError(f"Metric {metric!r} is unknown; expected {', '.join(METRICS)}.")
    if m < 1 or n_items < 2:
        raise ValueError(f"m is {m} and n_items {n_items}; expected at least 1 and 2.")
    rank = np.asarray(rank)
    if rank.size and (rank.min() < 1 or rank.max() > n_items):
        raise ValueError(f"Ranks run from {rank.min()} to {rank.max()}; expected 1 to {n_items}.")
    beaten_by = np.arange(m + 1)
    one = np.ones(m + 1, np.int64)
    values = METRICS[metric](Ranks(beaten_by, beaten_by, one, (m + 1) * one), k)
    return stats.binom.pmf(beaten_by, m, (rank[:, None] - 1) / (n_items - 1)) @ values
