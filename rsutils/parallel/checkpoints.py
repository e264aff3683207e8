"""Checkpoints that are whole or not there, and are checked before they are used."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Checkpoint(NamedTuple):
    """What :meth:`Checkpoints.latest` found.

    Attributes:
        step: under which it was saved.
        arrays: as they were saved.
        refused: why each newer checkpoint was not used, newest first.
    """

    step: int
    arrays: dict[str, np.ndarray]
    refused: list[str]


class Checkpoints:
    """Numbered checkpoints in a folder, the newest few kept.

    Each is an ``.npz`` file, and a ``.json`` file with its SHA-256 that is written last. Both are
    moved into place in one step, so a process that is killed leaves the old ones as they were.

    Args:
        folder: is made where it is missing; one worker alone writes to it.
        keep: how many stay.

    Raises:
        ValueError: ``keep`` is below 1.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     checkpoints = Checkpoints(folder)
        ...     checkpoints.save(7, {"weights": np.ones(2)})
        ...     checkpoints.latest().step
        7
    """

    def __init__(self, folder: str | Path, keep: int = 2) -> None:
        if keep < 1:
            raise ValueError(f"keep is {keep}; expected at least 1.")
        self.folder = Path(folder)
        self.keep = keep

    def save(self, step: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write ``arrays`` under ``step``, then remove the oldest ones that are too many."""
        self.folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        content = buffer.getvalue()
        head = {"step": step, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        data = self.folder / f"{step:012d}.npz"
        _write(data, content)
        _write(data.with_suffix(".json"), json.dumps(head).encode())
        for old in sorted(self.folder.glob("*.json"))[: -self.keep]:
            old.unlink()
            old.with_suffix(".npz").unlink(missing_ok=True)

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole, or None where there is none.

        One that is cut short or has changed is refused, and the one before it used.
        """
        refused = []
        for head in sorted(self.folder.glob("*.json"), reverse=True):
            try:
                return Checkpoint(*_read(head), refused)
            except (ValueError, KeyError, OSError) as error:
                refused.append(f"{head.name}: {error}")
        return None


def _read(head: Path) -> tuple[int, dict[str, np.ndarray]]:
    expected = json.loads(head.read_bytes())
    content = head.with_suffix(".npz").read_bytes()
    if len(content) != expected["bytes"]:
        raise ValueError(f"has {len(content)} bytes; expected {expected['bytes']}")
    if hashlib.sha256(content).hexdigest() != expected["sha256"]:
        raise ValueError("has changed since it was written")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return int(expected["step"]), dict(arrays)


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)
