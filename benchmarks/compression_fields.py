"""DeepFM and DNFM on Frappe, to be made smaller."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from benchmarks import frappe
from benchmarks.compression_costs import opened
from benchmarks.compression_family import CANDIDATES, LISTS, Family, Passes, Pruning, pruner
from rsutils.compress import QuantizationAware
from rsutils.data import FieldRows, load
from rsutils.evaluate import auc
from rsutils.models.fields.networks import build
from rsutils.training import SliceBatches

ITEM = 1
"""The field of the app that is recommended."""
TEACHERS = (0, 1, 2)
"""Seeds of the models of a family that teach together."""
COPIES = 3
"""Times that the training rows come again with other items."""
TAUGHT_PENALTY = 0.001
"""On the factors of a large model. Labels of 0 and 1 are soon learnt by heart and need a stronger
one than what teachers say of many more rows."""
TABLE_BITS = 4
SMALL = {
    "dimensions": 8,
    "hidden": (32, 16),
    "batch_norm": True,
    "l2": 0.0003,
    "learning_rate": 0.008,
    "epochs": 16,
}
"""Without dropout: a student has too few weights to learn rows by heart."""
SMALL_ROUNDING = Passes(learning_rate=0.004, epochs=6)


@dataclass(frozen=True, kw_only=True)
class FieldFamily(Family):
    """A model of rows of fields on Frappe.

    Attributes:
        pruned_by_teachers: whether it learns teachers' labels while it is pruned, or its own.
        small: settings of the student.
        small_rounding: how the student is trained with the rounding in place.
    """

    dataset = frappe.DATASET
    pruned_by_teachers: bool
    small: Mapping[str, Any] = field(default_factory=lambda: SMALL)
    small_rounding: Passes = SMALL_ROUNDING

    def trained(self, seed: int) -> Any:
        """The fp32 model with its chosen settings."""
        part = frappe.test()
        return frappe.SYSTEMS[self.name].model(seed).fit(part.train, **part.options)

    def score(self, path: Path) -> float:
        """AUC of an exported file on the published test rows."""
        rows, scorer = load(self.dataset).test, opened(path, threads=2)
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

    def refined(self, model: Any, plan: Passes, callbacks: list[Any]) -> Any:
        """The model, trained on by teachers: its own rows it knows by heart."""
        model.l2 = TAUGHT_PENALTY
        return model.refine(
            taught_rows(self.name),
            plan.learning_rate,
            plan.epochs,
            load(self.dataset).validation,
            callbacks=callbacks,
        )

    def builder(self, model: Any) -> tuple[Any, Any]:
        """What builds the network without folded normalisations, and with which config."""
        return build, replace(model.config(), batch_norm=False)

    def batches(self, model: Any) -> Any:
        """What the network learns from, when it is trained on."""
        rows = taught_rows(self.name)
        return SliceBatches((rows.features, rows.label[:, None]), model.batch_size, model.seed)

    def pruned(self, model: Any) -> Any:
        """The model, pruned while it is trained further; validation rows choose the epoch."""
        data, plan = load(self.dataset), self.pruning
        rows = data.train
        if self.pruned_by_teachers:
            rows, model.l2 = taught_rows(self.name), TAUGHT_PENALTY
        return model.refine(
            rows,
            plan.learning_rate,
            plan.epochs,
            data.validation,
            int(plan.rising * plan.epochs) + 1,
            [pruner(model, plan, -(-len(rows) // model.batch_size))],
        )

    def together(self, model: Any) -> tuple[Any, dict[str, int]]:
        """A small DNN that learns from three of the family, and has its table rounded after that.

        FM's terms would take longer in every call than all of so small a DNN.
        """
        rows, validation = taught_rows(self.name), load(self.dataset).validation
        small = frappe.make("dnn", seed=model.seed, **self.small)
        small.fit(rows, validation, n_features=model.n_features_)
        aware = QuantizationAware(small.model_, {"factors": TABLE_BITS})
        plan = self.small_rounding
        small.refine(rows, plan.learning_rate, plan.epochs, validation, callbacks=[aware])
        return small, {"tables": TABLE_BITS, "dense": 16}


@cache
def taught_rows(name: str) -> FieldRows:
    """Training rows and others, with the mean probability of three models of a family."""
    from benchmarks.compression_families import base  # which knows this module

    features = with_other_items(load(frappe.DATASET).train.features, COPIES)
    found = [base(name, seed).probability(features) for seed in TEACHERS]
    return FieldRows(features, np.mean(found, axis=0, dtype=np.float32))


def with_other_items(features: np.ndarray, copies: int, seed: int = 0) -> np.ndarray:
    """Rows, and copies of them with other items.

    Teachers label any row. Those that they were trained on they know nearly by heart; of others
    their labels tell what they took from the training rows. In one copy items are drawn as often
    as they occur, in the others all of them equally often.

    Args:
        features: (n, n_fields) ids.
        copies: of all rows, 1 or more.
        seed: of the draw.

    Returns:
        (n * (1 + copies), n_fields) ids; the first n rows are ``features``.
    """
    found = np.tile(features, (1 + copies, 1))
    rng, n, items = np.random.default_rng(seed), len(features), features[:, ITEM]
    found[n : 2 * n, ITEM] = rng.choice(items, n)
    found[2 * n :, ITEM] = rng.choice(np.unique(items), n * (copies - 1))
    return found


DEEPFM = FieldFamily(
    "deepfm",
    "auc",
    relative=False,
    pruning=Pruning(
        {"factors": 0.75, "hidden_1": 0.86, "hidden_2": 0.86, "weights": 0.8},
        learning_rate=0.002,
        epochs=8,
    ),
    rounding=Passes(learning_rate=0.0005, epochs=2),
    pruned_by_teachers=True,
    lacks=("student",),
)
DNFM = FieldFamily(
    "dnfm",
    "auc",
    relative=False,
    pruning=Pruning(
        {"factors": 0.805, "hidden_1": 0.75, "hidden_2": 0.8, "weights": 0.6},
        learning_rate=0.001,
        epochs=15,
    ),
    rounding=Passes(learning_rate=0.0001, epochs=2),
    pruned_by_teachers=False,
    # Its pooled factors are normalised before any dense layer: tfmot does not quantize that.
    lacks=("student", "litert_aware"),
)
