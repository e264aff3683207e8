"""Rows of feature ids refused at the door, with the place and the value in the message."""

import numpy as np

from rsutils.data.dataset import FieldRows


def check_rows(rows: FieldRows, soft: bool = False) -> None:
    """Refuse rows that nothing can be learnt from.

    Args:
        rows: to learn from or to be judged on.
        soft: whether a label may lie between 0 and 1, as a teacher's do.

    Raises:
        ValueError: there are none, a row is no list of ids, labels and rows differ in number, or
            a label is not 0 or 1.

    Example:
        >>> check_rows(FieldRows(np.zeros((2, 3), np.int32), np.float32([1, -1])))
        Traceback (most recent call last):
        ValueError: Label -1 in row 1; expected 0 or 1.
    """
    if not len(rows) or len(rows.features) != len(rows.label):
        raise ValueError(
            f"Got {len(rows.features)} rows with {len(rows.label)} labels; expected at least one "
            "row, and a label a row."
        )
    if rows.features.ndim != 2 or not rows.features.shape[1]:
        raise ValueError(
            f"features have shape {rows.features.shape}; expected (n, n_fields), an id a field."
        )
    hard = (rows.label == 0) | (rows.label == 1)
    wrong = np.flatnonzero(~(hard | (soft & (rows.label > 0) & (rows.label < 1))))
    if len(wrong):
        expected = "0 to 1" if soft else "0 or 1"
        raise ValueError(f"Label {rows.label[wrong[0]]:g} in row {wrong[0]}; expected {expected}.")


def known_features(features: np.ndarray, n_fields: int, n_features: int) -> np.ndarray:
    """``features`` as an array, if a table of ``n_features`` rows has a vector for every id.

    Args:
        features: (n, n_fields) whole numbers.
        n_fields: ids in a row.
        n_features: how many ids exist.

    Raises:
        ValueError: the shape, the type or an id is not what was expected.

    Example:
        >>> known_features([[0, 4]], n_fields=2, n_features=5)
        array([[0, 4]])
    """
    features = np.asarray(features)
    if features.ndim != 2 or features.shape[1] != n_fields:
        raise ValueError(
            f"features have shape {features.shape}; expected (n, {n_fields}), an id a field."
        )
    if len(features) and features.dtype.kind not in "iu":
        raise ValueError(f"features have type {features.dtype}; expected whole numbers.")
    unknown = np.argwhere((features < 0) | (features >= n_features))
    if len(unknown):
        row, field = unknown[0]
        raise ValueError(
            f"Feature {features[row, field]} in row {row}, field {field}, is unknown; this model "
            f"knows 0 to {n_features - 1}. Pass n_features to fit to make room."
        )
    return features
