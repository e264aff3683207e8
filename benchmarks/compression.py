"""Smaller models against the fp32 model of their family: quality, bytes, latency, memory.

    python -m benchmarks.compression [--family NAME] [--system NAME] [--seed 0 1 2]

``neumf`` is judged on MovieLens 1M in the split of He et al. 2017 by NDCG@10, ``deepfm`` and
``dnfm`` on Frappe by AUC, each as its own benchmark trains it. Judged is what would be served: the
exported file, run by ONNX Runtime, or by LiteRT where the name says so. ``loss`` is against the
fp32 file of the same seed and runtime: a share of NDCG@10, a difference of AUC. Milliseconds are
those of scoring 100 candidates, and of NeuMF's whole catalogue; their ratio to fp32 is taken by
turns. Settings were chosen on validation rows.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import compression_litert, compression_systems
from benchmarks.common import print_row
from benchmarks.compression_costs import costs, opened, overlap, timed
from benchmarks.compression_families import FAMILIES, base
from benchmarks.compression_family import Family
from benchmarks.compression_pairs import PairFamily
from rsutils.compress import fold_batch_norm, prunable
from rsutils.compress.pruning import is_table
from rsutils.measure import bytes_on_disk, processor
from rsutils.serve import export_litert, export_onnx

SYSTEMS = compression_systems.SYSTEMS | compression_litert.SYSTEMS


class Whole:
    """The fp32 model of a family as files, and what they are worth.

    Args:
        family: of the model.
        model: trained.
        folder: for the files.
    """

    def __init__(self, family: Family, model: Any, folder: Path) -> None:
        self.family, self.folder = family, folder
        self.lists = family.candidates()
        self.network = fold_batch_norm(model.model_)
        self._found: dict[str, tuple[Path, float]] = {}

    def file(self, suffix: str) -> tuple[Path, float]:
        """The fp32 file of a runtime and its quality."""
        if suffix not in self._found:
            export = export_litert if suffix == ".tflite" else export_onnx
            path = export(self.network, self.folder / f"fp32{suffix}")
            self._found[suffix] = path, self.family.score(path)
        return self._found[suffix]

    def in_memory(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Scores by Keras."""
        found = self.network(inputs if len(inputs) > 1 else inputs["features"], training=False)
        return found.numpy()


def run(family: Family, names: Sequence[str], seed: int) -> None:
    """Print a row for each system."""
    model = base(family.name, seed)
    with tempfile.TemporaryDirectory() as folder:
        whole = Whole(family, model, Path(folder))
        for name in names:
            if name in family.lacks:
                continue
            suffix = ".tflite" if name in compression_litert.SYSTEMS else ".onnx"
            fp32, quality = whole.file(suffix)
            target = Path(folder) / f"{name}{suffix}"
            path = SYSTEMS[name](family, base(family.name, seed), fp32, target)
            found = quality if path == fp32 else family.score(path)
            print_row(
                benchmark="compression",
                dataset=family.dataset,
                system=f"{family.name}_{name}",
                **{family.metric: found},
                loss=family.loss(quality, found),
                **costs(path, fp32, whole.lists[0]),
                **_of_all_items(family, path, fp32),
                **_more(name, model, path, fp32),
                top10_overlap=_overlap(whole, path, fp32),
                seed=seed,
                published=None,
                processor=processor(),
            )


def _overlap(whole: Whole, path: Path, fp32: Path) -> float:
    """With the fp32 file; of that one itself with the model in memory."""
    other = whole.in_memory if path == fp32 else opened(fp32)
    return overlap(opened(path), other, whole.lists)


def _of_all_items(family: Family, path: Path, fp32: Path) -> dict[str, float]:
    """Milliseconds of one user's scores of all items, where there are users and items."""
    if not isinstance(family, PairFamily):
        return {}
    return timed(path, fp32, family.all_items(), 1, "_all_items")


def _more(name: str, model: Any, path: Path, fp32: Path) -> dict[str, float]:
    """What is left of the tables' bytes, in a file in which only they became smaller."""
    if name not in ("int4_tables", "int4_aware"):
        return {}
    network = model.model_
    weights = prunable(network).items()
    tables = sum(each.numpy().nbytes for name, each in weights if is_table(network, name))
    return {"tables_ratio": 1 - (bytes_on_disk(fp32) - bytes_on_disk(path)) / tables}


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
