"""How each smaller ONNX file of ``benchmarks.compression`` comes about."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compression_family import Family
from rsutils.compress import QuantizationAware, fold_batch_norm, prunable, sparsity_of
from rsutils.compress.pruning import is_table
from rsutils.serve import compress_onnx, export_onnx, precompute_onnx

Make = Callable[[Family, Any, Path, Path], Path]
"""Takes family, fp32 model (which it may change), its file and where to write; gives a file."""
LEAST_ZEROS = 0.797


def fp32(family: Family, model: Any, whole: Path, target: Path) -> Path:
    """The model as it was trained."""
    return whole


def compressed(**bits: int) -> Make:
    """Codes in the place of numbers, after training."""
    return lambda family, model, whole, target: compress_onnx(whole, target, **bits)


def int8_precomputed(family: Family, model: Any, whole: Path, target: Path) -> Path:
    """Tables in 8 bits, unpacked when the file is loaded; kernels stay in fp32."""
    return precompute_onnx(compress_onnx(whole, target, tables=8), target)


def pruned_80(family: Family, model: Any, whole: Path, target: Path) -> Path:
    """80% of all weights set to 0, and the others trained further."""
    model = family.pruned(model)
    weights = [each.numpy().ravel() for each in prunable(model.model_).values()]
    zeros = sparsity_of(np.concatenate(weights))
    if zeros < LEAST_ZEROS:
        raise RuntimeError(f"{zeros:.1%} of the weights of {family.name} are 0; expected 80%.")
    return export_onnx(fold_batch_norm(model.model_), target)


def aware(tables: int, dense: int | None) -> Make:
    """Trained with the rounding in place: tables of so many bits, and hidden layers."""

    def make(family: Family, model: Any, whole: Path, target: Path) -> Path:
        network = model.model_
        bits = {name: tables for name in prunable(network) if is_table(network, name)}
        if dense:
            bits |= {name: dense for name in prunable(network) if name.startswith("hidden")}
        model = family.refined(model, family.rounding, [QuantizationAware(network, bits)])
        exact = export_onnx(fold_batch_norm(model.model_), target)
        return compress_onnx(exact, target, tables=tables, dense=dense)

    return make


def student(family: Family, model: Any, whole: Path, target: Path) -> Path:
    """Two small towers that learnt from EASE, iALS and CDAE together."""
    small = family.student(model.seed)
    if small.model_.count_params() > model.model_.count_params() / 8:
        raise RuntimeError(f"The student has {small.model_.count_params()} parameters.")
    return export_onnx(small.model_, target)


def together(family: Family, model: Any, whole: Path, target: Path) -> Path:
    """All at once: a student, tables in 4 bits, computed beforehand what can be."""
    small, bits = family.together(model)
    exact = export_onnx(fold_batch_norm(small.model_), target)
    return precompute_onnx(compress_onnx(exact, target, **bits), target)


SYSTEMS: dict[str, Make] = {
    "fp32": fp32,
    "pruned_80": pruned_80,
    "fp16": compressed(tables=16, dense=16),
    "int8": compressed(tables=8, dense=8),
    "int8_aware": aware(8, 8),
    "int8_precomputed": int8_precomputed,
    "int4_tables": compressed(tables=4),
    "int4_aware": aware(4, None),
    "student": student,
    "together": together,
}
