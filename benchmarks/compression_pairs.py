"""NeuMF on MovieLens 1M, to be made smaller."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ncf_ml1m
from benchmarks.compression_family import LISTS, Family, Pruning, pruner
from rsutils.compress import Student, column_mask, teacher_scores
from rsutils.compress.masks import Pattern
from rsutils.data import load
from rsutils.evaluate import sampled
from rsutils.models.pairs import scores_of_pairs
from rsutils.serve import OnnxScorer


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
        callback = pruner(model, plan, steps, _same_dimensions(model.model_))
        return model.refine(train, plan.learning_rate, plan.epochs, [callback])


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


NEUMF = PairFamily(
    "neumf",
    "ndcg@10",
    relative=True,
    pruning=Pruning(
        # The MLP's tables bear more than GMF's; together 80% of all weights.
        {
            "hidden_1": 0.8,
            "hidden_2": 0.8,
            **dict.fromkeys(("gmf_user", "gmf_item"), 0.71875),
            **dict.fromkeys(("mlp_user", "mlp_item"), 0.97),
        },
        learning_rate=0.005,
        epochs=8,
        rising=0.01,
    ),
)
