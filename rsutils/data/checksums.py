"""Is this file the published one?

A checksum is written ``scheme:digest``. Most are ``sha256`` of the bytes. Where the source's bytes
were never at hand, but its contents were, the digest is of the contents, so that order and white
space do not matter: a file that says the same is as good.

- ``sha256``: SHA-256 of the bytes.
- ``pairs``: SHA-256 of the sorted (user, item) pairs of ``user item item ...`` lines.
- ``ratings``: SHA-256 of the sorted (user, item, rating) rows of a rating file, times left out.
- ``frappe-x1``: MD5 of the libFM rows rewritten as the CSV of the BARS benchmark (CRLF line ends,
  labels 0 and 1), which publishes that MD5 and no other (Zhu et al., BARS, SIGIR 2022; its
  repository reczoo/Datasets, Frappe_x1).
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rsutils.data.readers.libfm import FIELDS, read_libfm
from rsutils.data.readers.ncf import read_ratings
from rsutils.data.readers.text import read_lists
from rsutils.sealed import sha256


def verify(path: Path, checksum: str) -> None:
    """Raise unless the file at ``path`` has ``checksum``.

    Raises:
        ValueError: it has another, or cannot be read as what it should be.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "empty"
        ...     path.touch()
        ...     verify(path, "sha256:" + hashlib.sha256(b"").hexdigest())
    """
    scheme, _, expected = checksum.partition(":")
    if scheme not in SCHEMES:
        raise ValueError(f"checksum {checksum!r}; expected one of {', '.join(SCHEMES)}, then ':'.")
    found = SCHEMES[scheme](path)
    if found != expected:
        raise ValueError(
            f"{path} is not the published file: its {scheme} checksum is {found}; "
            f"expected {expected}."
        )


def _pairs(path: Path) -> str:
    return _rows(*read_lists(path, numbered_from=0))


def _ratings(path: Path) -> str:
    table = read_ratings(path)
    return _rows(table.user, table.item, table.rating)


def _rows(*columns: np.ndarray) -> str:
    """SHA-256 of the rows in order of their values, as little-endian int64."""
    rows = np.stack(columns, axis=1).astype("<i8")
    return hashlib.sha256(rows[np.lexsort(rows.T[::-1])].tobytes()).hexdigest()


def _frappe_x1(path: Path) -> str:
    rows = read_libfm(path)
    digest = hashlib.md5((",".join(("label", *FIELDS)) + "\r\n").encode(), usedforsecurity=False)
    table = np.column_stack([rows.label.astype(np.int64), rows.features])
    for part in np.array_split(table, len(table) // 50_000 + 1):
        text = "".join(",".join(map(str, row)) + "\r\n" for row in part.tolist())
        digest.update(text.encode())
    return digest.hexdigest()


SCHEMES: dict[str, Callable[[Path], str]] = {
    "sha256": sha256,
    "pairs": _pairs,
    "ratings": _ratings,
    "frappe-x1": _frappe_x1,
}
