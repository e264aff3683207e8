"""What a large model knows, as something that a small one can learn from.

A label says which of two things happened; a good teacher's probability says how likely each was,
and so tells more about a row (Hinton et al. 2015, "Distilling the knowledge in a neural network",
arXiv:1503.02531, section 2). For one logit z and a target t the binary cross-entropy is
softplus(z) - t z, linear in the target. So the loss against label y plus the loss against the
teacher's probability p, weighted 1 - a and a, is one loss against the target (1 - a) y + a p: to
distil is to train as always, on other labels.

The Kullback-Leibler divergence of softmaxes, which libraries offer for classes, says nothing here:
the softmax of a single output is 1 for teacher and student alike.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from rsutils.data.dataset import FieldRows
from rsutils.models.base import Recommender, top_k
from rsutils.models.checks import check_counts, check_positive, check_range

USERS = 512
"""Users whose scores are computed at a time."""
FURTHEST = 1e3
"""Spreads from the mean; what a user has may lie further off, and is put there."""


def mixed_labels(label: np.ndarray, probability: np.ndarray, weight: float) -> np.ndarray:
    """Targets between the labels and what the teacher thinks: (1 - weight) y + weight p.

    Args:
        label: (n,) 0 or 1.
        probability: (n,) the teacher's, from 0 to 1.
        weight: of the teacher, from 0 to 1.

    Returns:
        (n,) float32.

    Raises:
        ValueError: lengths differ, or a number is out of its range.

    Example:
        >>> mixed_labels([1, 0], [0.5, 0.25], weight=0.5).tolist()
        [0.75, 0.125]
    """
    label, probability = np.asarray(label, np.float32), np.asarray(probability, np.float32)
    check_range(0, 1, weight=weight)
    if label.shape != probability.shape:
        raise ValueError(
            f"label has the shape {label.shape} and probability {probability.shape}; expected one "
            "of each for every row."
        )
    for name, values in (("label", label), ("probability", probability)):
        wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))
        if len(wrong):
            raise ValueError(
                f"{name} is {values.flat[wrong[0]]:g} in row {wrong[0]}; expected 0 to 1. "
                "Logits become probabilities by a sigmoid."
            )
    return ((1 - weight) * label + weight * probability).astype(np.float32)


def mixed_rows(rows: FieldRows, probability: np.ndarray, weight: float) -> FieldRows:
    """The same rows with :func:`mixed_labels`.

    Example:
        >>> rows = FieldRows(np.zeros((2, 3), np.int32), np.float32([1, 0]))
        >>> mixed_rows(rows, [0.5, 0.25], weight=1.0).label.tolist()
        [0.5, 0.25]
    """
    return FieldRows(rows.features, mixed_labels(rows.label, probability, weight))


def standardized(scores: np.ndarray, taken: sparse.csr_matrix) -> np.ndarray:
    """Scores in units of each user's mean and spread over the items that they do not have.

    Models score on scales of their own; so treated they can be averaged.

    Args:
        scores: (n_users, n_items).
        taken: (n_users, n_items) csr, whose non-zero entries are left out of mean and spread.

    Returns:
        (n_users, n_items) float32. A user whose scores are all equal gets zeros.

    Raises:
        ValueError: shapes differ, or a score is not finite.

    Example:
        >>> taken = sparse.csr_matrix([[0, 0, 1]])
        >>> standardized(np.array([[1.0, 3.0, 9.0]]), taken).tolist()
        [[-1.0, 1.0, 7.0]]
    """
    scores = np.asarray(scores, np.float32)
    if scores.shape != taken.shape:
        raise ValueError(f"Scores of shape {scores.shape} for {taken.shape} users and items.")
    if not np.isfinite(scores).all():
        raise ValueError("There are scores that are not finite; expected a teacher that has some.")
    free = taken.toarray() == 0
    n = np.maximum(free.sum(1, keepdims=True), 1)
    mean = np.where(free, scores, 0).sum(1, keepdims=True, dtype=float) / n
    square = np.where(free, np.square(scores - mean), 0).sum(1, keepdims=True, dtype=float) / n
    # A spread that is all rounding says nothing.
    flat = square <= np.square(1e-6 * np.abs(mean))
    spread = np.sqrt(np.where(flat, np.inf, square))
    return np.clip((scores - mean) / spread, -FURTHEST, FURTHEST).astype(np.float32)


def teacher_scores(teachers: Sequence[Recommender], taken: sparse.csr_matrix) -> np.ndarray:
    """The mean of the teachers' standardized scores, standardized again.

    Args:
        teachers: fitted on the same users and items; of any kind, or a single one.
        taken: (n_users, n_items) csr, what the users have.

    Returns:
        (n_users, n_items) float16; a teacher of 6,040 users and 3,706 items takes 45 MB.

    Raises:
        ValueError: there is no teacher, or one knows other users or items.
    """
    if not teachers:
        raise ValueError("There is no teacher; expected one at least.")
    for teacher in teachers:
        found = teacher.n_users_, teacher.n_items_
        if found != taken.shape:
            raise ValueError(
                f"{type(teacher).__name__} knows {found[0]} users and {found[1]} items; expected "
                f"{taken.shape[0]} and {taken.shape[1]}, as in taken."
            )
    scores = np.empty(taken.shape, np.float16)
    for start in range(0, len(scores), USERS):
        users = np.arange(start, min(start + USERS, len(scores)))
        own = taken[users]
        total = sum(standardized(teacher.scores(users), own) for teacher in teachers)
        scores[users] = standardized(total, own)
    return scores


def ranking_labels(
    scores: np.ndarray, taken: sparse.csr_matrix, k: int = 10, decay: float = 10.0
) -> tuple[np.ndarray, np.ndarray]:
    """The teacher's first ``k`` items of each user, as extra positives with weights.

    Tang & Wang 2018, "Ranking distillation" (arXiv:1809.07428, section 4.2): the weight of place r,
    from 1, is exp(-r / decay), and the weights of a user add up to 1.

    Args:
        scores: (n_users, n_items), the teacher's.
        taken: (n_users, n_items) csr; what a user has is not taught again.
        k: items a user.
        decay: places in which the weight falls to 1/e.

    Returns:
        Items (n_users, k) int32, best first, and weights (k,) float32.

    Raises:
        ValueError: ``k`` or ``decay`` is out of range, or a user has fewer than ``k`` items left.

    Example:
        >>> items, weight = ranking_labels(
        ...     np.array([[0.9, 0.1, 0.5, 0.7]]), sparse.csr_matrix([[1, 0, 0, 0]]), k=2
        ... )
        >>> items.tolist(), [f"{each:.2f}" for each in weight]
        ([[3, 2]], ['0.52', '0.48'])
    """
    check_counts(k=k)
    check_positive(decay=decay)
    left = np.asarray(scores, np.float32).copy()
    left[taken.nonzero()] = -np.inf
    items = top_k(left, k)
    if (items < 0).any():
        user = int(np.flatnonzero((items < 0).any(1))[0])
        raise ValueError(f"User {user} has fewer than {k} items left; lower k.")
    weight = np.exp(-np.arange(1, k + 1) / decay)
    return items, (weight / weight.sum()).astype(np.float32)
