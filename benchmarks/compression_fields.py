"""DeepFM and DNFM on Frappe, to be made smaller."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from benchmarks import frappe
from benchmarks.compression_costs import opened
from benchmarks.compression_family import CANDIDATES, LISTS, Family, Passes, Pruning, pruner
from rsutils.data import load
from rsutils.evaluate import auc
from rsutils.models.fields.networks import build
from rsutils.training import SliceBatches


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
        """The model, trained on."""
        data = load(self.dataset)
        return model.refine(
            data.train, plan.learning_rate, plan.epochs, data.validation, callbacks=callbacks
        )

    def builder(self, model: Any) -> tuple[Any, Any]:
        """What builds the network without folded normalisations, and with which config."""
        return build, replace(model.config(), batch_norm=False)

    def batches(self, model: Any) -> Any:
        """What the network learns from."""
        rows = load(self.dataset).train
        return SliceBatches((rows.features, rows.label[:, None]), model.batch_size, model.seed)

    def pruned(self, model: Any) -> Any:
        """The model, pruned while it is trained further; validation rows choose the epoch."""
        data, plan = load(self.dataset), self.pruning
        callback = pruner(model, plan, -(-len(data.train.label) // model.batch_size))
        return model.refine(
            data.train,
            plan.learning_rate,
            plan.epochs,
            data.validation,
            int(plan.rising * plan.epochs) + 1,
            [callback],
        )


DEEPFM = FieldFamily(
    "deepfm",
    "auc",
    relative=False,
    pruning=Pruning(
        {"factors": 0.75, "hidden_1": 0.86, "hidden_2": 0.86, "weights": 0.8},
        learning_rate=0.001,
        epochs=40,
    ),
    rounding=Passes(learning_rate=0.0005, epochs=2),
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
    rounding=Passes(learning_rate=0.0005, epochs=2),
    # Its pooled factors are normalised before any dense layer: tfmot does not quantize that.
    lacks=("student", "litert_aware"),
)
