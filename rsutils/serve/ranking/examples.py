"""What a ranker learns from: past moments, the candidates of that time, and what was taken."""

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from rsutils.data.dataset import FieldRows
from rsutils.data.interactions import Interactions
from rsutils.models.base import NOTHING, top_k
from rsutils.serve.ranking.features import UNKNOWN_USER, RankingFeatures
from rsutils.serve.ranking.signals import Histories, Signals

FEW = 5
"""Items that a stranger has, at most."""


def histories_of(log: Interactions) -> list[np.ndarray]:
    """What each user took, oldest first; of equal times in the order of the table.

    Example:
        >>> log = Interactions.of([1, 0, 1], [4, 2, 3], timestamp=[9, 1, 5])
        >>> [each.tolist() for each in histories_of(log)]
        [[2], [3, 4]]
    """
    ordered = log.chronological()
    ends = np.cumsum(np.bincount(ordered.user, minlength=log.n_users))
    return np.split(ordered.item, ends[:-1])


def before_the_tail(log: Interactions, tail: int) -> tuple[Interactions, np.ndarray]:
    """The log without each user's last ``tail`` rows, or half of them where that is fewer.

    Returns:
        The rows that are left, and (n_users,) how many were cut off.

    Example:
        >>> log = Interactions.of([0, 0, 0, 1], [5, 6, 7, 5])
        >>> left, cut = before_the_tail(log, 2)
        >>> left.item.tolist(), cut.tolist()
        ([5, 6, 5], [1, 0])
    """
    ordered = log.chronological()
    sizes = np.bincount(ordered.user, minlength=log.n_users)
    cut = np.minimum(tail, sizes // 2)
    from_end = np.cumsum(sizes)[ordered.user] - np.arange(len(ordered))
    return ordered.take(from_end > cut[ordered.user]), cut


def exact_candidates(
    signals: Signals, users: np.ndarray, histories: Histories, n: int
) -> np.ndarray:
    """The n items with the largest scores by factors, without those of the history: (len, n).

    Where fewer are left, the list is filled up with -1.
    """
    scores = users @ signals.item_factors.T
    for row, history in enumerate(histories):
        scores[row, history] = -np.inf
    return top_k(scores, n)


def ranking_examples(
    log: Interactions,
    fit: Callable[[Interactions], Signals],
    features: Callable[[Signals], RankingFeatures],
    tail: int = 20,
    candidates: int = 200,
    negatives: int = 10,
    strangers: float = 0.1,
    seed: int = 0,
    progress: bool = False,
) -> FieldRows:
    """Rows of the last moments of each user: the item taken then, and candidates that were not.

    The models that propose and describe candidates are fitted on what lies before the tail, so
    that none of them knows what was taken. Fitted on all of it, they would put each taken item on
    top, and the ranker would learn to trust them more than it may later. A moment whose item was
    not among the candidates teaches nothing about ranking them and is left out.

    Users of a log have long histories and known attributes; somebody who has just come in has
    neither. So a share of the moments is told as that of a stranger, with the last few items only.

    Args:
        log: the training log.
        fit: fits the models on the part of the log before the tail.
        features: numbers the features, given these models.
        tail: moments a user, at most.
        candidates: how many are proposed at a moment.
        negatives: candidates drawn a moment.
        strangers: share of the moments of which little is told, from 0 to 1.
        seed: of the draw.
        progress: show a progress bar.

    Returns:
        Label 1 for the item taken, 0 for the others.

    Raises:
        ValueError: no moment is left.
    """
    before, cut = before_the_tail(log, tail)
    signals = fit(before)
    described = features(signals)
    whole, rng = histories_of(log), np.random.default_rng(seed)
    rows, labels = [], []
    moments = range(1, int(cut.max(initial=0)) + 1)
    for back in tqdm(moments, "examples", disable=not progress):
        users = np.flatnonzero(cut >= back)
        taken = np.array([whole[user][-back] for user in users])
        histories = [whole[user][:-back] for user in users]
        users, histories = _as_strangers(users, histories, strangers, rng)
        moment = _examples_at(
            signals, described, users, histories, taken, candidates, negatives, rng
        )
        rows.append(moment.features)
        labels.append(moment.label)
    if not sum(map(len, labels)):
        raise ValueError(
            f"No row of {log} has its item among {candidates} candidates; expected users with at "
            "least two interactions. Take more candidates or another log."
        )
    return FieldRows(np.concatenate(rows), np.concatenate(labels))


def _as_strangers(
    users: np.ndarray, histories: Histories, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, Histories]:
    """Make some of the users unknown, with 1 to ``FEW`` items that they took last."""
    unknown = rng.random(len(users)) < share
    lengths = rng.integers(1, FEW + 1, len(users))
    told = [
        history[-length:] if stranger else history
        for history, length, stranger in zip(histories, lengths, unknown, strict=True)
    ]
    return np.where(unknown, UNKNOWN_USER, users), told


def _examples_at(
    signals: Signals,
    features: RankingFeatures,
    users: np.ndarray,
    histories: Histories,
    taken: np.ndarray,
    candidates: int,
    negatives: int,
    rng: np.random.Generator,
) -> FieldRows:
    """One moment of each of ``users``."""
    factors = signals.fold_in([np.unique(history) for history in histories])
    items = exact_candidates(signals, factors, histories, candidates)
    among = np.flatnonzero((items == taken[:, None]).any(axis=1))
    items, taken = items[among], taken[among]
    histories = [histories[row] for row in among]
    there = items != NOTHING
    known = np.where(there, items, 0)
    described = signals.describe(histories, factors[among], known)
    described[~there] = -np.inf
    rows = features.rows(users[among], histories, known, described)
    label = (items == taken[:, None]).astype(np.float32)
    drawn = np.where(there, rng.random(items.shape), 2.0).argsort(axis=1)[:, :negatives]
    kept = np.zeros(items.shape, bool)
    np.put_along_axis(kept, drawn, True, axis=1)
    kept = (kept & there) | (label > 0)
    return FieldRows(rows[kept], label[kept])
