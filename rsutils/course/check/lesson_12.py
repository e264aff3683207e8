"""Checks of lesson 12: affine codes, a scale for each row, two codes a byte."""

from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close

VALUES = np.array([0.0, 0.513, -0.49, 1.04, -0.34, 0.0167])
"""Their range, 1.53, makes a scale of .006; the code of 0 is -(-.49) / .006, rounded: 82."""
ABOVE_ZERO = np.array([0.0, 2.0, 5.1, 3.301])


@check
def affine(attempt: Callable) -> str | None:
    """Six numbers on both sides of 0, then four of which none is below."""
    found = answer(attempt, VALUES)
    if not isinstance(found, tuple | list) or len(found) != 3:
        return "Return three things: the codes, the scale and the zero point."
    codes, scale, zero_point = np.asarray(found[0], float), float(found[1]), float(found[2])
    if codes.shape != VALUES.shape:
        return f"There is a code for each number, shape {VALUES.shape}; got {codes.shape}."
    if close(scale, 1.53 / 256):
        return "256 codes have 255 steps between them."
    if not close(scale, 1.53 / 255):
        return "The scale is the range, 1.04 - (-.49), by the number of steps between 256 codes."
    if close(zero_point, -82):
        return "The zero point is the code of 0.0. Codes begin at 0, so it is -low / scale."
    if not close(zero_point, 82):
        return "The zero point is the code of 0.0, a whole number: -low / scale, rounded."
    if not close(codes, np.rint(codes)):
        return "Codes are whole numbers; multiplied by the scale they would be real ones again."
    if codes.max() < 255:
        return "256 codes from 0 are 0 to 255, and the largest number has the last one."
    right = np.clip(np.rint(VALUES / scale) + 82, 0, 255)
    if close(codes, np.floor(VALUES / scale) + 82):
        return "Round to the nearest code, do not cut off: half a step is the largest error then."
    if not close(codes, right):
        return "A code is x / scale, rounded, plus the zero point, clipped to 0 to 255."
    _, scale, zero_point = answer(attempt, ABOVE_ZERO + 2)
    if not close([float(scale), float(zero_point)], [7.1 / 255, 0]):
        return (
            "Where no number is below 0 the range begins at 0, so that 0.0 has a code of its own."
        )
    return None


@check
def row_scales(attempt: Callable) -> str | None:
    """Three rows of different sizes, in 4 bits."""
    table = np.array([[7.0, -3.5, 1.0, 0.0], [0.01, 0.02, -0.07, 0.05], [-1.4, 0.2, 0.7, 0.6]])
    found = np.asarray(answer(attempt, table, 4), float)
    right = np.array([[1.0], [0.01], [0.2]])
    if found.size == 1:
        return "That is one scale for the whole table; every row has one of its own."
    if found.size != 3:
        return f"There is a scale for each of the 3 rows; got the shape {found.shape}."
    if found.shape != (3, 1):
        return "Return the shape (n_rows, 1): it broadcasts over a row when you divide."
    if close(found, right * 7 / 15):
        return "Half of the codes are below 0: the largest one is 2^(bits-1) - 1, here 7."
    if close(found, right * 7 / 8):
        return "The largest code is 2^(bits-1) - 1, here 7: one less, since 0 takes a code too."
    if close(found[0], right[0]) and not close(found, right):
        return "-0.07 is the largest number of its row: what counts is the absolute value."
    if not close(found, right):
        return "The largest absolute value of a row, divided by the largest code, 7 with 4 bits."
    return None


@check
def pack(attempt: Callable) -> str | None:
    """Two rows of four codes."""
    codes = np.array([[-8, -1, 7, 0], [1, 2, 3, -4]], np.int8)
    found = np.asarray(answer(attempt, codes))
    if found.shape != (2, 2):
        return f"Four codes of 4 bits are two bytes, shape (2, 2); got {found.shape}."
    right = np.array([[240, 135], [185, 74]])
    if np.array_equal(found, [[112, 15], [49, 194]]):
        return "Add 8 first: then the codes are 0 to 15, and no sign gets in the way."
    if np.array_equal(found, [[112, 143], [169, 75]]):
        return "Those are neighbours. The first half of a row goes into the lower bits."
    if np.array_equal(found, [[15, 120], [155, 164]]):
        return "The other way round: the second half of a row goes into the upper four bits."
    if not np.array_equal(found, right):
        return "Codes + 8; first half + 16 times second half: row 1 begins with 0 + 16 · 15 = 240."
    if found.dtype != np.uint8:
        return f"The values are right, but of type {found.dtype}: a byte is np.uint8."
    return None
