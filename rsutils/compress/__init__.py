"""Smaller models: affine quantization, tables in 8 or 4 bits, and the twin for tfmot."""

from rsutils.compress.affine import Affine, error_bound, fit_affine
from rsutils.compress.quantized_table import QuantizedTable
from rsutils.compress.twin import NoTwinError, copy_weights, make_twin

__all__ = [
    "Affine",
    "NoTwinError",
    "QuantizedTable",
    "copy_weights",
    "error_bound",
    "fit_affine",
    "make_twin",
]
