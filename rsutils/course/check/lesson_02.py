"""Checks of lesson 02: softmax, its gradient, EASE."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close


@check
def softmax(attempt: Callable) -> str | None:
    """Rows that are equal, doubled, and very large."""
    scores = np.array([[0.0, 0.0], [np.log(3.0), 0.0], [1000.0, 1000.0]])
    with np.errstate(all="ignore"):
        found = answer(attempt, scores)
    expected = np.array([[0.5, 0.5], [0.75, 0.25], [0.5, 0.5]])
    if np.shape(found) != scores.shape:
        return f"Expected shape {scores.shape}, a probability a score; got {np.shape(found)}."
    found = np.asarray(found, float)
    if not np.isfinite(found[2]).all():
        return "Scores of 1000 overflow. Take each row's largest score away before np.exp."
    if not close(found.sum(axis=1), np.ones(3)):
        return "Each row must sum to 1: divide by the sum over the row (axis=1), not over all."
    if not close(found, expected):
        return "A row of log 3 and 0 must give 3/4 and 1/4. Which power do you take of a score?"
    return None


@check
def user_gradient(attempt: Callable) -> str | None:
    """Two items, equally likely, along the axes of two dimensions."""
    user, items, bias = np.zeros(2), np.array([[2.0, 0.0], [0.0, 4.0]]), np.zeros(2)
    found = answer(attempt, user, items, bias, 1)
    expected = np.array([1.0, -2.0])
    if np.shape(found) != (2,):
        return f"Expected the user's shape (2,); got {np.shape(found)}."
    if close(found, -expected):
        return "The sign is turned round: the loss falls *against* the gradient. Predicted - taken."
    if close(found, [1.0, 2.0]):
        return "That is what the model expects. Take away what was observed: the chosen item."
    if close(found, [0.0, -4.0]):
        return "That is only the observed part. The other items push the user away from them."
    if not close(found, expected):
        return "Both items have P = 1/2, the second was taken: 1/2 (2, 0) + (1/2 - 1) (0, 4)."
    tilted = answer(attempt, user, items, np.array([np.log(3.0), 0.0]), 1)
    if not close(tilted, [1.5, -3.0]):
        return "Right without a bias. With one, it belongs to the scores before the softmax."
    return None


@check
def ease_weights(attempt: Callable) -> str | None:
    """Two users and two items."""
    X = np.array([[1.0, 1.0], [1.0, 0.0]])
    found = answer(attempt, X, 1.0)
    expected = np.array([[0.0, 1 / 3], [1 / 2, 0.0]])
    if np.shape(found) != (2, 2):
        return f"Expected a weight from each item to each item, (2, 2); got {np.shape(found)}."
    found = np.asarray(found, float)
    if np.any(np.abs(np.diag(found)) > 1e-9):
        return "The diagonal must be zero, or each item simply predicts itself."
    if close(found, -expected):
        return "The sign is turned round: B is minus P over its diagonal."
    if close(found, expected.T):
        return "Rows and columns are swapped: divide column j by P[j, j]."
    if not close(found, expected, 1e-6):
        return (
            "For X = [[1, 1], [1, 0]] and l2 = 1, P is the inverse of [[3, 1], [1, 2]]; then "
            "B[0, 1] = 1/3 and B[1, 0] = 1/2."
        )
    return None
