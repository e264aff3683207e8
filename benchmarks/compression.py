"""Smaller models against the fp32 model of their family: quality, bytes, latency, memory.

    python -m benchmarks.compression [--family NAME] [--system NAME] [--seed 0 1 2]

``neumf`` is judged on MovieLens 1M in the split of He et al. 2017 by NDCG@10, ``deepfm`` and
``dnfm`` on Frappe by AUC, each as its own benchmark trains it. Judged is what would be served: the
exported file, run by ONNX Runtime. ``loss`` is against the file of the fp32 model of the same seed:
a share of NDCG@10, a difference of AUC. Milliseconds are those of scoring 100 candidates; their
ratio to fp32 is taken by turns. Settings were chosen on validation rows.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import print_row
from benchmarks.compression_costs import costs, overlap
from benchmarks.compression_families import FAMILIES, base
from benchmarks.compression_family import Family
from benchmarks.compression_pairs import PairFamily
from rsutils import settings
from rsutils.compress import fold_batch_norm, sparsities
from rsutils.measure import bytes_on_disk, processor
from rsutils.serve import OnnxScorer, compress_onnx, export_onnx

Make = Callable[[Family, Any, Path, Path], Path]
"""Takes family, fp32 model, its file and where to write; gives the path of a smaller file."""


def pruned_80(family: Family, model: Any, fp32: Path, target: Path) -> Path:
    """80% of all weights set to 0 while the model is trained further."""
    model = family.pruned(model)
    zeros = sparsities(model.model_)
    if min(zeros[name] - wanted for name, wanted in family.pruning.sparsity.items()) < -0.01:
        raise RuntimeError(f"Wanted {family.pruning.sparsity}; there are {zeros}.")
    return export_onnx(fold_batch_norm(model.model_), target)


def student(family: Family, model: Any, fp32: Path, target: Path) -> Path:
    """Two small towers that learnt from EASE, iALS and CDAE together."""
    small = family.student(model.seed)
    if small.model_.count_params() > model.model_.count_params() / 8:
        raise RuntimeError(f"The student has {small.model_.count_params()} parameters.")
    return export_onnx(small.model_, target)


def student_int4(family: Family, model: Any, fp32: Path, target: Path) -> Path:
    """The student with tables in 4 bits and hidden layers in 8."""
    whole = fp32.with_name("student.onnx")
    if not whole.exists():
        student(family, model, fp32, whole)
    return compress_onnx(whole, target, tables=4, dense=8)


SYSTEMS: dict[str, Make] = {
    "fp32": lambda family, model, fp32, target: fp32,
    "pruned_80": pruned_80,
    "fp16": lambda family, model, fp32, target: compress_onnx(fp32, target, tables=16, dense=16),
    "int8": lambda family, model, fp32, target: compress_onnx(fp32, target, tables=8, dense=8),
    "int4_tables": lambda family, model, fp32, target: compress_onnx(fp32, target, tables=4),
    "student": student,
    "student_int4": student_int4,
}
FOR_PAIRS = ("student", "student_int4")
"""Systems that only a family of users and items has."""


def run(family: Family, names: Sequence[str], seed: int) -> None:
    """Print a row for each system."""
    model = base(family.name, seed)
    keep = settings.BUILD / "compression" / f"{family.name}_{seed}"
    if not keep.exists():
        model.save(keep)
    lists = family.candidates()
    with tempfile.TemporaryDirectory() as folder:
        fp32 = export_onnx(fold_batch_norm(model.model_), Path(folder) / "fp32.onnx")
        whole, first = family.score(fp32), OnnxScorer(fp32)

        def in_memory(inputs: dict[str, np.ndarray]) -> np.ndarray:
            found = model.model_(inputs if len(inputs) > 1 else inputs["features"], training=False)
            return found.numpy()

        same = overlap(first, in_memory, lists)
        for name in names:
            if name in FOR_PAIRS and not isinstance(family, PairFamily):
                continue
            again = base(family.name, seed) if name == "pruned_80" else model
            path = SYSTEMS[name](family, again, fp32, Path(folder) / f"{name}.onnx")
            found = family.score(path)
            extra = (
                {"tables_ratio": _tables_ratio(model, path, fp32)} if name == "int4_tables" else {}
            )
            print_row(
                benchmark="compression",
                dataset=family.dataset,
                system=f"{family.name}_{name}",
                **{family.metric: found},
                loss=family.loss(whole, found),
                **costs(path, fp32, lists[0]),
                **extra,
                top10_overlap=same if name == "fp32" else overlap(OnnxScorer(path), first, lists),
                seed=seed,
                published=None,
                processor=processor(),
            )


def _tables_ratio(model: Any, path: Path, fp32: Path) -> float:
    """What is left of the tables' bytes, in a file in which only they became smaller."""
    layers = [layer for layer in model.model_.layers if hasattr(layer, "embeddings")]
    tables = sum(layer.embeddings.numpy().nbytes for layer in layers)
    return 1 - (bytes_on_disk(fp32) - bytes_on_disk(path)) / tables


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compression")
    parser.add_argument("--family", choices=FAMILIES, help="only this one")
    parser.add_argument("--system", choices=SYSTEMS, nargs="+", default=list(SYSTEMS))
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="a row a seed")
    options = parser.parse_args(arguments)
    try:
        for name in [options.family] if options.family else FAMILIES:
            for seed in options.seed:
                run(FAMILIES[name], options.system, seed)
    except ConnectionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
