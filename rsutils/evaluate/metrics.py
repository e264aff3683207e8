"""Rank metrics as plain functions: ``Ranks`` in, one value a row out.

All are exact expectations over random order of tied items (see ``rsutils.evaluate.ties``), lie
between 0 and 1, and are better when larger. ``k`` cuts the list; None reads it to its end.

With one relevant item a row, as after a leave-last-out split, HR@k and Recall@k are the same and
NDCG@k is 1 / log2(rank + 1) inside the list, 0 outside.
"""

from collections.abc import Callable, Sequence

import numpy as np

from rsutils.evaluate.ties import Ranks


def hr(ranks: Ranks, k: int | None = None) -> np.ndarray:
    """Hit rate: whether at least one relevant item is among the first k: (n,).

    Where the k-th place falls inside a group of t tied items, of which p are relevant and s get a
    place, the chance of a miss is hypergeometric: C(t - p, s) / C(t, s).

    Example:
        >>> constant = Ranks.of(np.zeros((1, 100)), row=[0], item=[7])
        >>> hr(constant, k=10)
        array([0.1])
    """
    k = _cut(ranks, k)
    places = np.clip(k - ranks.above, 0, ranks.tied)
    contested = (places > 0) & (places < ranks.tied)
    starts = np.searchsorted(ranks.row, np.arange(len(ranks.candidates)))
    before = np.cumsum(contested) - contested
    nth = before - before[starts][ranks.row]
    # C(t - p, s) / C(t, s) as a product over the p relevant items, so that no factorial is needed.
    miss = np.where(
        contested, (ranks.tied - places - nth) / np.maximum(ranks.tied - nth, 1), places == 0
    )
    return 1.0 - np.multiply.reduceat(np.maximum(miss, 0.0), starts)


def recall(ranks: Ranks, k: int | None = None) -> np.ndarray:
    """Share of the row's relevant items that are among the first k: (n,).

    The denominator is the number of relevant items, also where that exceeds k, as in trec_eval.

    Example:
        >>> two_relevant = Ranks.of([[0.9, 0.8, 0.7, 0.6]], row=[0, 0], item=[0, 3])
        >>> recall(two_relevant, k=2)
        array([0.5])
    """
    places = np.clip(_cut(ranks, k) - ranks.above, 0, ranks.tied)
    return ranks.sum(places / ranks.tied) / ranks.positives


def ndcg(ranks: Ranks, k: int | None = None) -> np.ndarray:
    """Normalized discounted cumulative gain: (n,).

    DCG@k sums 1 / log2(rank + 1) over relevant items within the first k; the ideal puts all
    relevant items first. Gains are 0 or 1. Cumulated gain is due to Järvelin & Kekäläinen 2002,
    "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20(4), pp. 422-446, who discount by
    log_b(rank) from rank b on; log2(rank + 1) is the form in use since, in trec_eval as well.

    Example:
        >>> second = Ranks.of([[0.9, 0.8, 0.7]], row=[0], item=[1])
        >>> ndcg(second, k=2).round(4)
        array([0.6309])
    """
    k = _cut(ranks, k)
    total = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))])
    inside = total[np.minimum(ranks.above + ranks.tied, k)] - total[np.minimum(ranks.above, k)]
    return ranks.sum(inside / ranks.tied) / total[np.minimum(ranks.positives, k)]


def mrr(ranks: Ranks, k: int | None = None) -> np.ndarray:
    """Reciprocal rank of the first relevant item, 0 where it is not among the first k: (n,).

    Its mean over rows is the MRR (Voorhees 1999, "The TREC-8 question answering track report").

    Example:
        >>> third = Ranks.of([[0.9, 0.8, 0.7]], row=[0], item=[2])
        >>> mrr(third).round(4), mrr(third, k=2)
        (array([0.3333]), array([0.]))
    """
    k = _cut(ranks, k)
    best = np.full(len(ranks.candidates), np.iinfo(np.int64).max)
    np.minimum.at(best, ranks.row, ranks.above)
    first = ranks.above == best[ranks.row]
    tied = np.zeros(len(best), np.int64)
    tied[ranks.row[first]] = ranks.tied[first]
    relevant = np.bincount(ranks.row[first], minlength=len(best))
    value = np.where(best < k, 1.0 / (best + 1), 0.0)
    for row in np.flatnonzero(tied > 1):
        value[row] = _reciprocal_in_tie(best[row], tied[row], relevant[row], k)
    return value


