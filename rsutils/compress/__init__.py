"""Smaller models: pruning, trimming, quantized tables, and the twin for tfmot."""

from rsutils import lazy

_MODULE_OF = {
    "Affine": "affine",
    "KeepZeros": "pruning",
    "NoTwinError": "twin",
    "Pruner": "pruning",
    "QuantizationAware": "quantization_aware",
    "QuantizedTable": "quantized_table",
    "Schedule": "schedule",
    "column_mask": "masks",
    "copy_weights": "twin",
    "drop_layer": "trimming",
    "error_bound": "affine",
    "fit_affine": "affine",
    "fold_batch_norm": "folding",
    "importance": "trimming",
    "magnitude_mask": "masks",
    "make_twin": "twin",
    "n_of_m_mask": "masks",
    "prunable": "pruning",
    "prune": "pruning",
    "row_mask": "masks",
    "sensitivity": "layer_sensitivity",
    "sparsities": "pruning",
    "sparsity_of": "masks",
    "trim_units": "trimming",
}

__all__ = [*_MODULE_OF]

__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF)
