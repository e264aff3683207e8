"""Rows with several labels, some of them not known."""

import numpy as np

from rsutils.data.interactions import Interactions
from rsutils.data.negatives import sample_negatives

UNKNOWN = -1
"""The label of a task that a row says nothing of: nobody rates what they have not seen."""


def click_and_like(
    interactions: Interactions,
    negatives: int,
    seed: int,
    liked: float = 4.0,
    known: Interactions | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a user and an item, labelled twice: was it taken, and if so, was it liked?

    Args:
        interactions: with ratings.
        negatives: items drawn for each interaction among those that its user does not have. These
            rows have label 0 for taken, and no label for liked.
        seed: of the draws.
        liked: ratings from here on count as liked.
        known: what no item is drawn from: all that users have, where ``interactions`` is a part of
            it; None for ``interactions`` themselves.

    Returns:
        Features (n, 2) int32, items numbered after the users, and labels (n, 2) float32. The
        interactions come first, in their order.

    Example:
        >>> log = Interactions.of(user=[0, 1], item=[0, 1], rating=[5, 2])
        >>> features, labels = click_and_like(log, negatives=1, seed=0)
        >>> features.tolist(), labels.tolist()
        ([[0, 2], [1, 3], [0, 3], [1, 2]], [[1.0, 1.0], [1.0, 0.0], [0.0, -1.0], [0.0, -1.0]])
    """
    known = interactions if known is None else known
    drawn = sample_negatives(known, interactions.user, negatives, seed=seed)
    user = np.concatenate([interactions.user, np.repeat(interactions.user, negatives)])
    item = np.concatenate([interactions.item, drawn.ravel()])
    labels = np.full((len(user), 2), [0, UNKNOWN], np.float32)
    labels[: len(interactions), 0] = 1
    labels[: len(interactions), 1] = interactions.rating >= liked
    return np.stack([user, interactions.n_users + item], axis=1).astype(np.int32), labels


def check_labels(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The share of rows with a label, for each task.

    Raises:
        ValueError: rows and labels do not fit, a label is another than 0, 1 or -1, or a task has
            none.

    Example:
        >>> check_labels(np.zeros((2, 3)), np.array([[1, 0], [0, UNKNOWN]])).tolist()
        [1.0, 0.5]
    """
    if labels.ndim != 2 or not labels.size or len(features) != len(labels):
        raise ValueError(
            f"Got {len(features)} rows and labels of shape {labels.shape}; expected at least one "
            "row, and labels (n, n_tasks)."
        )
    if features.ndim != 2 or not features.shape[1]:
        raise ValueError(
            f"features have shape {features.shape}; expected (n, n_fields), an id a field."
        )
    wrong = np.argwhere(~np.isin(labels, (0, 1, UNKNOWN)))
    if len(wrong):
        row, task = wrong[0]
        raise ValueError(
            f"Label {labels[row, task]:g} in row {row}, task {task}; expected 0, 1, or {UNKNOWN} "
            "where it is not known."
        )
    known = (labels != UNKNOWN).mean(axis=0)
    if not known.all():
        raise ValueError(f"Task {known.argmin()} has no label in any row; leave it out.")
    return known
