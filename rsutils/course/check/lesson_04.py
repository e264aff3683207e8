"""Checks of lesson 04: the second-order term, a cross layer, probabilities after sampling."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close


@check
def second_order(attempt: Callable) -> str | None:
    """Two rows of three factors in two dimensions, small enough to multiply by hand."""
    v = np.array([[[1.0, 0.0], [2.0, 1.0], [3.0, 1.0]], [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]])
    found = answer(attempt, v)
    expected = np.array([12.0, 2.0])
    if close(found, [[11.0, 1.0], [1.0, 1.0]]):
        return "That is one number a dimension. Add up the dimensions, too: one number a row."
    if np.shape(found) != (2,):
        return f"Expected one number a row, shape (2,); got {np.shape(found)}."
    if close(found, 2 * expected):
        return "Twice too much: each pair stands in the square of the sum in both orders."
    if close(found, [20.0, 4.0]):
        return "Half of the squared sum also holds each factor with itself. Take those away."
    if not close(found, expected):
        return (
            "The first row has the pairs (1, 0)(2, 1), (1, 0)(3, 1) and (2, 1)(3, 1), with the "
            "inner products 2, 3 and 7."
        )
    return None


@check
def cross(attempt: Callable) -> str | None:
    """One row of two numbers through a kernel that is not symmetric."""
    x0, x = np.array([[2.0, 3.0]]), np.array([[1.0, -1.0]])
    kernel, bias = np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([1.0, 1.0])
    found = answer(attempt, x0, x, kernel, bias)
    expected = np.array([[5.0, -1.0]])
    if np.shape(found) != (1, 2):
        return f"Expected the shape of x, (1, 2); got {np.shape(found)}."
    if close(found, [[4.0, 0.0]]):
        return "The layer's own input is missing: x is added at the end."
    if close(found, [[6.0, 3.0]]):
        return "Add x, what came into this layer, and not x0, what came into the first."
    if close(found, [[1.0, -7.0]]):
        return "The kernel stands on the other side: x @ kernel, as in every Keras layer."
    if close(found, [[3.0, -1.0]]):
        return "Multiply by x0, the first layer's input, not by x."
    if not close(found, expected):
        return "x @ kernel + bias is (2, 0); times x0 that is (4, 0); plus x it is (5, -1)."
    return None


@check
def as_served(attempt: Callable) -> str | None:
    """One positive in two becomes one in five; certainty stays certain."""
    p = np.array([0.0, 0.5, 0.8, 1.0])
    found = answer(attempt, p, 0.25)
    expected = np.array([0.0, 0.2, 0.5, 1.0])
    if np.shape(found) != p.shape:
        return f"Expected a probability for each of {len(p)}; got shape {np.shape(found)}."
    found = np.asarray(found, float)
    if not close(found[[0, 3]], [0.0, 1.0]):
        return "What is impossible stays 0 and what is certain stays 1, whatever was kept."
    if close(found, [0.0, 0.8, 16 / 17, 1.0]):
        return "That goes the other way: with all negatives back, probabilities must fall."
    if not close(found, expected):
        return (
            "At 0.5 there is one positive for each negative that was kept. One in four was kept, "
            "so there are really four: 1 / (1 + 4)."
        )
    return None
