"""The chronological item lists of SASRec and S3-Rec; ids in the files start at 1.

Neither source publishes times: the timestamp is the place in the user's list. Both papers test on
a user's last item and validate on the one before. Sources: Kang and McAuley, Self-Attentive
Sequential Recommendation, ICDM 2018, arXiv:1808.09781, section IV-A; Zhou et al., S3-Rec, CIKM
2020, arXiv:2008.07873, section 5.1.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from rsutils.data.dataset import Dataset
from rsutils.data.interactions import Interactions
from rsutils.data.readers.text import MOST, read_lists, read_table, refuse_outside
from rsutils.data.splits import leave_last_out


def read_sasrec_ml_1m(folder: Path) -> Dataset:
    """Read ``ml-1m.txt``: a line of ``user item`` for each action.

    Raises:
        ValueError: a line is malformed.
        FileNotFoundError: the file is missing.
    """
    path = folder / "ml-1m.txt"
    table = read_table(
        path,
        {"user": int, "item": int},
        line=r"\d+ \d+",
        expected="user and item, separated by a blank",
        separators=(" ",),
    )
    for name in table:
        refuse_outside(path, table[name], 1, MOST, name)
    return _dataset("sasrec-ml-1m", table["user"].to_numpy() - 1, table["item"].to_numpy() - 1)


def read_s3rec_beauty(folder: Path) -> Dataset:
    """Read ``Beauty.txt`` and ``Beauty_item2attributes.json``; see ``read_s3rec``."""
    return read_s3rec(folder, "s3rec-beauty", "Beauty")


def read_s3rec_lastfm(folder: Path) -> Dataset:
    """Read ``LastFM.txt`` and ``LastFM_item2attributes.json``; see ``read_s3rec``."""
    return read_s3rec(folder, "s3rec-lastfm", "LastFM")


def read_s3rec(folder: Path, name: str, stem: str) -> Dataset:
    """Read a line of ``user item item ...`` for each user, and the items' attributes.

    ``items`` has one column, ``attributes``: a tuple of attribute ids numbered from 0, in the
    source's order, repeated where the source repeats them. ``extras["n_attributes"]`` counts them.

    Raises:
        ValueError: a line or the JSON is malformed.
        FileNotFoundError: a file is missing.
    """
    user, item = read_lists(folder / f"{stem}.txt", numbered_from=1)
    path = folder / f"{stem}_item2attributes.json"
    attributes = _attributes(path, n_items=int(item.max(initial=-1)) + 1)
    items = pd.DataFrame({"attributes": attributes})
    n_attributes = max((max(row, default=-1) for row in attributes), default=-1) + 1
    return _dataset(name, user, item, items, {"n_attributes": n_attributes})


def _attributes(path: Path, n_items: int) -> list[tuple[int, ...]]:
    expected = "an object of item ids from 1, each with a list of attribute ids from 1"
    try:
        published = {int(item): ids for item, ids in json.loads(path.read_bytes()).items()}
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} is not the JSON that was expected: {error}. It holds {expected}."
        ) from error
    for item, ids in published.items():
        numbers = isinstance(ids, list) and all(type(i) is int and i > 0 for i in ids)
        if not (numbers and 1 <= item <= n_items):
            raise ValueError(f"{path}, item {item}: {str(ids)[:80]}; expected {expected}.")
    return [tuple(i - 1 for i in published.get(item, ())) for item in range(1, n_items + 1)]


def _dataset(
    name: str,
    user: np.ndarray,
    item: np.ndarray,
    items: pd.DataFrame | None = None,
    extras: dict[str, object] | None = None,
) -> Dataset:
    place = pd.Series(user).groupby(user).cumcount()
    interactions = Interactions.of(user=user, item=item, timestamp=place)
    return Dataset(
        name=name,
        interactions=interactions,
        items=items,
        published=leave_last_out(interactions),
        extras=extras or {},
    )
