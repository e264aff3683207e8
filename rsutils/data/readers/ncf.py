"""The leave-last-out split of MovieLens 1M that the NCF paper released.

Source: He, Liao, Zhang, Nie, Hu and Chua, Neural Collaborative Filtering, WWW 2017,
arXiv:1708.05031, section 4.1: the latest action of each user is the test, ranked among sampled
items; the released code samples 99.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from rsutils.data.dataset import Dataset, Split
from rsutils.data.interactions import Interactions
from rsutils.data.readers.text import MOST, read_table, refuse_outside

NEGATIVES = 99


def read_ncf_ml_1m(folder: Path) -> Dataset:
    """Read ``ml-1m.train.rating``, ``.test.rating`` and ``.test.negative``.

    Raises:
        ValueError: a line is malformed, or the negatives belong to other test rows.
        FileNotFoundError: a file is missing.
    """
    train, test = (read_ratings(folder / f"ml-1m.{part}.rating") for part in ("train", "test"))
    negatives = _negatives(folder / "ml-1m.test.negative", test)
    sizes = {
        "n_users": max(train.n_users, test.n_users),
        "n_items": max(train.n_items, test.n_items, int(negatives.max(initial=-1)) + 1),
    }
    train, test = replace(train, **sizes), replace(test, **sizes)
    return Dataset(
        name="ncf-ml-1m",
        interactions=Interactions.concatenate([train, test]),
        published=Split(train=train, validation=None, test=test, negatives=negatives),
    )


def read_ratings(path: Path) -> Interactions:
    """Read one file of ``user item rating timestamp``, all numbered from 0.

    Raises:
        ValueError: a line is malformed.
        FileNotFoundError: there is no such file.
    """
    table = read_table(
        path,
        {"user": int, "item": int, "rating": int, "timestamp": int},
        line=r"\d+\t\d+\t\d+\t\d+",
        expected="user, item, rating and timestamp, separated by tabs",
    )
    for name in ("user", "item"):
        refuse_outside(path, table[name], 0, MOST, name)
    return Interactions.of(**table)


def _negatives(path: Path, test: Interactions) -> np.ndarray:
    columns = {"pair": str} | {f"negative_{i}": int for i in range(NEGATIVES)}
    table = read_table(
        path,
        columns,
        line=rf"\(\d+,\d+\)(\t\d+){{{NEGATIVES}}}",
        expected=f"(user,item) and {NEGATIVES} item ids, separated by tabs",
    )
    pairs = [f"({user},{item})" for user, item in zip(test.user, test.item, strict=True)]
    if len(table) != len(pairs):
        raise ValueError(
            f"{path} has {len(table)} lines; expected {len(pairs)}, one for each test row."
        )
    wrong = np.flatnonzero(table["pair"].to_numpy() != np.array(pairs, object))
    if len(wrong):
        line = wrong[0]
        raise ValueError(
            f"{path}, line {line + 1}: {table['pair'][line]}; expected {pairs[line]}, the test row."
        )
    items = table.drop(columns="pair")
    refuse_outside(path, items.min(axis=1), 0, MOST, "item")
    refuse_outside(path, items.max(axis=1), 0, MOST, "item")
    return items.to_numpy(np.int32)
