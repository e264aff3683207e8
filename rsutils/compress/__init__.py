"""Smaller models: pruning, trimming, quantized tables, and the twin for tfmot."""

from rsutils.compress.affine import Affine, error_bound, fit_affine
from rsutils.compress.folding import fold_batch_norm
from rsutils.compress.masks import magnitude_mask, n_of_m_mask, row_mask, sparsity_of
from rsutils.compress.pruning import KeepZeros, Pruner, prunable, prune, sparsities
from rsutils.compress.quantized_table import QuantizedTable
from rsutils.compress.schedule import Schedule
from rsutils.compress.sensitivity import sensitivity
from rsutils.compress.trimming import drop_layer, importance, trim_units
from rsutils.compress.twin import NoTwinError, copy_weights, make_twin

__all__ = [
    "Affine",
    "KeepZeros",
    "NoTwinError",
    "Pruner",
    "QuantizedTable",
    "Schedule",
    "copy_weights",
    "drop_layer",
    "error_bound",
    "fit_affine",
    "fold_batch_norm",
    "importance",
    "magnitude_mask",
    "make_twin",
    "n_of_m_mask",
    "prunable",
    "prune",
    "row_mask",
    "sensitivity",
    "sparsities",
    "sparsity_of",
    "trim_units",
]
