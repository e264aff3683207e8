"""Checks of lesson 14: the bound of an inner product, lists with ties, folded normalisation."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close

HALF_STEP = 2.0**-24
"""The unit roundoff u of float32."""
LONG = 1 << 20
"""Terms of which d u is a sixteenth, so that gamma_d is a fifteenth."""


@check
def rounding_bound(attempt: Callable) -> str | None:
    """Three terms of both signs, then a million ones."""
    x, w = np.array([3, -2, 1], np.float32), np.array([1, 4, 5], np.float32)
    found = np.asarray(answer(attempt, x, w), float)
    if found.shape != ():
        return f"There is one bound for the whole sum; got an array of the shape {found.shape}."
    terms = 16 * HALF_STEP
    if close(found, 0, HALF_STEP / 100):
        return "The terms 3, -8 and 5 cancel, and their roundings do not: take absolute values."
    if close(found, 6 * terms, HALF_STEP / 100):
        return "u is 2^-24, half of the distance from 1 to the next float32; yours is twice that."
    if close(found, terms, HALF_STEP / 100):
        return "That is one rounding. A term meets d of them: one product, and up to d - 1 sums."
    if close(found, 2 * terms, HALF_STEP / 100):
        return "A term meets d - 1 sums, and before that one product: that makes d roundings."
    lengths = 3 * HALF_STEP * np.sqrt(14 * 42)
    if close(found, lengths, HALF_STEP / 100):
        return "The product of the lengths is a bound too, but a looser one: sum |x_i w_i| instead."
    if not close(found, 3 * terms, HALF_STEP / 100):
        return "gamma_3 is about 3 · 2^-24, and the sum of |x_i w_i| is 3 + 8 + 5."
    ones = np.ones(LONG, np.float32)
    found = float(answer(attempt, ones, ones))
    if close(found / LONG, 1 / 16, 1e-4):
        return "Right for short sums. For long ones divide by 1 - d u: roundings multiply up."
    if not close(found / LONG, 1 / 15, 1e-4):
        return f"With {LONG:,} ones d u is 1/16, so gamma_d is 1/15 of a sum of {LONG:,}."
    return None


@check
def same_top_k(attempt: Callable) -> str | None:
    """Five items, of which two are tied but for rounding."""
    expected = np.array([5.0, 4.0, 4.00001, 2.0, 1.0])

    def says(found: list[float], k: int) -> bool:
        return bool(answer(attempt, expected, np.array(found), k, 0.001))

    if not says([5.0, 4.0, 4.00001, 2.0, 1.0], 3):
        return "These scores are the very same ones, so the lists are."
    if not says([5.0, 4.00001, 4.0, 2.0, 1.0], 3):
        return "Items 1 and 2 are tied but for rounding: they may stand in each other's place."
    if says([1.0, 2.0, 4.0, 4.00001, 5.0], 3):
        return "The scores are the same numbers, but other items have them: 4, 3, 2 is no 0, 2, 1."
    if says([4.0, 5.0, 4.5, 2.0, 1.0], 3):
        return "The same three items, in another order: 1, 2, 0 in the place of 0, 2, 1."
    if not says([50.0, 40.0, 41.0, 3.0, 2.0], 3):
        return "The order is right, 0, 2, 1. Lists are compared here; scores may be larger."
    if not says([5.0, 4.0, 4.00001, 1.0, 2.0], 3):
        return "Items 3 and 4 changed places below the first three. Only k places count."
    if says([5.0, 4.0, 4.00001, 1.9995, 2.0], 4):
        return (
            "Item 4 has come before 3. The new scores hold them for tied, but the expected ones, "
            "1 and 2, do not: a tie is a matter of the expected scores."
        )
    return None


@check
def fold(attempt: Callable) -> str | None:
    """Two units, with numbers that make the factors 2 and 1/2."""
    kernel, bias = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -2.0])
    gamma, beta = np.array([1.0, 1.5]), np.array([10.0, 20.0])
    mean, variance, epsilon = np.array([0.5, 2.0]), np.array([0.15, 8.9]), 0.1
    given = kernel, bias, gamma, beta, mean, variance, epsilon
    found = answer(attempt, *given)
    if not isinstance(found, tuple | list) or len(found) != 2:
        return "Return two things: the kernel and the bias."
    new_kernel, new_bias = (np.asarray(each, float) for each in found)
    if new_kernel.shape != (2, 2) or new_bias.shape != (2,):
        return (
            "The kernel keeps its shape, (2, 2), and so does the bias, (2,); got "
            f"{new_kernel.shape} and {new_bias.shape}."
        )
    factor = gamma / np.sqrt(variance + epsilon)
    if close(new_kernel, kernel * factor[:, None]):
        return "A unit is a column of the kernel: multiply column j by factor j, not row j."
    if close(new_kernel, kernel * gamma / np.sqrt(variance)):
        return "Epsilon is added to the variance before the root is taken, here 0.1."
    if close(new_kernel, kernel * gamma / (variance + epsilon)):
        return "Divide by the standard deviation: the root of variance + epsilon."
    if close(new_kernel, kernel / np.sqrt(variance + epsilon)):
        return "Gamma is part of the factor: gamma / sqrt(variance + epsilon)."
    if not close(new_kernel, kernel * factor):
        return "Column j of the kernel times gamma_j / sqrt(variance_j + epsilon): 2 and 1/2 here."
    if close(new_bias, beta - mean * factor):
        return "The layer's own bias passes through the normalisation too: (bias - mean) · factor."
    if close(new_bias, bias - mean * factor + beta):
        return "The bias is multiplied as well: (bias - mean) · factor + beta."
    if close(new_bias, (bias + mean) * factor + beta):
        return "The mean is taken off, not added: (bias - mean) · factor + beta."
    if close(new_bias, (bias - mean + beta) * factor):
        return "Beta comes last and is not multiplied: (bias - mean) · factor + beta."
    if not close(new_bias, (bias - mean) * factor + beta):
        return "The bias is (bias - mean) · factor + beta: (1 - 0.5) · 2 + 10 = 11 for unit 0."
    return None
