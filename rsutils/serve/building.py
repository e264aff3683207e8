"""From a data set to a served system: fit both stages, make smaller rankers, measure, write."""

import datetime
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from rsutils import evaluate, settings
from rsutils.data.catalogue import find
from rsutils.data.dataset import Dataset, Split
from rsutils.data.interactions import Interactions
from rsutils.data.loading import load
from rsutils.data.splits import leave_last_out
from rsutils.evaluate.report import Report
from rsutils.models import Popularity
from rsutils.sealed import refuse_existing
from rsutils.serve.catalogue import Catalogue
from rsutils.serve.onnx_scorer import OnnxScorer
from rsutils.serve.ranking.choosing import SignalSettings, choose_settings
from rsutils.serve.ranking.examples import histories_of, ranking_examples
from rsutils.serve.ranking.features import RankingFeatures
from rsutils.serve.ranking.rankers import VARIANTS, new_ranker, write_rankers
from rsutils.serve.ranking.signals import Histories, Signals
from rsutils.serve.ranking.two_stage import INPUT, TwoStage
from rsutils.serve.ranking.two_stage_recommender import TwoStageRecommender
from rsutils.serve.retrieval import build_index
from rsutils.serve.score_parity import check_parity, parity
from rsutils.serve.spread import spread
from rsutils.serve.system import write_system

ITEM_COLUMNS = ("genres", "director", "theme", "place", "category", "brand")
USER_COLUMNS = ("age_group", "occupation", "region", "gender")
"""Attributes that the ranker is told, where a data set has them."""
CANDIDATES = 200
PACKAGES = ("numpy", "onnxruntime", "faiss-cpu", "keras", "tensorflow")
COMPARED = 64
"""Users whose lists are compared between the ranker and its files."""


@dataclass(frozen=True)
class Made:
    """A system that was measured but not written.

    Attributes:
        stages: retrieval and ranking.
        rankers: ONNX files by variant.
        reports: by name, how a variant or baseline ranks the held-out items.
        chosen: settings of the models that describe candidates.
    """

    stages: TwoStage
    rankers: Mapping[str, Path]
    reports: Mapping[str, Report]
    chosen: SignalSettings


