"""A folder with one model in several formats, verified when it is opened."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from rsutils.sealed import read_sealed
from rsutils.serve.file_recommender import FileRecommender, FileScorer
from rsutils.serve.formats import opened, path_of, runtime_of

KIND, FORMAT = "exported model", 1
IDS = {"users": "user_ids.json", "items": "item_ids.json"}
"""Files of the outside ids, where there are any."""
TABLES = "tables"
"""Folder of what a recommender needs beside the model's files."""


def load_export(folder: Path | str) -> "Exported":
    """Open what ``export`` wrote, once every file was found to be as it was written.

    Needs neither TensorFlow nor Keras as long as no SavedModel is run. Nothing is unpickled.
    Checksums tell accidents; a SavedModel is a program, so run one only of a folder that comes from
    somebody you trust.

    Args:
        folder: of an export.

    Raises:
        FileNotFoundError: the folder, its manifest or one of its files is missing.
        ValueError: it is a folder of another kind or format, a file changed, or a foreign file or a
            link lies there.
    """
    return Exported(Path(folder))


class Exported:
    """The files of one model, and what is known of them.

    Attributes:
        folder: where they lie.
        manifest: ``model``, the class, and its ``settings``; ``dataset``; ``sizes``; ``created``;
            ``versions``; ``quality``; and ``scorers``, for each name its ``bytes``, ``settings``
            and ``parity`` with the Keras model (see ``parity``).
        names: of the files, such as ``"onnx"`` and ``"onnx_int8"``.
        n_users, n_items: how many the model knows.
        user_ids, item_ids: outside ids, by number; None where they are the numbers themselves.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: Mapping[str, Any] = read_sealed(folder, KIND, FORMAT)
        try:
            self.names = tuple(self.manifest["scorers"])
            sizes = self.manifest["sizes"]
            self.n_users, self.n_items = int(sizes["n_users"]), int(sizes["n_items"])
            listed = [(folder / each).resolve() for each in self.manifest["files"]]
            paths = [(folder / path_of(name)).resolve() for name in self.names]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"The manifest of {folder} is incomplete: {error}.") from None
        for name, path in zip(self.names, paths, strict=True):
            if not any(path == each or path in each.parents for each in listed):
                raise ValueError(f"{folder} says that it has {name!r}, and has no such file.")
        self.user_ids = self._ids("users", self.n_users)
        self.item_ids = self._ids("items", self.n_items)

    def __repr__(self) -> str:
        return f"Exported({self.manifest['model']}: {', '.join(self.names)})"

    def path(self, name: str) -> Path:
        """The file of a name, or the folder of the SavedModel.

        Raises:
            ValueError: there is no such name.
        """
        if name not in self.names:
            raise ValueError(f"{self.folder} has no {name!r}; it has {', '.join(self.names)}.")
        return self.folder / path_of(name)

    def scorer(self, name: str, threads: int = 1) -> FileScorer:
        """What runs a file: takes an array for each input by name, and gives (batch, ...) float32.

        Args:
            name: one of ``names``.
            threads: that one call may use; TensorFlow has threads of its own.

        Raises:
            ValueError: there is no such name.
        """
        return opened(runtime_of(name), self.path(name), threads)

    def recommender(self, name: str, threads: int = 1) -> FileRecommender:
        """A file as a recommender, to be judged or asked.

        Args:
            name: one of ``names``.
            threads: that one call may use; TensorFlow has threads of its own.

        Raises:
            ValueError: there is no such name.
        """
        scorer = self.scorer(name, threads)
        return FileRecommender(scorer, self.n_users, self.n_items, **self._tables)

    @cached_property
    def _tables(self) -> dict[str, Any]:
        return read_tables(self.folder / TABLES, (self.n_users, self.n_items))

    def _ids(self, side: str, n: int) -> tuple[str, ...] | None:
        path = self.folder / IDS[side]
        if not path.is_file():
            return None
        return tuple(checked_ids(side, json.loads(path.read_bytes()), n))


def checked_ids(side: str, ids: Sequence[str], n: int) -> list[str]:
    """Outside ids, if there is one for each number and no two are the same.

    Args:
        side: ``"users"`` or ``"items"``, for messages.
        ids: text, by number.
        n: how many there are.

    Raises:
        ValueError: their number is another, one is empty or no text, or two are the same.

    Example:
        >>> checked_ids("users", ["ann", "bob", "ann"], 3)
        Traceback (most recent call last):
        ValueError: The id 'ann' stands for two users; expected a different id for each.
    """
    ids = list(ids)
    if len(ids) != n:
        raise ValueError(f"There are {len(ids)} ids of {side}; expected {n}, one for each.")
    known = set()
    for each in ids:
        if not isinstance(each, str) or not each:
            raise ValueError(f"An id of {side} is {each!r}; expected text, such as str(number).")
        if each in known:
            raise ValueError(
                f"The id {each!r} stands for two {side}; expected a different id for each."
            )
        known.add(each)
    return ids


def write_tables(folder: Path, tables: Mapping[str, Any]) -> None:
    """Write what ``scoring_tables`` gives as plain arrays."""
    arrays = {name: tables[name] for name in ("popularity", "cold") if name in tables}
    if "features" in tables:
        arrays["user_features"], arrays["item_features"] = tables["features"]
    if "history" in tables:
        arrays["history_start"] = tables["history"].indptr
        arrays["history_items"] = tables["history"].indices
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def read_tables(folder: Path, shape: tuple[int, int]) -> dict[str, Any]:
    """What :func:`write_tables` wrote, as arguments of ``FileRecommender``.

    Args:
        folder: where it lies.
        shape: the numbers of users and items.

    Raises:
        ValueError: a history is not over these users and items.
    """
    found: dict[str, Any] = {
        path.stem: np.load(path, allow_pickle=False) for path in sorted(folder.glob("*.npy"))
    }
    if "user_features" in found:
        found["features"] = found.pop("user_features"), found.pop("item_features")
    if "history_start" in found:
        items, start = found.pop("history_items"), found.pop("history_start")
        ones = np.ones(len(items), np.float32)
        found["history"] = sparse.csr_matrix((ones, items, start), shape)
        found["history"].check_format(full_check=True)
    return found
