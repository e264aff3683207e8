"""Rows of several categorical fields: ids numbered over all fields, rows from pairs and attributes.

A model of such rows keeps one table for all fields. So the ids of a field begin where those of the
field before it end.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rsutils.data.dataset import Dataset, FieldDataset, FieldRows, Split
from rsutils.data.interactions import Interactions
from rsutils.data.negatives import sample_negatives


def add_offsets(ids: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Number ids over all fields that are numbered from 0 in each field.

    Args:
        ids: (n, n_fields) whole numbers, 0 <= ids[:, f] < sizes[f].
        sizes: how many ids each field has.

    Returns:
        (n, n_fields) int32.

    Raises:
        ValueError: the shapes do not fit, or an id is outside its field.

    Example:
        >>> add_offsets([[0, 0], [1, 2]], sizes=[2, 3])
        array([[0, 2],
               [1, 4]], dtype=int32)
    """
    ids, sizes = np.asarray(ids), np.asarray(sizes)
    if ids.ndim != 2 or ids.shape[1] != len(sizes):
        raise ValueError(
            f"ids have shape {ids.shape} and there are {len(sizes)} sizes; expected (n, n_fields) "
            "ids and a size a field."
        )
    outside = np.argwhere((ids < 0) | (ids >= sizes))
    if len(outside):
        row, field = outside[0]
        raise ValueError(
            f"Id {ids[row, field]} in row {row} is outside field {field}; expected 0 to "
            f"{sizes[field] - 1}. Number the ids of each field from 0."
        )
    return (ids + np.cumsum(sizes) - sizes).astype(np.int32)


def first_categories(column: pd.Series) -> np.ndarray:
    """One category a row, as text: of several, such as genres, the first; of none, ``""``.

    Example:
        >>> first_categories(pd.Series(["drama|war", None, "war"])).tolist()
        ['drama', '', 'war']
        >>> first_categories(pd.Series([("Comedy", "War"), ()])).tolist()
        ['Comedy', '']
    """

    def first(value: object) -> str:
        if isinstance(value, tuple | list):
            return str(value[0]) if value else ""
        return "" if pd.isna(value) else str(value).partition("|")[0]

    return np.array([first(value) for value in column], dtype=object)


def field_dataset(
    dataset: Dataset, split: Split, columns: Sequence[str], negatives: int = 2, seed: int = 0
) -> FieldDataset:
    """Rows of user, item and attributes: observed pairs with label 1, drawn pairs with label 0.

    For each observed pair of a part, ``negatives`` items are drawn that its user has in no part.

    Args:
        dataset: for its attributes and its name.
        split: what each part observes; it must have a validation part.
        columns: of ``dataset.users`` and ``dataset.items``; those that are in neither are left out.
        negatives: pairs drawn for each observed one.
        seed: of the drawn pairs.

    Returns:
        The three parts. Its fields are ``user``, ``item`` and the columns found.

    Raises:
        ValueError: the split has no validation part.

    Example:
        >>> log = Interactions.of(user=[0, 0, 0, 1], item=[0, 1, 2, 1], n_items=9)
        >>> shop = Dataset("shop", log, users=pd.DataFrame({"city": ["Rome", "Oslo"]}))
        >>> half = log.take([0, 3])
        >>> rows = field_dataset(shop, Split(half, half, log.take([1])), ["city"], negatives=1)
        >>> rows.fields, rows.n_features, rows.train.features[:2].tolist()
        (('user', 'item', 'city'), 13, [[0, 2, 12], [1, 3, 11]])
    """
    if split.validation is None:
        raise ValueError("The split has no validation part; cut one, as leave_last_out does.")
    everything = Interactions.concatenate([split.train, split.validation, split.test])
    codes = {"user": np.arange(everything.n_users), "item": np.arange(everything.n_items)}
    side = {"user": "user", "item": "item"}
    for name, table in (("user", dataset.users), ("item", dataset.items)):
        for column in columns if table is not None else ():
            if column in table:
                side[column] = name
                codes[column] = np.unique(first_categories(table[column]), return_inverse=True)[1]
    sizes = [int(code.max()) + 1 for code in codes.values()]

    def rows(part: Interactions, seed: int) -> FieldRows:
        drawn = sample_negatives(everything, part.user, negatives, seed=seed)
        pair = {
            "user": np.concatenate([part.user, np.repeat(part.user, negatives)]),
            "item": np.concatenate([part.item, drawn.ravel()]),
        }
        ids = np.column_stack([code[pair[side[name]]] for name, code in codes.items()])
        return FieldRows(
            add_offsets(ids, sizes), (np.arange(len(ids)) < len(part)).astype(np.float32)
        )

    parts = [
        rows(p, 3 * seed + i) for i, p in enumerate((split.train, split.validation, split.test))
    ]
    return FieldDataset(dataset.name, *parts, sum(sizes), tuple(codes), dataset.licence)
