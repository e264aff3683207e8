"""Folders that are written whole, and read only as they were written.

``manifest.json`` lists every file with its bytes and SHA-256, and has a checksum of its own. A
folder with a file that changed, that is missing or that nobody listed is refused. The checksums
tell accidents and half-copied folders; whoever means harm can write new ones, so what reads the
files must not run code that they bring along.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 1 << 24
"""Bytes beyond which a manifest is not read."""


@contextmanager
def new_folder(folder: Path | str) -> Iterator[Path]:
    """A draft to write into; it becomes ``folder`` when the block ends, or vanishes if it fails.

    Raises:
        FileExistsError: something stands at ``folder`` already; nothing is overwritten.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as parent:
        ...     with new_folder(Path(parent) / "system") as draft:
        ...         _ = (draft / "weights.bin").write_bytes(b"1234")
        ...         seal(draft, "system", 1, {"dataset": "demo"})
        ...     read_sealed(Path(parent) / "system", "system", 1)["dataset"]
        'demo'
    """
    folder = refuse_existing(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def refuse_existing(folder: Path | str) -> Path:
    """``folder`` as a path, if nothing stands there: for what takes long before it writes.

    Raises:
        FileExistsError: something stands there.
    """
    folder = Path(folder)
    if folder.exists() or folder.is_symlink():
        raise FileExistsError(f"{folder} exists; expected a new folder. Remove it or take another.")
    return folder


def seal(folder: Path, kind: str, version: int, content: Mapping[str, Any]) -> None:
    """Write the manifest of ``folder`` over all files that are in it.

    Args:
        folder: holds the files.
        kind: what the folder is, so that another kind is told apart.
        version: of the format.
        content: what else the manifest says; JSON without NaN.
    """
    manifest = {"kind": kind, "format": version, **content}
    manifest["files"] = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }
    manifest["sha256"] = checksum(manifest)
    write_manifest(folder, manifest)


def read_sealed(folder: Path | str, kind: str, version: int) -> dict[str, Any]:
    """The manifest of ``folder``, once every file was found to be as it was written.

    Raises:
        FileNotFoundError: the folder, its manifest or one of its files is missing.
        ValueError: it is of another kind or format, a file changed, or a foreign one lies there.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder, kind, version)
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name, path in found.items():
        known = name in manifest["files"] or name == MANIFEST or path.is_dir()
        if path.is_symlink() or not known:
            raise ValueError(f"{path} does not belong to {folder}: its manifest does not list it.")
    for name, expected in manifest["files"].items():
        if name not in found:
            raise FileNotFoundError(f"{folder / name} is missing; write the folder again.")
        if found[name].stat().st_size != expected["bytes"] or (
            sha256(found[name]) != expected["sha256"]
        ):
            raise ValueError(
                f"{folder / name} changed since it was written; its SHA-256 should be "
                f"{expected['sha256']}. Write the folder again."
            )
    return manifest


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``manifest`` into ``folder`` as JSON.

    Raises:
        ValueError: a number in it is not finite.
    """
    text = json.dumps(manifest, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of ``content`` as JSON, whatever the order of its names.

    Example:
        >>> checksum({"a": 1, "b": 2}) == checksum({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(folder: Path, kind: str, version: int) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {MANIFEST}; expected the folder of a {kind}.")
    try:
        if path.stat().st_size > LARGEST_MANIFEST:
            raise ValueError
        manifest = json.loads(path.read_bytes())
        found, written = (manifest["kind"], manifest["format"]), manifest["sha256"]
        files = manifest["files"].items()
        complete = all({"bytes", "sha256"} <= each.keys() for _, each in files)
    except (ValueError, KeyError, TypeError, AttributeError):
        complete = False
    if not complete:
        raise ValueError(f"{path} is no manifest, or is cut short. Write the folder again.")
    if found != (kind, version):
        raise ValueError(
            f"{folder} is a {found[0]!r} in format {found[1]!r}; this version of rsutils reads a "
            f"{kind!r} in format {version}."
        )
    if checksum({name: manifest[name] for name in manifest if name != "sha256"}) != written:
        raise ValueError(f"{path} changed since it was written. Write the folder again.")
    return manifest
