"""Users or items as rows of feature ids: their own id, then their attributes."""

import numpy as np
import pandas as pd


class SideTable:
    """The feature ids of all users, or of all items.

    Ids run from ``offset``: first "unknown", then every user's or item's own, then the values of
    each attribute. An attribute with several values fills several fields from one set of ids; what
    is left over holds the id for "none".

    Args:
        name: for messages, ``"users"`` or ``"items"``.
        attributes: row i describes number i, or None. A value is a category, a tuple of them, or a
            text of several with a bar between.
        size: how many users or items there are.
        offset: the first feature id.

    Attributes:
        features: (size, n_fields) int32.
        unknown: the feature id that stands for an own id that is not known.
        n_features: how many ids there are.
        n_fields: ids in a row.

    Raises:
        ValueError: ``attributes`` does not have ``size`` rows.

    Example:
        >>> films = pd.DataFrame({"genres": ["war|love", "war"]})
        >>> side = SideTable("items", films, size=2, offset=10)
        >>> side.features.tolist(), side.unknown, side.n_features
        ([[11, 15, 14], [12, 15, 13]], 10, 6)
    """

    def __init__(self, name: str, attributes: pd.DataFrame | None, size: int, offset: int) -> None:
        if attributes is not None and len(attributes) != size:
            raise ValueError(
                f"{name} has {len(attributes)} rows of attributes, the interactions have {size} "
                f"{name}; expected a row for each."
            )
        self.unknown = offset
        columns = [offset + 1 + np.arange(size)]
        self.n_features = 1 + size
        for column in attributes if attributes is not None else ():
            codes, n_values = coded([values_of(value) for value in attributes[column]])
            columns.extend(offset + self.n_features + codes.T)
            self.n_features += n_values
        self.features = np.column_stack(columns).astype(np.int32)
        self.n_fields = len(columns)

    def hide_ids_without_rows(self, ids: np.ndarray) -> None:
        """Make every user or item that does not occur in ``ids`` unknown but for its attributes."""
        seen = np.bincount(ids, minlength=len(self.features)) > 0
        self.features[~seen, 0] = self.unknown


def values_of(value: object) -> tuple[str, ...]:
    """The categories in one cell.

    Example:
        >>> values_of("war|love"), values_of((3, 4)), values_of(None), values_of(7)
        (('war', 'love'), ('3', '4'), (), ('7',))
    """
    if isinstance(value, tuple | list):
        return tuple(str(each) for each in value)
    return () if pd.isna(value) else tuple(str(value).split("|"))


def coded(cells: list[tuple[str, ...]]) -> tuple[np.ndarray, int]:
    """Categories as numbers from 1 in alphabetical order, 0 where a cell has fewer than others.

    Returns:
        (n, most categories in a cell) codes, and how many codes there are.

    Example:
        >>> codes, n = coded([("war", "love"), ()])
        >>> codes.tolist(), n
        ([[2, 1], [0, 0]], 3)
    """
    names = {name: code for code, name in enumerate(sorted({n for cell in cells for n in cell}), 1)}
    codes = np.zeros((len(cells), max(1, *map(len, cells), 1)), np.int64)
    for row, cell in enumerate(cells):
        codes[row, : len(cell)] = [names[name] for name in cell]
    return codes, len(names) + 1
