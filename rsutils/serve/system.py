"""A served system as a folder: what retrieval and ranking need, whole and verified."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from rsutils.sealed import new_folder, read_sealed, seal
from rsutils.serve.catalogue import Catalogue
from rsutils.serve.onnx_scorer import OnnxScorer
from rsutils.serve.ranking.features import RankingFeatures
from rsutils.serve.ranking.signals import Histories, Signals
from rsutils.serve.ranking.two_stage import TwoStage
from rsutils.serve.retrieval import load_index, save_index
from rsutils.serve.spread import spread

KIND, FORMAT = "served system", 1
SIGNALS, FEATURES, INDEX, RANKERS = "signals", "features", "index", "rankers"
CATALOGUE = "catalogue.json"


@dataclass(frozen=True)
class System:
    """What a folder of a served system holds.

    Attributes:
        name: of the folder.
        manifest: what was measured when it was made; see ``write_system``.
        catalogue: names of users and items.
        histories: item numbers of each user, oldest first.
        stages: retrieval and ranking.
    """

    name: str
    manifest: Mapping[str, Any]
    catalogue: Catalogue
    histories: Histories
    stages: TwoStage

    @classmethod
    def load(cls, folder: Path | str, threads: int = 1) -> Self:
        """Read a folder that ``write_system`` wrote; arrays are mapped, not copied.

        Args:
            folder: the system's.
            threads: threads that one call of a ranker may use.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: a file changed, or does not belong there.
        """
        folder = Path(folder)
        manifest = read_sealed(folder, KIND, FORMAT)
        settings = manifest["settings"]
        ends, items = (
            np.load(folder / f"history_{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("ends", "items")
        )
        rankers = {
            name: OnnxScorer(folder / RANKERS / f"{name}.onnx", threads)
            for name in manifest["variants"]
        }
        stages = TwoStage(
            Signals.load(folder / SIGNALS, settings["signals"]),
            load_index(folder / INDEX),
            RankingFeatures.load(folder / FEATURES, settings["features"]),
            rankers,
            settings["candidates"],
        )
        catalogue = Catalogue.load(folder / CATALOGUE)
        histories = Slices(items, ends)
        return cls(folder.resolve().name, manifest, catalogue, histories, stages)

    def some_users(self, limit: int) -> np.ndarray:
        """Numbers of at most ``limit`` users, spread over all of them, ascending."""
        return spread(len(self.histories), limit)


class Slices:
    """Arrays that lie one after the other in one array.

    Args:
        values: all of them.
        ends: (n,) where each one ends.

    Example:
        >>> Slices(np.array([5, 6, 7]), np.array([2, 2, 3]))[2].tolist()
        [7]
    """

    def __init__(self, values: np.ndarray, ends: np.ndarray) -> None:
        self._values, self._ends = values, ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> np.ndarray:
        start = self._ends[number - 1] if number else 0
        return self._values[start : self._ends[number]]


def write_system(
    folder: Path | str,
    stages: TwoStage,
    catalogue: Catalogue,
    histories: Histories,
    rankers: Mapping[str, Path],
    content: Mapping[str, Any],
) -> Path:
    """Write a system to ``folder``, whole or not at all, and return the path.

    Args:
        folder: new.
        stages: retrieval and ranking.
        catalogue: names of users and items.
        histories: item numbers of each user, oldest first.
        rankers: ONNX files by variant, those of ``stages.rankers``.
        content: what the manifest says beside: ``dataset``, ``created``, ``versions``,
            ``quality``, and ``variants``, for each its ``bytes``, ``quality``, ``p50_ms`` and
            ``top10_overlap``; the first one is the default.

    Raises:
        FileExistsError: there is something at ``folder`` already.
    """
    with new_folder(folder) as draft:
        for name in (SIGNALS, FEATURES, RANKERS):
            (draft / name).mkdir()
        stages.signals.save(draft / SIGNALS)
        settings = {
            "signals": stages.signals.settings(),
            "features": stages.features.save(draft / FEATURES),
            "candidates": stages.candidates,
            "index": stages.index.kind,
        }
        save_index(stages.index, draft / INDEX)
        for name, path in rankers.items():
            (draft / RANKERS / f"{name}.onnx").write_bytes(path.read_bytes())
        catalogue.save(draft / CATALOGUE)
        lengths = [len(history) for history in histories]
        np.save(draft / "history_ends.npy", np.cumsum(lengths, dtype=np.int64))
        np.save(draft / "history_items.npy", np.concatenate([*histories]).astype(np.int32))
        seal(draft, KIND, FORMAT, {**content, "settings": settings})
    return Path(folder)