def build_system(
    dataset: Dataset,
    folder: Path | str,
    index: str = "exact",
    variants: Sequence[str] = tuple(VARIANTS),
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Train on all but each user's last item, measure on that item, and write a system.

    Retrieval is iALS with ``CANDIDATES`` items proposed; the ranker is a DNN that reads the
    candidate, its attributes, the last items, and its ranks by factors and by transitions. Settings
    of the models that describe candidates are chosen on each user's last item but one. Smaller
    variants of the ranker are measured the same way.

    Args:
        dataset: with attributes where it has them.
        folder: new.
        index: kind of the index over item factors, see ``build_index``.
        variants: of the ranker, some of ``VARIANTS``; ``"fp32"`` comes first.
        seed: of all that is random.
        progress: show what is being done.

    Returns:
        ``folder``.

    Raises:
        FileExistsError: there is something at ``folder``.
        ValueError: no user has three interactions, a variant is unknown, or the ranker's file does
            not score as it does.
    """
    refuse_existing(folder)
    split = leave_last_out(dataset.interactions)
    known = split.before_test
    with tempfile.TemporaryDirectory() as drafts:
        made = _made(dataset, split, index, variants, seed, progress, Path(drafts))
        content = {
            "dataset": dataset.name,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seed": seed,
            "versions": settings.versions_of(PACKAGES),
            "n_users": known.n_users,
            "n_items": known.n_items,
            "interactions": len(known),
            "chosen": asdict(made.chosen),
            "quality": {name: report.figures() for name, report in made.reports.items()},
            "variants": _variants(made, known),
        }
        return write_system(
            folder,
            made.stages,
            Catalogue.of(dataset),
            histories_of(known),
            made.rankers,
            content,
        )


def find_or_build(models: Path | str, dataset: str, seed: int = 0, progress: bool = True) -> Path:
    """The system of a data set and seed in a folder of systems; built if it is not there.

    Args:
        models: folder of systems; made if need be.
        dataset: its name in the catalogue.
        seed: of all that is random.
        progress: show what is being done.

    Raises:
        ValueError: the data set is unknown, or has no users who take items.
    """
    folder = Path(models) / f"{find(dataset).name}-{seed}"
    if not folder.exists():
        found = load(dataset)
        if not isinstance(found, Dataset):
            raise ValueError(f"{dataset} has rows of features; expected users who take items.")
        build_system(found, folder, seed=seed, progress=progress)
    return folder


def number_features(dataset: Dataset, signals: Signals) -> RankingFeatures:
    """Features from the attributes that the ranker is told."""
    return RankingFeatures.of(
        _columns(dataset.items, ITEM_COLUMNS),
        _columns(dataset.users, USER_COLUMNS),
        signals.popularity,
        dataset.interactions.n_users,
        candidates=CANDIDATES,
    )


def _made(
    dataset: Dataset,
    split: Split,
    index: str,
    variants: Sequence[str],
    seed: int,
    progress: bool,
    drafts: Path,
) -> Made:
    known = split.before_test
    chosen = choose_settings(split, CANDIDATES, seed, progress)
    rows = ranking_examples(
        known,
        lambda log: chosen.fit(log, seed),
        lambda signals: number_features(dataset, signals),
        candidates=CANDIDATES,
        seed=seed,
        progress=progress,
    )
    signals = chosen.fit(known, seed)
    features = number_features(dataset, signals)
    ranker = new_ranker(len(rows), seed, progress).fit(rows, n_features=features.n_features)
    files = write_rankers(ranker, rows, drafts, variants)
    scorers = {name: OnnxScorer(path) for name, path in files.items()}
    stages = TwoStage(
        signals, build_index(index, signals.item_factors), features, scorers, CANDIDATES
    )
    _check_file(ranker.model_, scorers["fp32"], rows.features)
    models = {
        "popularity": Popularity().fit(known),
        "retrieval": TwoStageRecommender(stages, known, variant=None),
        **{name: TwoStageRecommender(stages, known, variant=name) for name in files},
    }
    reports = {
        name: evaluate.full_ranking(model, split.test, exclude=known)
        for name, model in tqdm(models.items(), "measuring", disable=not progress)
    }
    return Made(stages, files, reports, chosen)


def _check_file(network: Any, scorer: OnnxScorer, rows: np.ndarray) -> None:
    """Refuse a file whose scores or lists are not the network's."""
    width = min(CANDIDATES, len(rows))
    some = rows[: len(rows) // width * width][: COMPARED * width]
    expected = network(some, training=False).numpy().reshape(-1, width)
    found = scorer({INPUT: some}).reshape(-1, width)
    check_parity("the ranker's ONNX file", parity(expected, found))


def _variants(made: Made, known: Interactions) -> dict[str, dict[str, Any]]:
    """What is told of each variant: size, quality, and how many of the first ten are fp32's."""
    users = spread(known.n_users, COMPARED)
    histories = histories_of(known)
    asked = users.tolist(), [histories[user] for user in users]
    lists = {name: made.stages.rank(*asked, 10, name).items for name in made.rankers}
    times = _ranking_ms(made.stages, *asked)
    return {
        name: {
            "bytes": path.stat().st_size,
            "quality": made.reports[name].figures(),
            "p50_ms": times[name],
            "top10_overlap": float(
                np.mean(
                    [
                        len(np.intersect1d(a, b)) / len(a)
                        for a, b in zip(lists[name], lists["fp32"], strict=True)
                    ]
                )
            ),
        }
        for name, path in made.rankers.items()
    }


def _ranking_ms(stages: TwoStage, users: list[int], histories: Histories) -> dict[str, float]:
    """Milliseconds of one history through both stages: the median over turns of all variants."""
    times: dict[str, list[float]] = {name: [] for name in stages.rankers}
    for user, history in zip(users, histories, strict=True):
        for name, taken in times.items():
            begun = time.perf_counter()
            stages.rank([user], [history], 10, name)
            taken.append(1e3 * (time.perf_counter() - begun))
    return {name: statistics.median(taken) for name, taken in times.items()}


def _columns(table: pd.DataFrame | None, wanted: tuple[str, ...]) -> pd.DataFrame | None:
    found = [] if table is None else [name for name in wanted if name in table.columns]
    return table[found] if found else None
