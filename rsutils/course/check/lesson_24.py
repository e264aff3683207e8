"""Checks of lesson 24: the cheapest that is good enough, and the luck of the winner."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close

QUALITY = np.array([0.08, 0.10, 0.096, 0.05, 0.096])
COST = np.array([2.0, 9.0, 4.0, 1.0, 6.0])


@check
def cheapest_good_enough(attempt: Callable) -> str | None:
    """Of five systems, the third one costs 4 and has 96% of the best quality."""
    found = answer(attempt, QUALITY, COST, 0.95)
    if np.ndim(found) or not float(found).is_integer() or not 0 <= found < len(QUALITY):
        return f"The answer is one place, from 0 to {len(QUALITY) - 1}; got {found!r}."
    if found == 1:
        return "That is the best one. Somebody gave up a twentieth of its quality to pay less."
    if found == 3:
        return "That is the cheapest of all, with half of the best quality. Is that good enough?"
    if found == 0:
        return "It has four fifths of the best quality: the share is of the best, not of the rest."
    if found != 2:
        return "Good enough are the places 1, 2 and 4; of these, place 2 costs least."
    # The share is relative: with all qualities a tenth of these, nothing may change.
    if answer(attempt, QUALITY / 10, COST, 0.95) != 2:
        return (
            "With all qualities a tenth as large the choice is the same: multiply, do not subtract."
        )
    if answer(attempt, QUALITY, COST, 1.0) != 1:
        return "With a share of 1 only the best one is good enough; at least means that it counts."
    equal = answer(attempt, np.array([0.096, 0.1, 0.097]), np.array([4.0, 4.0, 4.0]), 0.9)
    if equal != 1:
        return "Where costs are equal, take the one with the better quality."
    return None


VALUES = np.array([[1.0, 0.0, 0.2], [0.6, 0.2, 0.4], [0.0, 1.0, 0.3], [0.2, 0.7, 0.8]])
HALF = np.array([True, True, False, False])


@check
def optimism(attempt: Callable) -> str | None:
    """Four users, three systems: the first half chooses system 0, the others would not."""
    found = answer(attempt, VALUES, HALF)
    if np.ndim(found):
        return f"The answer is one number, that of the winner; got the shape {np.shape(found)}."
    found = float(found)
    if close(found, -0.7):
        return "Turn it round: where it was chosen, less elsewhere."
    if close(found, 0.8 - 0.85):
        return "Each half chose its own winner. The winner of the first half is read on the other."
    if close(found, 0.8 - VALUES[:, 0].mean()):
        return "The whole holds the half that chose. Read the winner where nobody chose it."
    if close(found, -0.75):
        return "The winner is chosen by the first half alone, not by all users."
    if close(found, 0.8 - VALUES[~HALF].mean()):
        return "That compares the winner with all systems. Compare it with itself, elsewhere."
    if not close(found, 0.7):
        return "System 0 has 0.8 with the users who choose and 0.1 with the others: 0.7."
    uneven = np.array([True, False, False, False])
    if not close(float(answer(attempt, VALUES, uneven)), 1.0 - 0.8 / 3):
        return "The halves may differ in size: take means, not sums."
    return None
