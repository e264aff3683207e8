"""Checks of lesson 05: causal attention, hidden items, low-rank adaptation."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close


@check
def causal_attention(attempt: Callable) -> str | None:
    """Equal keys, so every place that may be seen counts alike; then unequal ones."""
    Q, K, V = np.zeros((3, 4)), np.ones((3, 4)), np.array([[3.0], [5.0], [13.0]])
    found = answer(attempt, Q, K, V)
    if np.shape(found) != (3, 1):
        return f"Expected one output a place, (3, 1); got {np.shape(found)}."
    found = np.asarray(found, float)
    if close(found, [[7.0]] * 3):
        return "Every place sees the whole sequence, so it sees what it should predict. Mask it."
    if close(found, [[7.0], [9.0], [13.0]]):
        return "The mask is turned round: a place sees itself and what came before it, not after."
    if close(found, [[1.0], [8 / 3], [7.0]]):
        return "Masked after the softmax, the weights no longer sum to 1. Mask the scores before."
    if close(found[1:], [[3.0], [4.0]]):
        return "A place may see itself too: the item there is known when the next one is asked for."
    if not close(found, [[3.0], [4.0], [7.0]]):
        return "With equal scores, place t gives the mean of V[0] to V[t]: here 3, 4 and 7."
    Q = np.array([[0.0, 0, 0, 0], [2 * np.log(3.0), 0, 0, 0]])
    found = answer(attempt, Q, np.array([[0.0] * 4, [1.0, 0, 0, 0]]), np.array([[0.0], [4.0]]))
    found = np.asarray(found, float)
    if close(found[1], [3.6]):
        return "Right but for one factor: divide the scores by the root of the dimensions d."
    if not close(found[1], [3.0]):
        return "Scores of 0 and log 3 must give weights of 1/4 and 3/4."
    return None


@check
def hide_items(attempt: Callable) -> str | None:
    """Two of four items hidden."""
    items, hidden = np.array([5, 2, 7, 3]), np.array([False, True, False, True])
    found = answer(attempt, items, hidden, 9)
    if not isinstance(found, tuple | list) or len(found) != 2:
        return "Return two arrays: what is shown, and the targets."
    shown, target = (np.asarray(part) for part in found)
    if shown.shape != (4,) or target.shape != (4,):
        return f"Both must have the shape (4,) of the items; got {shown.shape} and {target.shape}."
    if np.array_equal(target, items):
        return "The targets hold what was shown, too: the model would learn to copy. Put 0 there."
    if np.array_equal(shown, [5, 0, 7, 0]):
        return "0 stands for no item. A hidden item is shown as mask_token."
    if np.array_equal(shown, [9, 2, 9, 3]):
        return "That shows what should be hidden, and hides the rest."
    if not np.array_equal(shown, [5, 9, 7, 9]):
        return "Items 5, 2, 7, 3 with the second and fourth hidden are shown as 5, 9, 7, 9."
    if not np.array_equal(target, [0, 2, 0, 3]):
        return "The targets are 0, 2, 0, 3: the hidden items in their places, 0 elsewhere."
    return None


@check
def lora_parameters(attempt: Callable) -> str | None:
    """A matrix of 100 by 60, adapted by two thin ones."""
    found = answer(attempt, 100, 60, 4)
    if found == 100 * 60 + 4 * 160:
        return "That counts W as well. W is frozen: only A and B are trained."
    if found == 100 * 60:
        return "That is W, which is frozen. How large are A and B?"
    if found == 4 * 4:
        return "A is (rows, rank) and B is (rank, columns)."
    if found == 4 * 100 * 60:
        return "A and B are added up, not multiplied: their product is never trained as a matrix."
    if found != 4 * 160:
        return "For 100 by 60 and rank 4: A has 400 numbers, B has 240."
    if answer(attempt, 7, 7, 1) != 14:
        return "Right for one shape. Try 7 by 7 with rank 1: 14."
    return None
