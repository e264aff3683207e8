"""``load``: find a data set's files, or download them, check them and read them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from rsutils import settings
from rsutils.data.catalogue import find
from rsutils.data.checksums import verify
from rsutils.data.dataset import Dataset, FieldDataset
from rsutils.data.download import fetch, unpack
from rsutils.data.entry import Entry


def load(name: str) -> Dataset | FieldDataset:
    """Load a data set of the catalogue.

    Its folder is looked for in ``$RSUTILS_DATA``, then in the cache (``$RSUTILS_CACHE``, else the
    user's cache folder); where it is in neither, it is downloaded into the cache. Wherever the
    files come from, their lines, counts and checksums are checked.

    Args:
        name: one of the names that ``describe()`` lists; "demo" needs no download.

    Raises:
        ValueError: the name is unknown, or a file is malformed or not the published one.
        FileNotFoundError: the folder is there, but a file in it is missing.
        ConnectionError: no mirror gave the files; the message says what to put where.
        OSError: the cache cannot be written.
    """
    entry = find(name)
    if entry.name == "demo":
        return entry.reader(settings.DEMO_WORLD)
    folder = _locate(entry)
    with _way_on(entry, folder):
        for file in entry.files:
            if not (folder / file.name).is_file():
                raise FileNotFoundError(f"{folder / file.name} is missing.")
        # A reader says which line is wrong; a checksum only says that something is.
        dataset = entry.reader(folder)
        for file in entry.files:
            if file.checksum and not file.lenient:
                verify(folder / file.name, file.checksum)
        _check_counts(entry, folder, dataset)
    return replace(dataset, licence=entry.licence)


def _locate(entry: Entry) -> Path:
    """The folder that holds the data set, downloaded if need be."""
    home = settings.data_home()
    if home and (home / entry.name).is_dir():
        return home / entry.name
    folder = settings.cache_home() / entry.name
    try:
        if entry.archive is None:
            for file in entry.files:
                if not (folder / file.name).is_file():
                    fetch(file.urls, file.checksum, folder / file.name)
        elif not folder.is_dir():
            _unpack_archive(entry, folder)
    except ConnectionError as error:
        raise ConnectionError(f"{error}\n{_by_hand(entry, folder)}") from error
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror or error}. {entry.name} cannot be written to {folder}: make room "
            'there, let $RSUTILS_CACHE name another folder, or go on with load("demo").',
        ) from error
    return folder


def _unpack_archive(entry: Entry, folder: Path) -> None:
    """Unpack the archive that lies beside ``folder``, else one downloaded for this only."""
    archive = folder.parent / entry.archive.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    if archive.is_file():
        try:
            verify(archive, entry.archive.checksum)
        except ValueError as error:
            raise ValueError(f"{error} Delete it: it is then downloaded.") from error
        unpack(archive, folder, root=entry.name)
        return
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{entry.name}.") as scratch:
        archive = fetch(
            entry.archive.urls, entry.archive.checksum, Path(scratch) / entry.archive.name
        )
        unpack(archive, folder, root=entry.name)


def _by_hand(entry: Entry, folder: Path) -> str:
    if entry.archive:
        what = f"Put {entry.archive.name} ({entry.archive.urls[0]}) into {folder.parent}"
    else:
        missing = [file for file in entry.files if not (folder / file.name).is_file()]
        names = ", ".join(f"{file.name} ({file.urls[0]})" for file in missing)
        what = f"Put {names} into {folder}"
    return (
        f"{what}, or let $RSUTILS_DATA name a folder that holds {entry.name}/ with "
        f"{', '.join(file.name for file in entry.files)}. "
        'To go on without a download: load("demo").'
    )


@contextmanager
def _way_on(entry: Entry, folder: Path) -> Iterator[None]:
    """Add to an error about a file what can be done about it."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        if folder.parent == settings.cache_home():
            way = f"Delete {folder} and load again: it is downloaded anew."
        else:
            way = f"Put the published files there ({entry.source}), or unset RSUTILS_DATA."
        raise type(error)(f"{error} {way}") from error


def _check_counts(entry: Entry, folder: Path, dataset: Dataset | FieldDataset) -> None:
    if isinstance(dataset, FieldDataset):
        features = [rows.features for rows in (dataset.train, dataset.validation, dataset.test)]
        columns = np.concatenate(features)[:, :2].T
        users, items = (len(np.unique(column)) for column in columns)
        rows = columns.shape[1]
    else:
        table = dataset.interactions
        users, items, rows = table.n_users, table.n_items, len(table)
    if (users, items) != (entry.users, entry.items) or rows not in entry.rows:
        expected = " or ".join(f"{count:,}" for count in entry.rows)
        raise ValueError(
            f"{folder} holds {users:,} users, {items:,} items and {rows:,} rows; expected "
            f"{entry.users:,}, {entry.items:,} and {expected}: a file is truncated or another's."
        )
