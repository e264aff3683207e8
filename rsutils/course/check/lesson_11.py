"""Checks of lesson 11: the mask by magnitude, the schedule, two of every four."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close


@check
def magnitude_mask(attempt: Callable) -> str | None:
    """Ten weights, of which six go."""
    weights = np.array([[0.3, -2.0, 0.7, 0.05, 1.0], [-0.2, 0.4, -3.0, 0.0, 0.1]])
    found = np.asarray(answer(attempt, weights.copy(), 0.6))
    if found.shape != weights.shape:
        return f"The mask has the shape of the weights, (2, 5); got {found.shape}."
    if found.dtype != bool and not np.isin(found, (0, 1)).all():
        return "Return which weights stay, as True and False, not the weights themselves."
    kept = found.astype(bool)
    right = np.abs(weights) >= 0.7
    if np.array_equal(kept, ~right):
        return "The other way round: True is for the weights that stay, the large ones."
    if np.array_equal(kept, weights >= np.sort(weights.ravel())[6]):
        return "-3 is a large weight: what counts is the absolute value."
    if np.array_equal(kept, np.abs(weights) > 0.6 * np.abs(weights).max()):
        return "0.6 is the share of the weights that go, not a share of the largest one."
    if kept.sum() == 6:
        return "Sparsity 0.6 means that 6 of 10 weights go, and 4 stay."
    if kept.sum(1).tolist() == [2, 2]:
        return "Rank all weights of the array together, not each row by itself."
    if not np.array_equal(kept, right):
        return "The four largest absolute values stay: 3, 2, 1 and 0.7."
    if not np.asarray(answer(attempt, weights.copy(), 0.0)).all():
        return "With sparsity 0 everything stays, zeros too."
    return None


@check
def sparsity_at(attempt: Callable) -> str | None:
    """From 0 at step 100 to .8 at step 300."""
    values = [float(answer(attempt, step, 100, 300, 0.8)) for step in (100, 200, 300)]
    if close(values, [0.8, 0.1, 0.0]):
        return "That is what is still to be pruned. Subtract it from the final sparsity."
    if close(values, [0.0, 0.4, 0.8]):
        return "That is a straight line. Raise the rest, 1 - t, to the third power."
    if close(values, [0.0, 0.1, 0.8]):
        return "t to the third power is slow at first. It is (1 - t) that is raised."
    if not close(values, [0.0, 0.7, 0.8]):
        return "At steps 100, 200 and 300: 0, then .8 - .8 · .5³ = .7, then .8."
    if not close(float(answer(attempt, 20, 100, 300, 0.8)), 0.0):
        return "Before the first step of the schedule, step 100, nothing is pruned."
    if not close(float(answer(attempt, 900, 100, 300, 0.8)), 0.8):
        return "After the last step of the schedule the sparsity stays at .8."
    return None


@check
def two_of_four(attempt: Callable) -> str | None:
    """A kernel with eight inputs and two outputs."""
    kernel = np.array(
        [[1.0, 0.1], [-4.0, 0.2], [3.0, 0.3], [2.0, -0.4], [0.1, 5], [0.2, 6], [0.3, 7], [0.05, 8]]
    )
    found = np.asarray(answer(attempt, kernel.copy()))
    if found.shape != kernel.shape:
        return f"The mask has the shape of the kernel, (8, 2); got {found.shape}."
    kept = found.astype(bool)
    right = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0], [1, 0], [1, 1], [0, 1]], bool)
    if np.array_equal(kept, ~right):
        return "The other way round: the two largest of each four stay."
    if kept.sum() == 8 and not (kept.reshape(2, 4, 2).sum(1) == 2).all():
        return "Half of the weights stay, but not two in every four inputs of each output."
    if np.array_equal(kept[:4, 0], kernel[:4, 0] >= 2):
        return "-4 is a large weight: what counts is the absolute value."
    if not np.array_equal(kept, right):
        return "Of inputs 1 to 4 and of inputs 5 to 8, for each output, the two largest stay."
    return None
