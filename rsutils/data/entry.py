"""What the catalogue knows of a data set and of each of its files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rsutils.data.dataset import Dataset, FieldDataset


@dataclass(frozen=True)
class File:
    """A file of a data set, or the archive that holds them.

    What is downloaded always has to match the checksum. A file of which re-assembled copies are
    about is ``lenient``: from a folder such a copy is taken too, once its lines are well-formed
    and the counts of its data set are right.

    Attributes:
        name: its path inside the data set's folder.
        checksum: ``scheme:digest`` of the published file; "" where an archive's covers it.
        urls: where it is downloaded from, in turn; () where it comes in an archive.
        lenient: whether a re-assembled copy is taken from a folder.
    """

    name: str
    checksum: str = ""
    urls: tuple[str, ...] = ()
    lenient: bool = False


@dataclass(frozen=True)
class Entry:
    """A data set of the catalogue.

    Attributes:
        name: what ``load`` is asked for, and the folder's name.
        reader: reads a folder of the files.
        licence: what the source allows.
        source: the page to read about it.
        citation: what to cite.
        users: how many there are.
        items: how many there are.
        rows: interactions, training and test together; more than one count where copies differ.
        files: what the folder holds.
        archive: where all files come in one; its top folder has the data set's name.
    """

    name: str
    reader: Callable[[Path], Dataset | FieldDataset]
    licence: str
    source: str
    citation: str
    users: int
    items: int
    rows: tuple[int, ...]
    files: tuple[File, ...] = ()
    archive: File | None = None
