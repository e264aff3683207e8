"""Frappe: will this user open this app, here and now? Ten categorical fields, AUC and log loss.

    python -m benchmarks.frappe [--system NAME] [--tune] [--seed 0 1 2]

The split is the published one (Frappe_x1), with two drawn negatives for each use of an app.
Validation and test are as published. The training file read here has the published positives, bar
a few, but its negatives were drawn again. So a figure may differ from one on the published training
file for that reason alone.

Validation chooses the settings and, by early stopping, the epoch. The test part is read once, with
the settings below. The published figures are those of Zhu et al. 2021, "Open benchmarking for
click-through rate prediction", CIKM, and of its continuation BARS (Zhu et al. 2022, SIGIR); DNFM
has none there.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks.common import Benchmark, Part, System
from rsutils.data import FieldDataset, FieldRows, load
from rsutils.evaluate import auc, log_loss

DATASET = "frappe"
SOURCE = "Zhu et al. 2021, 2022, Open benchmarking for CTR prediction (BARS), Frappe_x1"
PUBLISHED = {
    "lr": (0.9356, 0.3076),
    "fm": (0.9671, 0.2065),
    "nfm": (0.9804, 0.2058),
    "dnn": (0.9841, 0.1584),
    "deepfm": (0.9840, 0.1495),
    "dlrm": (0.9840, 0.1444),
    "dcn": (0.9845, 0.1491),
}
"""AUC and log loss; DCN's are of its second version."""


def part(dataset: FieldDataset, rows: FieldRows) -> Part:
    """Learn from the training rows, stop by the validation rows, judge on ``rows``."""

    def evaluate(model: Any) -> dict[str, float]:
        found = model.probability(rows.features)
        return {"auc": auc(rows.label, found), "log_loss": log_loss(rows.label, found)}

    return Part(
        dataset.train,
        evaluate,
        {"validation": dataset.validation, "n_features": dataset.n_features},
    )


def test() -> Part:
    """The published test rows."""
    dataset = load(DATASET)
    return part(dataset, dataset.test)


def validation() -> Part:
    """The published validation rows."""
    dataset = load(DATASET)
    return part(dataset, dataset.validation)


def make(kind: str, **settings: object) -> Any:
    """A model of this kind; TensorFlow is loaded here and not before."""
    from rsutils.models.fields import FieldModel

    return FieldModel(kind, progress=False, **settings)


def system(kind: str, chosen: dict[str, object], **grid: Sequence[object]) -> System:
    """A kind with its chosen settings, and what ``--tune`` tries in their place."""
    figures = PUBLISHED.get(kind)
    published = figures and {"auc": figures[0], "log_loss": figures[1], "source": SOURCE}
    return System(partial(make, kind), chosen, grid, published, seeded=True)


DEEP = {"batch_norm": True, "dropout": 0.2, "learning_rate": 0.003, "epochs": 15}
"""What all kinds with hidden layers have in common."""
SIDE_BY_SIDE = {**DEEP, "dimensions": 16, "hidden": (256, 128), "l2": 0.03}
"""For kinds whose hidden layers read the factors side by side; the strength was chosen for DNN."""
POOLED = {
    **DEEP,
    "learning_rate": 0.0015,
    "epochs": 25,
    "dimensions": 64,
    "hidden": (128, 64),
    "l2": 0.03,
    "l2_weights": 0.0001,
}
"""For kinds whose hidden layers read one pooled factor: it has to be longer, and to grow slower."""

SYSTEMS = {
    "lr": system("lr", {"l2_weights": 0.0, "learning_rate": 0.02, "epochs": 6}),
    "fm": system(
        "fm",
        {"dimensions": 64, "l2": 0.0001, "l2_weights": 1e-6, "learning_rate": 0.005, "epochs": 20},
        l2=(0.003, 0.0003, 0.0001),
    ),
    "nfm": system("nfm", POOLED, dropout=(0.1, 0.2), learning_rate=(0.0015, 0.003)),
    "dnn": system("dnn", SIDE_BY_SIDE, l2=(0.03, 0.1)),
    "deepfm": system("deepfm", {**SIDE_BY_SIDE, "l2_weights": 0.0001}, l2=(0.03,)),
    "dnfm": system("dnfm", POOLED, dropout=(0.1, 0.2), l2=(0.03, 0.06)),
    "dlrm": system("dlrm", SIDE_BY_SIDE, l2=(0.03,)),
    "dcn": system("dcn", SIDE_BY_SIDE, l2=(0.03,)),
}

BENCHMARK = Benchmark("frappe", DATASET, SYSTEMS, test, validation, best_by="auc")

main = BENCHMARK.run

if __name__ == "__main__":
    main()
