"""NeuMF on MovieLens 1M, to be made smaller."""

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ncf_ml1m
from benchmarks.compression_costs import opened
from benchmarks.compression_family import LISTS, Family, Passes, Pruning, pruner
from rsutils.compress import (
    Student,
    calibrate_logit,
    column_mask,
    distil,
    prunable,
    prune,
    teacher_scores,
)
from rsutils.compress.student_network import towers
from rsutils.data import load
from rsutils.evaluate import sampled
from rsutils.models.ncf import build
from rsutils.serve import FileRecommender
from rsutils.training import PairBatches

BLOCKS, USERS = 7, 1024
"""Blocks of items and users a step, when tables are taught."""
DIMENSIONS = 26
"""Of GMF's 64, that pruning begins with."""


@dataclass(frozen=True)
class PairFamily(Family):
    """A model of users and items on MovieLens 1M."""

    dataset = ncf_ml1m.DATASET

    def trained(self, seed: int) -> Any:
        """The fp32 model with its chosen settings."""
        return ncf_ml1m.SYSTEMS[self.name].model(seed).fit(load(self.dataset).published.train)

    def score(self, path: Path) -> float:
        """NDCG@10 of an exported file on the published test items."""
        split, scorer = load(self.dataset).published, opened(path, threads=2)
        served = FileRecommender(scorer, split.train.n_users, split.train.n_items)
        return sampled(served, split.test, split.negatives, metrics=("ndcg",))["ndcg@10"]

    def candidates(self) -> list[dict[str, np.ndarray]]:
        """What a service would score: a user's test item and 99 others."""
        split = load(self.dataset).published
        found = []
        for user, item in zip(split.test.user[:LISTS], split.test.item[:LISTS], strict=True):
            others = split.negatives[len(found)]
            items = np.append(others, item).astype(np.int32)
            found.append({"user": np.full(len(items), user, np.int32), "item": items})
        return found

    def all_items(self) -> dict[str, np.ndarray]:
        """A user with every item there is."""
        n_items = load(self.dataset).published.train.n_items
        return {"user": np.zeros(n_items, np.int32), "item": np.arange(n_items, dtype=np.int32)}

    def student(self, seed: int, **settings: int) -> Any:
        """A small model that learns from the mean of three larger ones."""
        small = Student(seed=seed, progress=False, **settings)
        return small.fit(load(self.dataset).published.train, _teacher(seed))

    def together(self, model: Any) -> tuple[Any, dict[str, int]]:
        """A student with longer rows of fewer bits, which are rounded while it learns."""
        small = self.student(model.seed, user_dimensions=20, item_dimensions=16, table_bits=4)
        return small, {"tables": 4, "dense": 16}

    def refined(self, model: Any, plan: Passes, callbacks: list[Any]) -> Any:
        """The model, trained on."""
        train = load(self.dataset).published.train
        return model.refine(train, plan.learning_rate, plan.epochs, callbacks)

    def builder(self, model: Any) -> tuple[Any, Any]:
        """What built the network, and with which config."""
        return build, model.config()

    def batches(self, model: Any) -> Any:
        """What the network learns from: observed pairs, and drawn ones."""
        train = load(self.dataset).published.train
        return PairBatches(train, model.batch_size, model.negatives, model.seed)

    def pruned(self, model: Any) -> Any:
        """What GMF is left with, taught by the student's teachers.

        At this sparsity the MLP does not help any more: all of its weights go, and of GMF's
        dimensions those of least worth, in both tables. From what is left the smallest weights go
        while the tables learn.
        """
        train, network = load(self.dataset).published.train, model.model_
        prune_to_products(network, DIMENSIONS)
        distil(
            *towers(network, "gmf_{side}"),
            _teacher(model.seed),
            train.to_csr(),
            learning_rate=self.pruning.learning_rate,
            epochs=self.pruning.epochs,
            batch_size=USERS,
            blocks=BLOCKS,
            seed=model.seed,
            callbacks=[pruner(model, self.pruning, BLOCKS * -(-train.n_users // USERS))],
        )
        calibrate_logit(network, train, seed=model.seed)
        return model


@cache
def _teacher(seed: int) -> np.ndarray:
    train = load(PairFamily.dataset).published.train
    models = [ncf_ml1m.SYSTEMS[name].model(seed).fit(train) for name in ("ease", "ials", "cdae")]
    return teacher_scores(models, train.to_csr())


def prune_to_products(network: Any, dimensions: int) -> None:
    """Leave GMF's dimensions of most worth; the output layer's weights go into the item table."""
    known = prunable(network)
    kernel, bias = network.get_layer("logit").get_weights()
    size = known["gmf_item"].shape[1]
    known["gmf_item"].assign(known["gmf_item"].numpy() * kernel[:size, 0])
    network.get_layer("logit").set_weights([(np.arange(len(kernel)) < size)[:, None], bias])
    tables = [known[name].numpy() for name in ("gmf_user", "gmf_item")]
    worth = np.prod([np.linalg.norm(table, axis=0) for table in tables], axis=0)
    share = dict.fromkeys(("gmf_user", "gmf_item"), 1 - dimensions / size)
    prune(network, share, partial(column_mask, worth=worth))
    for name, weights in known.items():
        if name.startswith(("mlp", "hidden")):
            weights.assign(np.zeros(weights.shape, np.float32))


NEUMF = PairFamily(
    "neumf",
    "ndcg@10",
    relative=True,
    pruning=Pruning(
        dict.fromkeys(("gmf_user", "gmf_item"), 0.7), learning_rate=0.02, epochs=250, rising=0.4
    ),
    rounding=Passes(learning_rate=0.0005, epochs=2),
)
