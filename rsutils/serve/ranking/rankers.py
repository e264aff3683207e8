"""A ranker and smaller ones made of it, as files for ONNX Runtime."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rsutils.compress import Pruner, Schedule, mixed_rows
from rsutils.data.dataset import FieldRows
from rsutils.models.fields.model import FieldModel
from rsutils.serve.onnx_compress import compress_onnx
from rsutils.serve.onnx_export import export_onnx

PRUNED = {"factors": 0.8, "hidden_1": 0.5}
"""Share of zeros by layer."""
SMALL = {"dimensions": 4, "hidden": (16,)}
"""The student's."""
LARGEST_BATCH, SMALLEST_BATCH, STEPS, EPOCHS = 2048, 32, 100, 5
"""Rows a step, so many that an epoch has at least so many steps."""


def new_ranker(n_rows: int, seed: int = 0, progress: bool = True, **settings: object) -> FieldModel:
    """A DNN over the features of a candidate; settings were chosen on validation items.

    Args:
        n_rows: how many rows it will learn from.
        seed: of the first weights and the order.
        progress: show a progress bar.
        **settings: of ``FieldModel``, in place of the chosen ones.
    """
    chosen = {
        "kind": "dnn",
        "dimensions": 16,
        "stddev": 0.05,
        "hidden": (64,),
        "l2": 1e-4,
        "l2_weights": 1e-4,
        "epochs": EPOCHS,
        "batch_size": max(SMALLEST_BATCH, min(n_rows // STEPS, LARGEST_BATCH)),
    }
    return FieldModel(**chosen | settings, seed=seed, progress=progress)


def write_rankers(
    model: FieldModel, rows: FieldRows, folder: Path, variants: Sequence[str]
) -> dict[str, Path]:
    """Write one ONNX file for each variant into ``folder``, which exists.

    Args:
        model: fitted on ``rows``.
        rows: what smaller ones are trained on further.
        folder: where to write.
        variants: some of ``VARIANTS``, ``"fp32"`` first.

    Raises:
        ValueError: a variant is unknown, or the first is not ``"fp32"``.
    """
    if [*variants][:1] != ["fp32"] or not set(variants) <= VARIANTS.keys():
        known = ", ".join(VARIANTS)
        raise ValueError(f"variants is {tuple(variants)}; expected fp32 first, then of {known}.")
    return {name: VARIANTS[name](model, rows, folder / f"{name}.onnx") for name in variants}


def _fp32(model: FieldModel, rows: FieldRows, path: Path) -> Path:
    return export_onnx(model.model_, path)


def _int8(model: FieldModel, rows: FieldRows, path: Path) -> Path:
    """Tables and hidden layers in 8 bits."""
    draft = export_onnx(model.model_, path.with_suffix(".draft"))
    try:
        return compress_onnx(draft, path, tables=8, dense=8)
    finally:
        draft.unlink()


def _pruned(model: FieldModel, rows: FieldRows, path: Path) -> Path:
    """Most weights zero, trained further meanwhile. Zeros save bytes where a file is zipped."""
    network = model.model_
    weights = network.get_weights()
    end = EPOCHS // 2 * -(-len(rows) // model.batch_size)
    schedules = {
        name: Schedule(share, end=end, every=max(1, end // 20)) for name, share in PRUNED.items()
    }
    try:
        model.refine(rows, 0.002, EPOCHS, callbacks=[Pruner(network, schedules)])
        return export_onnx(network, path)
    finally:
        network.set_weights(weights)


def _distilled(model: FieldModel, rows: FieldRows, path: Path) -> Path:
    """A small DNN that learns what the large one says, and a little of the labels."""
    taught = mixed_rows(rows, model.probability(rows.features), weight=0.7)
    student = new_ranker(len(rows), model.seed, model.progress, **SMALL, learning_rate=0.01)
    student.fit(taught, n_features=model.n_features_)
    return export_onnx(student.model_, path)


VARIANTS: dict[str, Callable[[FieldModel, FieldRows, Path], Path]] = {
    "fp32": _fp32,
    "int8": _int8,
    "pruned": _pruned,
    "distilled": _distilled,
}
"""What is served: the ranker in float32, in few bits, with zeros, and a student of it."""
