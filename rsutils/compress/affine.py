"""Affine quantization by hand: real numbers as small whole ones, and how far off they may be.

A real number x becomes a code q = round(x / scale) + zero_point, clipped to the codes that there
are, and stands for (q - zero_point) · scale (Jacob et al. 2018, arXiv:1712.05877, section 2.1).
Within the range for which the scale was made the error is at most half a scale.
"""

from dataclasses import dataclass

import numpy as np

BITS = (2, 3, 4, 5, 6, 7, 8)


@dataclass(frozen=True)
class Affine:
    """Scale and zero point, one for a whole array or one for each row or channel.

    Attributes:
        scale: real numbers from one code to the next, above 0; () or a shape that broadcasts.
        zero_point: the code of 0.0; int32, of the same shape.
        bits: of a code.
        signed: codes from -2^(bits-1), or from 0.

    Example:
        >>> eighths = Affine(np.float32(0.125), np.int32(0), bits=4)
        >>> codes = eighths.quantize(np.array([0.3, -0.5, 9.0], np.float32))
        >>> codes.tolist(), eighths.dequantize(codes).tolist()
        ([2, -4, 7], [0.25, -0.5, 0.875])
    """

    scale: np.ndarray
    zero_point: np.ndarray
    bits: int = 8
    signed: bool = True

    @property
    def lowest(self) -> int:
        """The first code."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """The last code."""
        return self.lowest + (1 << self.bits) - 1

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """The codes of real numbers: int8 where codes are signed, else uint8.

        Raises:
            ValueError: a number is not finite.
        """
        values = np.asarray(values, np.float32)
        if not np.isfinite(values).all():
            raise ValueError("There are numbers that are not finite; only finite ones have a code.")
        codes = np.rint(values / self.scale) + self.zero_point
        return np.clip(codes, self.lowest, self.highest).astype(
            np.int8 if self.signed else np.uint8
        )

    def dequantize(self, codes: np.ndarray) -> np.ndarray:
        """The real numbers that codes stand for, float32."""
        return ((codes.astype(np.int32) - self.zero_point) * self.scale).astype(np.float32)


def fit_affine(
    values: np.ndarray,
    bits: int = 8,
    axis: int | tuple[int, ...] | None = None,
    symmetric: bool = False,
    clip: float = 1.0,
) -> Affine:
    """The scale and zero point whose codes span ``values``.

    0.0 always has a code of its own, so that padding and ReLU stay exact.

    Args:
        values: real numbers, n-dimensional.
        bits: of a code, 2 to 8.
        axis: over which the range is taken: None for one scale for all of ``values``; for a table
            of rows ``1`` gives a scale for each row; for a dense kernel (inputs, outputs) ``0``
            gives one for each output channel.
        symmetric: zero point 0, codes signed, and the lowest code left out, as runtimes want of
            weights; else the codes span just the range.
        clip: share of the range that is kept; what lies outside is clipped to its ends.

    Raises:
        ValueError: nothing is given, a number is not finite, ``bits`` or ``clip`` is out of range.

    Example:
        >>> weights = np.array([[-1.0, 0.5], [0.0, 0.001]], np.float32)
        >>> [f"{s:.2e}" for s in fit_affine(weights, axis=1, symmetric=True).scale[:, 0]]
        ['7.87e-03', '7.87e-06']
    """
    values = np.asarray(values, np.float32)
    if not values.size:
        raise ValueError(f"The values have the shape {values.shape}; there is nothing to fit.")
    if not np.isfinite(values).all():
        raise ValueError("There are numbers that are not finite; only finite ones have a code.")
    if bits not in BITS:
        raise ValueError(f"bits is {bits}; expected {BITS[0]} to {BITS[-1]}.")
    if not 0 < clip <= 1:
        raise ValueError(f"clip is {clip}; expected a share above 0, up to 1.")
    low = np.minimum(values.min(axis, keepdims=axis is not None), 0) * np.float32(clip)
    high = np.maximum(values.max(axis, keepdims=axis is not None), 0) * np.float32(clip)
    if symmetric:
        scale = _above_zero(np.maximum(-low, high) / ((1 << (bits - 1)) - 1))
        return Affine(scale, np.zeros(np.shape(scale), np.int32), bits, signed=True)
    scale = _above_zero((high - low) / ((1 << bits) - 1))
    # Half a code at each end goes to the rounding of the zero point.
    return Affine(scale, np.rint(-low / scale).astype(np.int32), bits, signed=False)


def error_bound(affine: Affine) -> np.ndarray:
    """The largest error within the range: half a scale, and twice that where zero was moved.

    The zero point is rounded to a whole code. A range that does not begin at one is moved by up to
    half a scale, and its end may be clipped by as much.

    Example:
        >>> float(error_bound(Affine(np.float32(0.5), np.int32(0))))
        0.25
    """
    return affine.scale * np.float32(0.5 if affine.signed else 1.0)


def _above_zero(scale: np.ndarray) -> np.ndarray:
    """Where all numbers are 0 any scale will do, and 0 will not."""
    scale = np.asarray(scale, np.float32)
    return np.where(scale > np.finfo(np.float32).tiny, scale, np.float32(1))
