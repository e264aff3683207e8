"""Checks of lesson 01: splits, metrics of a rank, ties."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close


@check
def last_of_each_user(attempt: Callable) -> str | None:
    """A mask of each user's latest interaction, on seven rows in no order."""
    user = np.array([2, 0, 1, 0, 2, 0, 1])
    timestamp = np.array([30, 90, 10, 20, 40, 50, 5])
    mask = np.asarray(answer(attempt, user, timestamp))
    expected = np.array([False, True, True, False, True, False, False])
    if mask.shape != expected.shape or mask.dtype != bool:
        return f"Expected {len(user)} booleans, one a row; got shape {mask.shape}, {mask.dtype}."
    if mask.sum() != 3:
        return f"Three users, so three last interactions; your mask has {mask.sum()}."
    if not np.array_equal(mask, expected):
        return (
            "User 0's latest interaction is the one at time 90, although two of their rows come "
            "after it in the table. Sort by user and time, or compare times."
        )
    return None


@check
def ndcg_of_rank(attempt: Callable) -> str | None:
    """NDCG of ranks 1, 2, 3, 4 and 11."""
    rank = np.array([1, 2, 3, 4, 11])
    values = answer(attempt, rank, 3)
    expected = np.array([1.0, 1 / np.log2(3), 0.5, 0.0, 0.0])
    if np.shape(values) != rank.shape:
        return f"Expected one value a rank, {len(rank)} in all; got shape {np.shape(values)}."
    if close(values, [1.0, 1 / 2, 1 / 3, 0.0, 0.0]):
        return "That is the reciprocal rank. NDCG divides by the logarithm of rank + 1, base 2."
    if not np.isclose(np.asarray(values, float)[0], 1.0):
        return "First place should count exactly 1: the logarithm is base 2, and of rank + 1."
    if np.any(np.asarray(values, float)[3:] != 0):
        return "With k = 3 a rank of 4 is not on the list, so it counts 0."
    return None if close(values, expected) else f"For ranks {rank} and k = 3 expect {expected}."


@check
def tied_hit_rate(attempt: Callable) -> str | None:
    """Chance of a place on a list of 5: certain, impossible, and between."""
    better, tied = np.array([0, 4, 3, 5, 0]), np.array([0, 0, 4, 2, 99])
    values = answer(attempt, better, tied, 5)
    expected = np.array([1.0, 1.0, 2 / 5, 0.0, 5 / 100])
    if np.shape(values) != expected.shape:
        return f"Expected {len(expected)} probabilities; got shape {np.shape(values)}."
    values = np.asarray(values, float)
    if np.any((values < 0) | (values > 1)):
        return "A probability lies between 0 and 1; five better items leave no place at all."
    if close(values, better < 5):
        return "That is the optimist's answer: it puts the hidden item first among its equals."
    if close(values, better + tied < 5):
        return "That is the pessimist's answer: it puts the hidden item last among its equals."
    if not close(values, expected):
        return (
            "With 3 better and 4 others equal, the item lies on one of ranks 4 to 8, and two of "
            "these five are on a list of 5. Mind that the item itself is one of the equals."
        )
    return None
