"""Embedding tables in 8 or 4 bits a number, with a scale of one byte for each row."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from rsutils.compress.affine import Affine

STEPS_AN_OCTAVE = 16
"""Scales from one to half of it: each is 4.2% below the one before."""
SMALLEST_TOP = np.float32(2.0**-100)
"""The smallest scale is 2^-16 of ``top`` and has to stay a normal float32."""
ROUNDING = 2.0**-20
"""Shares below this are errors of float32, not differences."""
CLIPPED_STEPS = {8: (0,), 4: (0, 2, 4, 6, 8)}
"""By bits: how many steps below the full range a row's scale may lie; 8 steps clip 29% of it."""


@dataclass(frozen=True)
class QuantizedTable:
    """A table whose rows are codes, and a scale for each row (row-wise, symmetric, weight-only).

    A lookup takes the codes of a row and multiplies by its scale. The rows of one table differ in
    size by orders of magnitude (a rare item has hardly moved since its first numbers), so one scale
    for all would leave the small ones a code or two. Guan et al. 2019, "Post-training 4-bit
    quantization on embedding tables" (arXiv:1911.02079, section 3), compare ways to choose it; here
    each row's is the best of a few clipped ranges, by squared error.

    A row of 16 dimensions has 8 bytes of 4-bit codes, and a float32 beside them would be half of
    that again. A scale is one byte: how many sixteenths of an octave it lies below the largest one.
    256 steps reach down to 1/63,000 of it; smaller rows share the smallest scale.

    Attributes:
        codes: (n_rows, dimensions) int8; with 4 bits (n_rows, dimensions / 2, rounded up) uint8,
            two a byte: code + 8 of the first half of the dimensions in the lower four bits, of the
            second half in the upper ones.
        scale_codes: (n_rows, 1) uint8; the scale is ``top * 2 ** (-code / 16)``.
        top: the largest scale, float32, above 0.
        bits: 8 or 4.
        dimensions: numbers in a row.

    Example:
        >>> table = np.linspace(-1, 1, 64, dtype=np.float32).reshape(4, 16)
        >>> small = QuantizedTable.of(table, bits=4)
        >>> table.nbytes, small.nbytes
        (256, 40)
        >>> bool(np.abs(small.rows([3, 0]) - table[[3, 0]]).max() < 0.08)
        True
    """

    codes: np.ndarray
    scale_codes: np.ndarray
    top: np.float32
    bits: int
    dimensions: int

    @classmethod
    def of(cls, table: np.ndarray, bits: int = 8) -> Self:
        """Quantize a table of real numbers.

        Args:
            table: (n_rows, dimensions).
            bits: 8 or 4; with 4 an odd number of dimensions takes the room of one more.

        Raises:
            ValueError: another shape or number of bits, or a number that is not finite.
        """
        table = np.asarray(table, np.float32)
        if table.ndim != 2 or not table.size:
            raise ValueError(f"The table has the shape {table.shape}; expected rows of numbers.")
        if bits not in CLIPPED_STEPS:
            raise ValueError(f"bits is {bits}; expected 8 or 4.")
        peak = np.abs(table).max(1, keepdims=True)
        if not np.isfinite(peak).all():
            raise ValueError("There are numbers that are not finite; only finite ones have a code.")
        wanted = peak / np.float32((1 << (bits - 1)) - 1)
        top = np.maximum(wanted.max(), SMALLEST_TOP)
        scales = scales_below(top)
        full = _step_above(scales, wanted)
        chosen, best = full, np.full(full.shape, np.inf)
        for steps in CLIPPED_STEPS[bits]:
            step = np.minimum(full + steps, len(scales) - 1)
            off = _codes(table, scales[step], bits) * scales[step] - table
            error = np.square(off, dtype=np.float64).sum(1, keepdims=True)
            chosen = np.where(error < best, step, chosen)
            best = np.minimum(error, best)
        codes = _codes(table, scales[chosen], bits)
        packed = _pack(codes) if bits == 4 else codes
        return cls(packed, chosen.astype(np.uint8), top, bits, table.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions of the table that this stands for."""
        return len(self.codes), self.dimensions

    @property
    def nbytes(self) -> int:
        """Codes and scales, in bytes."""
        return self.codes.nbytes + self.scale_codes.nbytes + self.top.nbytes

    @property
    def scale(self) -> np.ndarray:
        """The scale of each row: (n_rows, 1) float32."""
        return scales_below(self.top)[self.scale_codes]

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """The real numbers of some rows: shape of ``ids`` + (dimensions,), float32.

        Raises:
            IndexError: an id outside of the table.
        """
        ids = np.asarray(ids)
        if ids.size and (ids.min() < 0 or ids.max() >= len(self.codes)):
            wrong = ids[(ids < 0) | (ids >= len(self.codes))].flat[0]
            raise IndexError(f"row {wrong} is unknown; expected 0 to {len(self.codes) - 1}.")
        codes = self.codes[ids]
        codes = _unpack(codes, self.dimensions) if self.bits == 4 else codes
        return codes.astype(np.float32) * scales_below(self.top)[self.scale_codes[ids]]

    def save(self, path: Path | str) -> None:
        """Write codes and scales into one .npz file, compressed."""
        target = Path(path)
        unfinished = target.with_name(f"{target.name}.unfinished")
        with unfinished.open("wb") as file:
            np.savez_compressed(file, **vars(self))
        unfinished.replace(target)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what :meth:`save` wrote; nothing is unpickled.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file does not hold such a table.
        """
        if not zipfile.is_zipfile(path):
            Path(path).stat()  # says so where there is no such file
            raise ValueError(f"{path} holds no quantized table (it is no .npz file).")
        try:
            with np.load(path, allow_pickle=False) as found:
                codes, scale_codes = found["codes"], found["scale_codes"]
                top = np.float32(found["top"])
                bits, dimensions = int(found["bits"]), int(found["dimensions"])
        except (KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path} holds no quantized table ({error}).") from error
        types = {8: np.int8, 4: np.uint8}
        fits = (
            codes.shape == (len(scale_codes), -(-dimensions * bits // 8))
            and scale_codes.shape == (len(codes), 1)
            and scale_codes.dtype == np.uint8
            and SMALLEST_TOP <= top < np.inf
        )
        if bits not in types or codes.dtype != types[bits] or not fits:
            raise ValueError(
                f"{path} holds {bits} bits, {dimensions} dimensions, codes {codes.dtype}"
                f"{codes.shape} and scales {scale_codes.dtype}{scale_codes.shape} below {top}, "
                "which do not fit together; save the table again."
            )
        return cls(codes, scale_codes, top, bits, dimensions)


def scales_below(top: np.float32) -> np.ndarray:
    """The scales that a byte can name, from ``top`` downwards: (256,) float32.

    Example:
        >>> scales_below(np.float32(2))[[0, 16, 32]].tolist()
        [2.0, 1.0, 0.5]
    """
    steps = np.arange(256, dtype=np.float32)
    return np.float32(top) * np.exp2(-steps / STEPS_AN_OCTAVE).astype(np.float32)


def _codes(table: np.ndarray, scale: np.ndarray, bits: int) -> np.ndarray:
    """int8, without the lowest code: so a row's largest number tells its scale again."""
    codes = Affine(scale, np.int32(0), bits).quantize(table)
    return np.maximum(codes, np.int8(1 - (1 << (bits - 1))))


def _step_above(scales: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The place of the smallest scale that is not below the wanted one: nothing is clipped.

    A scale that is below it by a rounding error will do. So a table that was quantized before keeps
    its scales, and thereby its codes.
    """
    return len(scales) - 1 - np.searchsorted(scales[::-1], wanted * np.float32(1 - ROUNDING))


def _pack(codes: np.ndarray) -> np.ndarray:
    """Two 4-bit codes a byte, each plus 8; where their number is odd a 0 stands at the end."""
    above_zero = np.pad(codes, ((0, 0), (0, codes.shape[1] % 2))).astype(np.int16) + 8
    low, high = np.split(above_zero.astype(np.uint8), 2, axis=1)
    return low | (high << 4)


def _unpack(packed: np.ndarray, dimensions: int) -> np.ndarray:
    """The codes of :func:`_pack`, along the last axis."""
    both = np.concatenate([packed & 0xF, packed >> 4], axis=-1).astype(np.int8) - np.int8(8)
    return both[..., :dimensions]
