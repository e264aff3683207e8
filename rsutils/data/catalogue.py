"""Look up a data set by its name, or see them all."""

from difflib import get_close_matches

import pandas as pd

from rsutils.data.entry import Entry
from rsutils.data.sources import ENTRIES

CATALOGUE = {entry.name: entry for entry in ENTRIES}


def find(name: str) -> Entry:
    """The entry called ``name``.

    Raises:
        ValueError: there is none; the message lists the names and suggests the closest.

    Example:
        >>> find("ml-100k").users
        943
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    close = get_close_matches(str(name).lower().replace("_", "-"), CATALOGUE, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise ValueError(f"No data set is called {name!r}. {hint}Known: {', '.join(CATALOGUE)}.")


def describe() -> pd.DataFrame:
    """All data sets, a row each: users, items, rows, licence and source.

    Example:
        >>> describe().loc["ml-100k", ["users", "items", "rows"]].tolist()
        [943, 1682, 100000]
    """
    columns = ("users", "items", "rows", "licence", "source")
    rows = [
        (entry.users, entry.items, max(entry.rows), entry.licence, entry.source)
        for entry in CATALOGUE.values()
    ]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(CATALOGUE, name="name"))
