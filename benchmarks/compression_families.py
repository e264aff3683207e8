"""The fp32 models that ``benchmarks.compression`` makes smaller, and how a file is judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.special import expit

from benchmarks import frappe, ncf_ml1m
from rsutils import settings
from rsutils.compress import Pruner, Schedule, Student, column_mask, teacher_scores
from rsutils.compress.masks import Pattern
from rsutils.data import load
from rsutils.evaluate import auc, sampled
from rsutils.models.pairs import scores_of_pairs
from rsutils.serve import OnnxScorer

CANDIDATES = 100
"""Rows that a service scores at a time: the items from which a list is made."""
LISTS = 200
"""Lists of candidates on which the first ten are compared."""


@dataclass(frozen=True)
class Pruning:
    """How a family is pruned; chosen on its validation rows.

    Attributes:
        sparsity: at the end, by layer.
        learning_rate: of the passes in which it is pruned.
        epochs: passes.
        rising: share of the steps in which sparsity rises.
    """

    sparsity: Mapping[str, float]
    learning_rate: float
    epochs: int
    rising: float = 0.5


@dataclass(frozen=True)
class Family:
    """A network with its data.

    Attributes:
        name: of the system in its own benchmark.
        metric: larger is better.
        relative: whether a loss is a share of the metric, or a difference.
        pruning: how it is pruned.
    """

    name: str
    metric: str
    relative: bool
    pruning: Pruning

    def loss(self, base: float, found: float) -> float:
        """What was lost against ``base``."""
        return 1 - found / base if self.relative else base - found


@dataclass(frozen=True)
class PairFamily(Family):
    """A model of users and items on MovieLens 1M."""

    dataset = ncf_ml1m.DATASET

    def trained(self, seed: int) -> Any:
        """The fp32 model with its chosen settings."""
        return ncf_ml1m.SYSTEMS[self.name].model(seed).fit(load(self.dataset).published.train)

    def score(self, path: Path) -> float:
        """NDCG@10 of an exported file on the published test items."""
        split, scorer = load(self.dataset).published, OnnxScorer(path, threads=2)
        return sampled(
            _Served(scorer, split.train.n_items), split.test, split.negatives, metrics=("ndcg",)
        )["ndcg@10"]

    def candidates(self) -> list[dict[str, np.ndarray]]:
        """What a service would score: a user's test item and 99 others."""
        split = load(self.dataset).published
        found = []
        for user, item in zip(split.test.user[:LISTS], split.test.item[:LISTS], strict=True):
            others = split.negatives[len(found)]
            items = np.append(others, item).astype(np.int32)
            found.append({"user": np.full(len(items), user, np.int32), "item": items})
        return found

    def student(self, seed: int) -> Any:
        """A small model that learns from the mean of three larger ones."""
        train = load(self.dataset).published.train
        teachers = [
            ncf_ml1m.SYSTEMS[name].model(seed).fit(train) for name in ("ease", "ials", "cdae")
        ]
        student = Student(seed=seed, progress=False)
        return student.fit(train, teacher_scores(teachers, train.to_csr()))

    def pruned(self, model: Any) -> Any:
        """The model, pruned while it is trained further."""
        train = load(self.dataset).published.train
        plan = self.pruning
        steps = -(-len(train) // model.batch_size)
        pruner = _pruner(model, plan, steps, _same_dimensions(model.model_))
        return model.refine(train, plan.learning_rate, plan.epochs, [pruner])


@dataclass(frozen=True)
class FieldFamily(Family):
    """A model of rows of fields on Frappe."""

    dataset = frappe.DATASET

    def trained(self, seed: int) -> Any:
        """The fp32 model with its chosen settings."""
        part = frappe.test()
        return frappe.SYSTEMS[self.name].model(seed).fit(part.train, **part.options)

    def score(self, path: Path) -> float:
        """AUC of an exported file on the published test rows."""
        rows, scorer = load(self.dataset).test, OnnxScorer(path, threads=2)
        blocks = np.array_split(rows.features, -(-len(rows.features) // 8192))
        found = np.concatenate([scorer({"features": block}).ravel() for block in blocks])
        return auc(rows.label, expit(found))

    def candidates(self) -> list[dict[str, np.ndarray]]:
        """A hundred test rows at a time."""
        rows = load(self.dataset).test.features.astype(np.int32)
        return [
            {"features": rows[start : start + CANDIDATES]}
            for start in range(0, LISTS * CANDIDATES, CANDIDATES)
        ]

    def pruned(self, model: Any) -> Any:
        """The model, pruned while it is trained further; validation rows choose the epoch."""
        data, plan = load(self.dataset), self.pruning
        pruner = _pruner(model, plan, -(-len(data.train.label) // model.batch_size))
        return model.refine(
            data.train,
            plan.learning_rate,
            plan.epochs,
            data.validation,
            int(plan.rising * plan.epochs) + 1,
            [pruner],
        )


class _Served:
    """Scores by an exported file, in the form in which recommenders are judged."""

    def __init__(self, scorer: Callable, n_items: int) -> None:
        self.scorer, self.n_items_ = scorer, n_items

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(len(users), n_items) float32."""
        return scores_of_pairs(
            users, self.n_items_, lambda user, item: self.scorer({"user": user, "item": item})
        )


def _same_dimensions(network: Any) -> dict[str, Pattern]:
    """GMF multiplies its tables number by number: both lose the same dimensions, as a whole."""
    tables = [network.get_layer(f"gmf_{side}").embeddings.numpy() for side in ("user", "item")]
    weight = np.abs(network.get_layer("logit").kernel.numpy()[: tables[0].shape[1], 0])
    worth = weight * np.prod([np.linalg.norm(table, axis=0) for table in tables], axis=0)
    return dict.fromkeys(("gmf_user", "gmf_item"), partial(column_mask, worth=worth))


def _pruner(
    model: Any, plan: Pruning, steps: int, patterns: Mapping[str, Pattern] = MappingProxyType({})
) -> Pruner:
    end = int(plan.rising * plan.epochs * steps)
    every = max(1, end // 20)
    schedules = {
        name: Schedule(sparsity, end=end, every=every) for name, sparsity in plan.sparsity.items()
    }
    return Pruner(model.model_, schedules, patterns)


HIDDEN_80 = {"hidden_1": 0.8, "hidden_2": 0.8}
FAMILIES = {
    family.name: family
    for family in (
        PairFamily(
            "neumf",
            "ndcg@10",
            relative=True,
            pruning=Pruning(
                # The MLP's tables bear more than GMF's; together 80% of all weights.
                {
                    **HIDDEN_80,
                    **dict.fromkeys(("gmf_user", "gmf_item"), 0.71875),
                    **dict.fromkeys(("mlp_user", "mlp_item"), 0.97),
                },
                learning_rate=0.005,
                epochs=8,
                rising=0.01,
            ),
        ),
        FieldFamily(
            "deepfm",
            "auc",
            relative=False,
            pruning=Pruning(
                {"factors": 0.75, "hidden_1": 0.86, "hidden_2": 0.86, "weights": 0.8},
                learning_rate=0.001,
                epochs=40,
            ),
        ),
        FieldFamily(
            "dnfm",
            "auc",
            relative=False,
            pruning=Pruning(
                {"factors": 0.805, "hidden_1": 0.75, "hidden_2": 0.8, "weights": 0.6},
                learning_rate=0.001,
                epochs=15,
            ),
        ),
    )
}


def base(name: str, seed: int) -> Any:
    """The trained fp32 model of a family, kept in the build folder from one run to the next."""
    from rsutils.models import NCF
    from rsutils.models.fields import FieldModel

    family = FAMILIES[name]
    folder = settings.BUILD / "compression" / f"{name}_{seed}"
    if not folder.exists():
        return family.trained(seed)
    kind = NCF if isinstance(family, PairFamily) else FieldModel
    return kind.load(folder)
