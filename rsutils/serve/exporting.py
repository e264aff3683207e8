"""Write one fitted model in several formats, and measure each against the Keras model."""

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from rsutils.models.base import Recommender
from rsutils.sealed import new_folder, seal
from rsutils.serve.exported import FORMAT, IDS, KIND, TABLES, checked_ids, write_tables
from rsutils.serve.file_recommender import FileRecommender, FileScorer
from rsutils.serve.formats import (
    FORMATS,
    checked_formats,
    checked_variants,
    opened,
    runtime_of,
    write_format,
    write_variant,
)
from rsutils.serve.score_parity import check_parity, compared_users, parity
from rsutils.settings import versions_of

PACKAGES = (
    *("rsutils", "numpy", "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime"),
    "ai-edge-litert",
)
"""Whose versions an export notes."""
USERS, PAIR_USERS = 256, 64
"""Users whose scores are compared; fewer where each pair is scored by itself."""
PLAIN = (bool, int, float, str, type(None))


def export(
    model: Recommender,
    folder: Path | str,
    formats: Iterable[str] = FORMATS,
    variants: Iterable[str] | Mapping[str, Mapping[str, Any]] | None = None,
    *,
    dataset: str | None = None,
    quality: Mapping[str, Any] | None = None,
    user_ids: Sequence[str] | None = None,
    item_ids: Sequence[str] | None = None,
    users: Sequence[int] | np.ndarray | None = None,
) -> Path:
    """Write a fitted recommender to ``folder`` in several formats, whole or not at all.

    Each file scores real users and is compared with the Keras model (``parity``), and that with the
    recommender. A format that does not give the same scores is refused. How far compressed variants
    are off stands in the manifest. The folder also holds what recommending takes beside the model,
    such as the users' histories: keep it like the data set.

    Args:
        model: a fitted recommender that ``scoring_model`` takes.
        folder: where to write; must not exist.
        formats: some of ``"saved_model"``, ``"onnx"`` and ``"litert"``.
        variants: names of ``VARIANTS``; or for each name, which begins with a format, the settings
            of ``compress_onnx`` (and ``precompute``) or ``export_litert``. None for all of
            ``VARIANTS`` that fit; the manifest says in ``left_out`` why others do not.
        dataset: what the model was fitted on.
        quality: figures for the manifest, such as ``{"ndcg@10": 0.4}``.
        user_ids: the outside id of each user, by number; None where the number is the id.
        item_ids: the outside id of each item.
        users: whose scores are compared; None for all, or 256 of them where there are more, 16 for
            a model of pairs.

    Returns:
        ``folder``, for ``load_export``.

    Raises:
        FileExistsError: something stands at ``folder`` already.
        RuntimeError: the model has not been fitted.
        TypeError: the recommender has no Keras model that scores.
        ValueError: an argument is out of its range, ids are not unique, the model is too large for
            a format, or a format does not score as the model does.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from rsutils.data import Interactions
        >>> from rsutils.models import IALS
        >>> from rsutils.serve.exported import load_export
        >>> log = Interactions.of(user=[0, 0, 1, 1], item=[0, 1, 1, 2])
        >>> model = IALS(dimensions=2, l2=0.01, progress=False).fit(log)
        >>> with TemporaryDirectory() as parent:
        ...     exported = load_export(export(model, Path(parent) / "ials", ["onnx"], []))
        ...     served = exported.recommender("onnx")
        >>> exported, np.array_equal(served.recommend([0, 1], 2), model.recommend([0, 1], 2))
        (Exported(IALS: onnx), True)
    """
    from rsutils.serve.scoring import KerasScorer, scoring_model, scoring_tables

    network, tables = scoring_model(model), scoring_tables(model)
    of_pairs = network.output.shape[1:] == (1,) and model.n_items_ > 1
    formats = checked_formats(formats, network.weights)
    wanted = checked_variants(variants, formats, of_pairs)
    quality = _checked_quality(quality)
    ids = _checked_ids(model, {"users": user_ids, "items": item_ids})
    users = _checked_users(model, users, PAIR_USERS if of_pairs else USERS)

    def scores(scorer: FileScorer) -> np.ndarray:
        return FileRecommender(scorer, model.n_users_, model.n_items_, **tables).scores(users)

    with new_folder(folder) as draft:
        expected = scores(KerasScorer(network))
        keras_parity = parity(model.scores(users), expected)
        check_parity("The Keras model", keras_parity)
        write_tables(draft / TABLES, tables)
        for side, found in ids.items():
            (draft / IDS[side]).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
        paths, left_out = _write_files(network, draft, formats, wanted, skip=variants is None)
        scorers = {}
        for name, path in paths.items():
            figures = parity(expected, scores(opened(runtime_of(name), path)))
            if name in formats:
                check_parity(name, figures)
            settings = _plain(wanted.get(name, {}))
            scorers[name] = {"bytes": _bytes(path), "settings": settings, "parity": figures}
        about = _about(model) | {"dataset": dataset, "quality": quality, "ids": sorted(ids)}
        about |= {"keras_parity": keras_parity, "scorers": scorers, "left_out": left_out}
        seal(draft, KIND, FORMAT, about)
    return Path(folder)


def _write_files(
    network: Any,
    draft: Path,
    formats: Sequence[str],
    variants: Mapping[str, Mapping[str, Any]],
    skip: bool,
) -> tuple[dict[str, Path], dict[str, str]]:
    """The files by name, and why variants are not among them, if ``skip`` allows that."""
    paths = {name: write_format(name, network, draft) for name in formats}
    left_out = {}
    for name, settings in variants.items():
        try:
            paths[name] = write_variant(name, settings, network, draft)
        except ValueError as error:
            if not skip:
                raise
            left_out[name] = str(error).replace(f"{draft}/", "")
    return paths, left_out


def _about(model: Recommender) -> dict[str, Any]:
    names = inspect.signature(type(model)).parameters
    settings = {name: getattr(model, name) for name in names if hasattr(model, name)}
    return {
        "model": type(model).__name__,
        "settings": _plain(settings),
        "sizes": {"n_users": model.n_users_, "n_items": model.n_items_},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions_of(PACKAGES),
    }


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What JSON can hold of settings: plain values, lists of them, and mappings to them."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found[name] = _plain(value)
        elif isinstance(value, PLAIN):
            found[name] = value
        elif isinstance(value, list | tuple) and all(isinstance(each, PLAIN) for each in value):
            found[name] = list(value)
    return found


def _checked_quality(quality: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        return json.loads(json.dumps(dict(quality or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"quality is {quality!r}, which JSON does not hold ({error}); expected figures by "
            "name, as plain numbers."
        ) from None


def _checked_ids(
    model: Recommender, ids: Mapping[str, Sequence[str] | None]
) -> dict[str, list[str]]:
    sizes = {"users": model.n_users_, "items": model.n_items_}
    return {
        side: checked_ids(side, found, sizes[side])
        for side, found in ids.items()
        if found is not None
    }


def _checked_users(
    model: Recommender, users: Sequence[int] | np.ndarray | None, most: int
) -> np.ndarray:
    users = compared_users(model, most) if users is None else model._known_users(users)
    if not len(users):
        raise ValueError("users is empty; expected at least one whose scores are compared.")
    return users


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files)
