"""Scores of every item from a model that scores one pair of user and item at a time."""

from collections.abc import Callable

import numpy as np

PAIRS = 1 << 16
"""Pairs that are scored at a time."""


def scores_of_pairs(
    users: np.ndarray, n_items: int, logits: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Each of ``users`` with every item, in blocks that are all of one size.

    Args:
        users: (n,) ids.
        n_items: how many items exist.
        logits: takes aligned ids of users and items, int32, and returns a score each.

    Returns:
        (n, n_items) float32.

    Example:
        >>> scores_of_pairs(np.array([2, 1]), 3, lambda user, item: 10.0 * user + item)
        array([[20., 21., 22.],
               [10., 11., 12.]], dtype=float32)
    """
    users = np.asarray(users, np.int32)
    scores = np.empty((len(users), n_items), np.float32)
    at_a_time = max(1, PAIRS // n_items)
    every = np.arange(n_items, dtype=np.int32)
    for start in range(0, len(users), at_a_time):
        # The last block overlaps the one before: one shape is traced, not two.
        start = max(0, min(start, len(users) - at_a_time))
        block = users[start : start + at_a_time]
        found = logits(np.repeat(block, n_items), np.tile(every, len(block)))
        scores[start : start + len(block)] = np.reshape(found, (len(block), n_items))
    return scores
