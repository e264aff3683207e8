"""What ``load`` returns: a named data set with its attributes and, where published, its split."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from rsutils.data.interactions import Interactions


@dataclass(frozen=True, eq=False)
class Split:
    """Training, validation and test interactions over the same users and items.

    Attributes:
        train: what a model may learn from.
        validation: what chooses hyper-parameters; None where a published split has none.
        test: what is read once, at the end.
        negatives: (len(test), m) int32, items sampled for each test row by the source, or None.
    """

    train: Interactions
    validation: Interactions | None
    test: Interactions
    negatives: np.ndarray | None = None

    @property
    def before_test(self) -> Interactions:
        """Training and validation together: what a model may know when the test is read.

        Hyper-parameters are chosen on ``train`` and ``validation`` apart; then the model learns
        once more from both.
        """
        if self.validation is None:
            return self.train
        return Interactions.concatenate([self.train, self.validation])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set of interactions.

    Attributes:
        name: its name in the catalogue.
        interactions: everything, training and test together.
        items: attributes, row i describes item i (``title`` wherever the source has one), or None.
        users: attributes, row u describes user u, or None.
        published: the split that the source publishes, or None.
        licence: what the source allows.
    """

    name: str
    interactions: Interactions
    items: pd.DataFrame | None = None
    users: pd.DataFrame | None = None
    published: Split | None = None
    licence: str = ""
    extras: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class FieldRows:
    """Rows of one categorical feature a field, with a binary label.

    Attributes:
        features: (n, n_fields) int32, ids numbered over all fields, 0 <= id < n_features.
        label: (n,) float32, 0 or 1; between them where a teacher wrote them.
    """

    features: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True, eq=False)
class FieldDataset:
    """A multi-field click data set (Frappe): three parts that share their feature ids.

    Attributes:
        name: its name in the catalogue.
        train: rows to learn from.
        validation: rows that choose.
        test: rows that are read once.
        n_features: how many feature ids exist over all fields.
        fields: the fields' names, in column order.
        licence: what the source allows.
    """

    name: str
    train: FieldRows
    validation: FieldRows
    test: FieldRows
    n_features: int
    fields: tuple[str, ...]
    licence: str = ""
