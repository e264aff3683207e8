"""Save a fitted Keras model of the package as a folder of plain files, and load it again.

The folder holds ``manifest.json`` (class, settings, sizes, checksums), ``model.keras`` (layers and
weights, without the optimizer) and ``arrays.npz`` (what else was learnt). Loading runs no code that
a file brings along: no pickles, and Keras in its safe mode. The checksums tell files that changed
by accident; whoever means harm can write new ones.
"""

import copy
import inspect
import json
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np

from rsutils.sealed import MANIFEST, checksum, new_folder, sha256, write_manifest

FORMAT = 2
MODEL, ARRAYS = "model.keras", "arrays.npz"


class KerasSaving:
    """Adds ``save`` and ``load`` to a class whose fitted part is a Keras model.

    The class keeps its Keras model as ``model_``, and each argument of its constructor as an
    attribute of the same name. What JSON cannot hold of these is turned by ``_settings``.

    Attributes:
        learnt_arrays: names of the NumPy arrays that ``fit`` leaves beside ``model_``.
        learnt_sizes: names of the whole numbers that ``fit`` leaves beside it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from rsutils.data import Interactions
        >>> from rsutils.models import NCF
        >>> log = Interactions.of(user=[0, 0, 1, 1], item=[0, 1, 1, 2])
        >>> model = NCF(2, hidden=(), epochs=1, progress=False).fit(log)
        >>> with TemporaryDirectory() as parent:
        ...     again = NCF.load(model.save(Path(parent) / "ncf"))
        >>> np.array_equal(again.scores([0, 1]), model.scores([0, 1]))
        True
    """

    learnt_arrays: ClassVar[tuple[str, ...]] = ()
    learnt_sizes: ClassVar[tuple[str, ...]] = ("n_users_", "n_items_")
    model_: Any

    def save(self, folder: str | Path) -> Path:
        """Write the fitted model to ``folder``, whole or not at all, and return its path.

        Raises:
            FileExistsError: something stands there already; nothing is overwritten.
            RuntimeError: the model has not been fitted.
        """
        self._check_learnt()
        with new_folder(folder) as draft:
            self._write_parts(draft)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The model that ``save`` wrote to ``folder``; it gives the same scores, bit for bit.

        Raises:
            FileNotFoundError: the folder or one of its files is missing.
            ValueError: the folder holds another class or format, or a file has changed.
        """
        folder = Path(folder)
        manifest = _read_manifest(folder)
        if manifest["class"] != cls.__name__:
            raise ValueError(
                f"{folder} holds a {manifest['class']}; expected a {cls.__name__}. "
                f"Load it with {manifest['class']}.load."
            )
        for name in (MODEL, ARRAYS):
            _verify(folder / name, manifest["sha256"][name])
        model = cls(**manifest["settings"])
        for name in cls.learnt_sizes:
            setattr(model, name, manifest["sizes"][name])
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            for name in cls.learnt_arrays:
                setattr(model, name, arrays[name])
        model._register_layers()
        model.model_ = keras.saving.load_model(folder / MODEL, compile=False, safe_mode=True)
        model._prepare_scoring()
        return model

    def with_model(self, model: Any, **changed: object) -> Self:
        """A copy that scores by another Keras model, such as a smaller one made from ``model_``.

        Args:
            model: takes and gives what ``model_`` does.
            **changed: settings that differ in it, such as ``hidden``; ``load`` needs them.

        Raises:
            RuntimeError: nothing has been learnt yet.
            ValueError: there is no such setting.
        """
        self._check_learnt()
        for name in changed:
            if name not in inspect.signature(type(self)).parameters:
                raise ValueError(f"{type(self).__name__} has no setting {name!r}.")
        other = copy.copy(self)
        vars(other).update(changed, model_=model)
        other._prepare_scoring()
        return other

    def _check_learnt(self) -> None:
        if not hasattr(self, "model_"):
            name = type(self).__name__
            raise RuntimeError(f"This {name} has learnt nothing yet; call fit first.")

    def _settings(self) -> dict[str, Any]:
        """Arguments that make this model again, as far as its settings go."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def _register_layers(self) -> None:
        """Import the packages whose layers ``model_`` has; called before it is loaded."""

    def _prepare_scoring(self) -> None:
        """Make whatever ``scores`` needs beside ``model_``; called by ``fit`` and ``load``."""

    def _write_parts(self, folder: Path) -> None:
        # A copy that was never compiled: the optimizer's slots would triple the file.
        bare = type(self.model_).from_config(self.model_.get_config())
        bare.set_weights(self.model_.get_weights())
        bare.save(folder / MODEL)
        np.savez(folder / ARRAYS, **{name: getattr(self, name) for name in self.learnt_arrays})
        manifest = {
            "format": FORMAT,
            "class": type(self).__name__,
            "settings": self._settings(),
            "sizes": {name: getattr(self, name) for name in self.learnt_sizes},
            "sha256": {name: sha256(folder / name) for name in (MODEL, ARRAYS)},
        }
        manifest["sha256"][MANIFEST] = _checksum(manifest)
        write_manifest(folder, manifest)


def _read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of ``folder``, if it is one and is as it was written."""
    path = folder / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no {MANIFEST}; expected a folder that a model's save wrote."
        )
    try:
        manifest = json.loads(path.read_bytes())
        version, written = manifest["format"], manifest["sha256"][MANIFEST]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{path} is no manifest of a saved model, or is cut short. Save the model again."
        ) from None
    if version != FORMAT:
        raise ValueError(
            f"{path} has format {version!r}; this version of rsutils reads format {FORMAT}. "
            "Save the model again, or load it with the version that wrote it."
        )
    if _checksum(manifest) != written:
        raise ValueError(f"{path} has changed since it was written. Save the model again.")
    return manifest


def _verify(path: Path, expected: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing; the folder is incomplete. Save the model again."
        )
    found = sha256(path)
    if found != expected:
        raise ValueError(
            f"{path} has changed since it was written: its SHA-256 is {found}; expected "
            f"{expected}. Save the model again."
        )


def _checksum(manifest: dict[str, Any]) -> str:
    """SHA-256 of everything in the manifest but this checksum itself."""
    files = {name: value for name, value in manifest["sha256"].items() if name != MANIFEST}
    return checksum({**manifest, "sha256": files})
