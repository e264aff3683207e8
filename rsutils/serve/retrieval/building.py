"""Indexes by name: built, saved, loaded."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np

from rsutils.sealed import new_folder, read_sealed, seal
from rsutils.serve.retrieval.base import ItemIndex
from rsutils.serve.retrieval.exact import ExactIndex
from rsutils.serve.retrieval.hnsw import HNSWIndex
from rsutils.serve.retrieval.ivf_pq import IVFPQIndex

KINDS: dict[str, type[ItemIndex]] = {
    each.kind: each for each in (ExactIndex, HNSWIndex, IVFPQIndex)
}
"""Classes by the name that ``build_index`` takes."""
SEALED, FORMAT = "item index", 1
"""What a saved index is called in its manifest, and its format."""


def build_index(kind: str, vectors: np.ndarray, **settings: Any) -> ItemIndex:
    """An index over ``vectors``.

    Args:
        kind: ``"exact"``, ``"hnsw"`` or ``"ivf_pq"``.
        vectors: (n_items, d) real numbers.
        **settings: those of ``ExactIndex.build``, ``HNSWIndex.build`` or ``IVFPQIndex.build``.

    Raises:
        ValueError: the kind or a setting is unknown, or the vectors cannot be indexed.

    Example:
        >>> build_index("exact", np.eye(3)).search(np.eye(3)[:1], k=1)[0]
        array([[0]], dtype=int32)
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; expected one of {', '.join(KINDS)}.")
    known = list(inspect.signature(KINDS[kind].build).parameters)[1:]
    if unknown := sorted(set(settings) - set(known)):
        raise ValueError(f"{kind} has no setting {unknown[0]!r}; it has {', '.join(known)}.")
    return KINDS[kind].build(vectors, **settings)


def save_index(index: ItemIndex, folder: Path | str) -> None:
    """Write ``index`` into a new, sealed folder.

    Raises:
        FileExistsError: something stands at ``folder`` already.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as parent:
        ...     save_index(build_index("exact", np.eye(3)), f"{parent}/items")
        ...     load_index(f"{parent}/items").n_items
        3
    """
    content = {
        "index": index.kind,
        "settings": index.settings,
        "n_items": index.n_items,
        "dimensions": index.dimensions,
    }
    with new_folder(folder) as draft:
        index._write(draft)
        seal(draft, SEALED, FORMAT, content)


def load_index(folder: Path | str, memory_map: bool = True) -> ItemIndex:
    """The index that ``save_index`` wrote.

    Args:
        folder: the sealed folder.
        memory_map: map the large arrays from their files instead of reading them. The system then
            keeps in memory what is used and can drop it again, and processes that map the same
            files share that memory. The files must stay as they are while an index is open.

    Raises:
        FileNotFoundError: the folder or one of its files is missing.
        ValueError: a file changed, or it is no index that this version reads.
    """
    folder = Path(folder)
    manifest = read_sealed(folder, SEALED, FORMAT)
    kind = KINDS.get(manifest.get("index"))
    if kind is None:
        raise ValueError(
            f"{folder} holds an index of kind {manifest.get('index')!r}; expected one of "
            f"{', '.join(KINDS)}."
        )
    index = kind._read(folder, manifest["settings"], memory_map)
    found = (index.n_items, index.dimensions)
    if found != (manifest["n_items"], manifest["dimensions"]):
        raise ValueError(
            f"{folder} holds {found[0]} items of {found[1]} dimensions; its manifest says "
            f"{manifest['n_items']} of {manifest['dimensions']}. Write the folder again."
        )
    return index