def _reciprocal_in_tie(above: int, tied: int, relevant: int, k: int) -> float:
    """Expected 1 / rank of the first of ``relevant`` items, shuffled among ``tied`` ones.

    The first stands at place j with chance P(j) = C(tied - j, relevant - 1) / C(tied, relevant).
    """
    places = min(tied - relevant + 1, k - above)
    if places <= 0:
        return 0.0
    j = np.arange(1, places)
    ratio = (tied - j - relevant + 1) / (tied - j)  # P(j + 1) / P(j)
    chance = relevant / tied * np.concatenate([[1.0], np.cumprod(ratio)])
    return float(np.sum(chance / (above + np.arange(1, places + 1))))


def user_auc(ranks: Ranks, k: int | None = None) -> np.ndarray:
    """Chance that a relevant item of the row outscores one that is not, ties counting half: (n,).

    It reads the whole list, so ``k`` must be None. From mid-ranks, as the Mann-Whitney statistic
    (Hanley & McNeil 1982, Radiology 143, pp. 29-36).

    Raises:
        ValueError: ``k`` is given, or every candidate of a row is relevant.

    Example:
        >>> user_auc(Ranks.of([[0.9, 0.8, 0.8]], row=[0], item=[1]))
        array([0.25])
    """
    if k is not None:
        raise ValueError(f"k is {k}; AUC reads the whole list, expected None.")
    positives = ranks.positives
    negatives = ranks.candidates - positives
    if (negatives == 0).any():
        row = np.flatnonzero(negatives == 0)[0]
        raise ValueError(
            f"All {positives[row]} candidates of row {row} are relevant; AUC needs one that is "
            "not. Leave such rows out, or take another metric."
        )
    mid_ranks = ranks.sum(ranks.above + (ranks.tied + 1) / 2)
    return 1.0 - (mid_ranks - positives * (positives + 1) / 2) / (positives * negatives)


def _cut(ranks: Ranks, k: int | None) -> int:
    """``k``, or the longest ranking's length for None."""
    if k is None:
        return int(ranks.candidates.max(initial=1))
    if k < 1:
        raise ValueError(f"k is {k}; expected at least 1, or None for the whole list.")
    return int(k)


METRICS: dict[str, Callable[[Ranks, int | None], np.ndarray]] = {
    "hr": hr,
    "ndcg": ndcg,
    "recall": recall,
    "mrr": mrr,
    "auc": user_auc,
}


def evaluate_ranks(
    ranks: Ranks, metrics: Sequence[str], k: int | Sequence[int] | None
) -> dict[str, np.ndarray]:
    """Every metric at every cut: (n,) arrays by names such as ``"ndcg@10"`` and ``"auc"``.

    Raises:
        ValueError: a metric is unknown, or a cut is not positive.

    Example:
        >>> ranks = Ranks.of([[0.9, 0.8, 0.7]], row=[0], item=[1])
        >>> evaluate_ranks(ranks, metrics=("hr", "auc"), k=(1, 2))
        {'hr@1': array([0.]), 'hr@2': array([1.]), 'auc': array([0.5])}
    """
    cuts = (k,) if k is None or isinstance(k, int) else k
    values = {}
    for metric in metrics:
        if metric not in METRICS:
            raise ValueError(f"Metric {metric!r} is unknown; expected {', '.join(METRICS)}.")
        for cut in (None,) if metric == "auc" else cuts:
            name = metric if cut is None else f"{metric}@{cut}"
            values[name] = METRICS[metric](ranks, cut)
    return values
