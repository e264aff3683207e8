"""The files of an export: which there can be, how each is made, and what runs it."""

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rsutils.serve.file_recommender import FileScorer
from rsutils.serve.litert import LiteRTRunner, export_litert
from rsutils.serve.onnx_compress import compress_onnx
from rsutils.serve.onnx_export import export_onnx
from rsutils.serve.onnx_precompute import precompute_onnx
from rsutils.serve.onnx_scorer import OnnxScorer
from rsutils.serve.saved_model import SavedModelScorer, export_saved_model

FORMATS = ("saved_model", "onnx", "litert")
"""What a model can be exported to."""
VARIANTS: dict[str, dict[str, Any]] = {
    "onnx_int8": {"tables": 8},
    "onnx_int4": {"tables": 4},
    "onnx_dense_int8": {"dense": 8},
    "onnx_precomputed": {"precompute": True},
    "onnx_int8_precomputed": {"tables": 8, "precompute": True},
    "litert_fp16": {"fp16": True},
    "litert_int8": {"int8": True},
}
"""Compressed variants and how they are made: settings of ``compress_onnx`` and ``export_litert``,
and ``precompute``."""
LARGEST = 2**31 - 2**20
"""Bytes of weights that a file can hold: protobuf and FlatBuffers end at 2 GiB."""


def opened(runtime: str, path: Path, threads: int = 1) -> FileScorer:
    """What runs a file.

    Args:
        runtime: one of ``FORMATS``.
        path: the file, or the folder of a SavedModel.
        threads: that one call may use; TensorFlow has threads of its own.
    """
    if runtime == "saved_model":
        return SavedModelScorer(path)
    return {"onnx": OnnxScorer, "litert": LiteRTRunner}[runtime](path, threads)


def runtime_of(name: str) -> str:
    """The format of a file by its name.

    Raises:
        ValueError: the name begins with none.

    Example:
        >>> runtime_of("onnx_int8")
        'onnx'
    """
    for runtime in FORMATS:
        if name == runtime or (name.startswith(f"{runtime}_") and runtime != "saved_model"):
            return runtime
    raise ValueError(f"{name!r} is none of {', '.join(FORMATS)}, onnx_NAME and litert_NAME.")


def path_of(name: str) -> str:
    """Where a file lies in the folder of an export; TensorFlow Serving wants a version's number.

    Example:
        >>> [path_of(name) for name in ("saved_model", "onnx", "litert_int8")]
        ['saved_model/1', 'onnx/fp32.onnx', 'litert/int8.tflite']
    """
    runtime = runtime_of(name)
    if runtime == "saved_model":
        return "saved_model/1"
    suffix = {"onnx": "onnx", "litert": "tflite"}[runtime]
    return f"{runtime}/{name[len(runtime) + 1 :] or 'fp32'}.{suffix}"


def checked_formats(formats: Iterable[str], weights: Iterable[Any]) -> tuple[str, ...]:
    """``formats``, if each is one and can hold these weights.

    Raises:
        ValueError: there is none, one is unknown or named twice, or the weights are too large.
    """
    found = (formats,) if isinstance(formats, str) else tuple(formats)
    unknown = [each for each in found if each not in FORMATS]
    if unknown or not found or len(set(found)) < len(found):
        raise ValueError(f"formats is {found}; expected some of {', '.join(FORMATS)}, each once.")
    size = sum(4 * math.prod(each.shape) for each in weights)
    if size > LARGEST and set(found) != {"saved_model"}:
        raise ValueError(
            f"The weights have {size:,} bytes; onnx and litert hold at most {LARGEST:,}. Export to "
            "saved_model alone, or fit fewer dimensions."
        )
    return found


def checked_variants(
    variants: Iterable[str] | Mapping[str, Mapping[str, Any]] | None,
    formats: tuple[str, ...],
    of_pairs: bool,
) -> dict[str, dict[str, Any]]:
    """The settings of each variant.

    Args:
        variants: names of ``VARIANTS``, or settings by name; None for all that fit.
        formats: what is exported.
        of_pairs: whether the model scores pairs. Where it scores all items, what depends on the
            user alone are all scores: to compute them beforehand takes a table of users and items.

    Raises:
        ValueError: a name is unknown, or of a format that is not exported.
    """
    if variants is None:
        return {
            name: settings
            for name, settings in VARIANTS.items()
            if runtime_of(name) in formats and (of_pairs or "precompute" not in settings)
        }
    if not isinstance(variants, Mapping):
        names = (variants,) if isinstance(variants, str) else tuple(variants)
        for name in names:
            if name not in VARIANTS:
                raise ValueError(f"There is no variant {name!r}; there are {', '.join(VARIANTS)}.")
        variants = {name: VARIANTS[name] for name in names}
    for name in variants:
        if not name.replace("_", "").isalnum() or not name.isascii() or name in FORMATS:
            raise ValueError(f"{name!r} is no name of a variant; expected such as 'onnx_int8'.")
        if runtime_of(name) not in formats:
            raise ValueError(
                f"{name!r} is made from {runtime_of(name)}, which is not among the formats "
                f"{', '.join(formats)}; add it."
            )
    return {name: dict(settings) for name, settings in variants.items()}


def write_format(name: str, network: Any, folder: Path) -> Path:
    """Write one of ``FORMATS`` in fp32."""
    write: dict[str, Callable[[Any, Path], Path]] = {
        "saved_model": export_saved_model,
        "onnx": export_onnx,
        "litert": export_litert,
    }
    return write[name](network, folder / path_of(name))


def write_variant(name: str, settings: Mapping[str, Any], network: Any, folder: Path) -> Path:
    """Write a variant; one of ONNX is made from the fp32 file that lies there.

    Raises:
        ValueError: the model has nothing that the settings could change, or they are unknown.
    """
    target = folder / path_of(name)
    if runtime_of(name) == "litert":
        return export_litert(network, target, **settings)
    source, settings = folder / path_of("onnx"), dict(settings)
    precompute = settings.pop("precompute", False)
    if settings:
        source = compress_onnx(source, target, **settings)
    return precompute_onnx(source, target) if precompute else source
