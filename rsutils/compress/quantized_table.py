"""Embedding tables in 8 or 4 bits a number, with a scale for each row."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from rsutils.compress.affine import Affine, fit_affine

SCALE_TYPE = np.float16
"""Two bytes a row; the codes are made with what they hold, so that rounding them costs nothing."""


@dataclass(frozen=True)
class QuantizedTable:
    """A table whose rows are codes, and a scale for each row (row-wise, symmetric, weight-only).

    A lookup takes the codes of a row and multiplies by its scale. The rows of one table differ in
    size by orders of magnitude (a rare item has hardly moved since its first numbers), so one scale
    for all would leave the small ones a code or two. Guan et al. 2019, "Post-training 4-bit
    quantization on embedding tables" (arXiv:1911.02079, section 3), compare ways to choose it; here
    each row's is the best of a few clipped ranges, by squared error.

    Attributes:
        codes: (n_rows, dimensions) int8; with 4 bits (n_rows, dimensions / 2) uint8, two a byte.
        scale: (n_rows, 1) float16.
        bits: 8 or 4.

    Example:
        >>> table = np.linspace(-1, 1, 40, dtype=np.float32).reshape(4, 10)
        >>> small = QuantizedTable.of(table, bits=4)
        >>> table.nbytes, small.nbytes
        (160, 28)
        >>> bool(np.abs(small.rows([3, 0]) - table[[3, 0]]).max() < 0.08)
        True
    """

    codes: np.ndarray
    scale: np.ndarray
    bits: int

    @classmethod
    def of(cls, table: np.ndarray, bits: int = 8) -> Self:
        """Quantize a table of real numbers.

        Args:
            table: (n_rows, dimensions).
            bits: 8 or 4; 4 needs an even number of dimensions.

        Raises:
            ValueError: another shape or number of bits, a number that is not finite, or one too
                large for its scale.
        """
        table = np.asarray(table, np.float32)
        if table.ndim != 2:
            raise ValueError(f"The table has the shape {table.shape}; expected rows of numbers.")
        if bits not in (4, 8):
            raise ValueError(f"bits is {bits}; expected 8 or 4.")
        if bits == 4 and table.shape[1] % 2:
            raise ValueError(
                f"{table.shape[1]} dimensions cannot be packed two a byte; use an even number, or "
                "8 bits."
            )
        scale, best = None, None
        for clip in (1.0, 0.9, 0.8, 0.7) if bits == 4 else (1.0,):
            affine = _fit(table, bits, clip)
            error = np.square(affine.dequantize(affine.quantize(table)) - table).sum(
                1, keepdims=True
            )
            if scale is None:
                scale, best = affine.scale, error
            else:
                scale = np.where(error < best, affine.scale, scale)
                best = np.minimum(error, best)
        codes = Affine(scale, np.int32(0), bits).quantize(table)
        return cls(_pack(codes) if bits == 4 else codes, scale.astype(SCALE_TYPE), bits)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimensions of the table that this stands for."""
        return len(self.codes), self.codes.shape[1] * 8 // self.bits

    @property
    def nbytes(self) -> int:
        """Codes and scales, in bytes."""
        return self.codes.nbytes + self.scale.nbytes

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
        codes = _unpack(codes) if self.bits == 4 else codes
        return codes.astype(np.float32) * self.scale[ids].astype(np.float32)

    def save(self, path: Path | str) -> None:
        """Write codes and scales into one .npz file, compressed."""
        target = Path(path)
        unfinished = target.with_name(f"{target.name}.unfinished")
        with unfinished.open("wb") as file:
            np.savez_compressed(file, codes=self.codes, scale=self.scale, bits=self.bits)
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
                codes, scale, bits = found["codes"], found["scale"], int(found["bits"])
        except (KeyError, OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path} holds no quantized table ({error}).") from error
        types = {8: np.int8, 4: np.uint8}
        fits = codes.ndim == 2 and scale.shape == (len(codes), 1) and scale.dtype == SCALE_TYPE
        if bits not in types or codes.dtype != types[bits] or not fits:
            raise ValueError(
                f"{path} holds {bits} bits, codes {codes.dtype}{codes.shape} and scales "
                f"{scale.dtype}{scale.shape}, which do not fit together; save the table again."
            )
        return cls(codes, scale, bits)


def _fit(table: np.ndarray, bits: int, clip: float) -> Affine:
    """A scale for each row that float16 holds exactly, rounded up so that nothing is clipped."""
    scale = fit_affine(table, bits, axis=1, symmetric=True, clip=clip).scale
    with np.errstate(over="ignore"):
        short = scale.astype(SCALE_TYPE)
        short = np.where(short < scale, np.nextafter(short, SCALE_TYPE(np.inf)), short)
    if not np.isfinite(short).all():
        raise ValueError(
            f"A row has numbers up to {np.abs(table).max():.3g}, too large for a float16 scale."
        )
    return Affine(short.astype(np.float32), np.int32(0), bits)


def _pack(codes: np.ndarray) -> np.ndarray:
    """Two 4-bit codes a byte, the first of them in the lower half."""
    low, high = codes[:, 0::2].astype(np.uint8) & 0xF, codes[:, 1::2].astype(np.uint8) & 0xF
    return low | (high << 4)


def _unpack(packed: np.ndarray) -> np.ndarray:
    """The codes of :func:`_pack`, along the last axis."""
    both = np.stack([packed & 0xF, packed >> 4], axis=-1).astype(np.int8)
    codes = both.reshape(*packed.shape[:-1], 2 * packed.shape[-1])
    return np.where(codes > 7, codes - 16, codes).astype(np.int8)
