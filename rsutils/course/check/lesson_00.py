"""Checks of lesson 00: a list from scores, the size of a table."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check


@check
def recommend(attempt: Callable) -> str | None:
    """The 2 best of 5 items, one of them seen; the best one stands last."""
    scores, seen = np.array([0.3, 0.1, 0.9, 0.2, 1.5]), np.array([2])
    items = np.asarray(answer(attempt, scores, seen, 2))
    if items.shape != (2,):
        return f"Expected 2 item numbers; got shape {items.shape}."
    if 2 in items:
        return "Item 2 was seen already, so it must not be on the list. Give it the lowest score."
    if sorted(items.tolist()) != [0, 4]:
        return "Of the unseen items 4 and 0 have the highest scores. Larger scores are better."
    if items.tolist() != [4, 0]:
        return "These are the right items; put the best one first."
    return None


@check
def int8_table_bytes(attempt: Callable) -> str | None:
    """Three rows of ten weights."""
    size = answer(attempt, 3, 10)
    if size == 3 * 10:
        return "The weights are right; each of the 3 rows also stores a 32-bit scale."
    if size == 4 * 3 * 10:
        return "That is the fp32 table. An int8 weight takes one byte, a scale takes four."
    if size != 3 * 10 + 4 * 3:
        return "3 rows of 10 weights: 30 bytes of weights and 3 scales of 4 bytes each."
    return None
