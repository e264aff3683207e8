"""Interactions and what is done to them before a model sees them: load, split, sample.

``load(name)`` gives a ``Dataset`` (or, for Frappe, a ``FieldDataset``) of the catalogue that
``describe()`` lists; ``leave_last_out``, ``by_time`` and ``random_split`` cut its interactions.
"""

from rsutils.data.catalogue import describe
from rsutils.data.dataset import Dataset, FieldDataset, FieldRows, Split
from rsutils.data.fields import add_offsets, field_dataset, first_categories
from rsutils.data.interactions import Interactions
from rsutils.data.loading import load
from rsutils.data.negatives import sample_negatives
from rsutils.data.row_hash import hash_rows
from rsutils.data.splits import by_time, leave_last_out, random_split

__all__ = [
    "Dataset",
    "FieldDataset",
    "FieldRows",
    "Interactions",
    "Split",
    "add_offsets",
    "by_time",
    "describe",
    "field_dataset",
    "first_categories",
    "hash_rows",
    "leave_last_out",
    "load",
    "random_split",
    "sample_negatives",
]
