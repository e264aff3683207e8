"""Smaller models: pruning, trimming, few bits, shared numbers, and students of larger ones."""

from rsutils import lazy

_MODULE_OF = {
    "Affine": "affine",
    "Clustered": "clustering",
    "CompactTable": "compact_tables",
    "HashedTable": "compact_tables",
    "KeepZeros": "pruning",
    "LowRankTable": "compact_tables",
    "MixedTable": "mixed_table",
    "NoTwinError": "twin",
    "Pruner": "pruning",
    "QuantizationAware": "rounding",
    "QuantizedTable": "quantized_table",
    "QuotientRemainderTable": "compact_tables",
    "Schedule": "schedule",
    "Student": "student",
    "cluster": "clustering",
    "cluster_model": "clustering",
    "column_mask": "masks",
    "copy_quantized": "quantization_aware",
    "copy_weights": "twin",
    "drop_layer": "trimming",
    "error_bound": "affine",
    "expected_collisions": "collisions",
    "fine_tune_clustered": "clustering",
    "fit_affine": "affine",
    "fold_batch_norm": "folding",
    "importance": "trimming",
    "magnitude_mask": "masks",
    "make_quantization_aware": "quantization_aware",
    "make_twin": "twin",
    "mixed_labels": "distillation",
    "mixed_rows": "distillation",
    "n_of_m_mask": "masks",
    "prunable": "pruning",
    "prune": "pruning",
    "quantized_weights": "quantization_aware",
    "ranking_labels": "distillation",
    "row_mask": "masks",
    "sensitivity": "layer_sensitivity",
    "share_colliding": "collisions",
    "sparsities": "pruning",
    "sparsity_of": "masks",
    "teacher_scores": "distillation",
    "trim_units": "trimming",
    "truncate": "low_rank",
}

__all__ = [*_MODULE_OF]

__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF)
