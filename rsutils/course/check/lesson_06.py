"""Checks of lesson 06: the order of an epoch, Adam on the touched rows, the corrected sample."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close


@check
def epoch_slices(attempt: Callable) -> str | None:
    """Ten rows in batches of four."""
    parts = list(answer(attempt, 10, 4, np.random.default_rng(0)))
    if not all(np.ndim(part) == 1 for part in parts):
        return "Return a list of index arrays, one a batch."
    sizes = [len(part) for part in parts]
    if sizes == [4, 4]:
        return "Two rows are never seen: the last, smaller batch belongs to the epoch, too."
    if sizes != [4, 4, 2]:
        return f"Ten rows in batches of four are batches of 4, 4 and 2 rows; got {sizes}."
    rows = np.concatenate(parts)
    if len(set(rows.tolist())) < 10:
        return "Some rows come twice and others not at all. Draw an order, not rows."
    if sorted(rows.tolist()) != list(range(10)):
        return "The indices must be 0 to 9."
    if np.array_equal(rows, np.arange(10)):
        return "The rows come in the order of the table. Shuffle them."
    if all(np.ptp(part) < len(part) for part in parts):
        return "Neighbours stay together: shuffle the rows before cutting, not the batches after."
    rng = np.random.default_rng(0)
    first, second = (np.concatenate(list(answer(attempt, 10, 4, rng))) for _ in range(2))
    if np.array_equal(first, second):
        return "Two epochs must differ: take the order from the generator that was passed."
    return None


@check
def adam_on_rows(attempt: Callable) -> str | None:
    """Three rows, of which the batch touched row 1 twice and row 2 once."""
    table, mean, square = np.full((3, 1), 5.0), np.full((3, 1), 0.5), np.full((3, 1), 0.25)
    rows, gradient = np.array([1, 1, 2]), np.array([[1.0], [2.0], [-1.0]])
    found = answer(attempt, table.copy(), mean.copy(), square.copy(), rows, gradient, 3, 0.1)
    if not isinstance(found, tuple | list) or [np.shape(a) for a in found] != [(3, 1)] * 3:
        return "Return three arrays of the table's shape: the table and both averages."
    new_table, new_mean, new_square = (np.asarray(array, float) for array in found)
    if not close(new_mean[0], [0.5]) or not close(new_square[0], [0.25]):
        return "No batch row named row 0: its averages must stand still."
    if not close(new_table[0], [5.0]):
        return "No batch row named row 0: it must not move."
    if close(new_mean[1], [0.9 * 0.5 + 0.1 * 2.0]) or close(new_mean[1], [0.9 * 0.5 + 0.1 * 1.0]):
        return "Row 1 occurs twice in the batch: its gradients, 1 and 2, add up to 3."
    if close(new_mean[1], [0.9 * (0.9 * 0.5 + 0.1) + 0.2]):
        return "Row 1 was updated twice. Add up the gradients of a row first, then update once."
    if not close(new_mean[1:], [[0.75], [0.35]]):
        return "The mean of row 1 becomes .9 times .5 plus .1 times 3, that is .75."
    if close(new_square[1], [0.999 * 0.25 + 0.001 * 5]):
        return "Square the sum of a row's gradients, 3² = 9, not each of them."
    if not close(new_square[1:], [[0.999 * 0.25 + 0.009], [0.999 * 0.25 + 0.001]]):
        return "The square of row 1 becomes .999 times .25 plus .001 times 9."
    m, v = new_mean[1:, 0], new_square[1:, 0]
    right = 0.1 * (m / (1 - 0.9**3)) / (np.sqrt(v / (1 - 0.999**3)) + 1e-7)
    if close(5.0 - new_table[1:, 0], 0.1 * m / (np.sqrt(v) + 1e-7)):
        return "The averages began at 0: divide by 1 - .9^step and 1 - .999^step before the step."
    if not np.allclose(5.0 - new_table[1:, 0], right, rtol=1e-3):
        return "A row moves by -rate · mean / sqrt(square), both averages corrected for step 3."
    return None


@check
def sampled_loss(attempt: Callable) -> str | None:
    """One target of score 0; items of score log 2, drawn once or twice as often."""
    score, drawn, chance = 0.0, np.log([2.0, 2.0]), np.array([0.5, 0.25])
    found = answer(attempt, score, drawn, chance)
    if np.shape(found) != ():
        return f"Return one number, the loss; got the shape {np.shape(found)}."
    # The sample stands for 2 / (2 · .5) + 2 / (2 · .25) = 6 beside the target's 1.
    if close(found, np.log(5.0)):
        return "That is the loss among the drawn items. They stand for all: divide by k times q."
    if close(found, np.log(6.0)) or close(found, np.log(1 + 2 / 0.5 + 2 / 0.25)):
        return "Count the target itself once, and each drawn item 1 / (k q) times, with k = 2."
    if close(found, np.log(1 + 2 * 2 * 0.5 + 2 * 2 * 0.25)):
        return "The other way round: what is drawn often must count less, not more."
    if close(found, -np.log(7.0)):
        return "That is log P. The loss is its negative."
    if not close(found, np.log(7.0)):
        return "Expected log(1 + 2 / (2 · .5) + 2 / (2 · .25)) = log 7."
    if not close(answer(attempt, np.log(4.0), np.log([3.0]), np.array([0.25])), np.log(4.0)):
        return "Right for one case. A target of score log 4 and one item, log 3, q = .25: log 4."
    return None
