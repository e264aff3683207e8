"""libFM lines ``label id:1 id:1 ...`` of one feature a field.

Source of the layout: Rendle, Factorization Machines with libFM, ACM TIST 3(3), 2012; of the split:
He and Chua, Neural Factorization Machines, SIGIR 2017, arXiv:1708.05027, section 4.1.
"""

from pathlib import Path

import numpy as np

from rsutils.data.dataset import FieldDataset, FieldRows
from rsutils.data.readers.text import MOST, read_table, refuse_outside

FIELDS = (
    "user",
    "item",
    "daytime",
    "weekday",
    "isweekend",
    "homework",
    "cost",
    "weather",
    "country",
    "city",
)


def read_frappe(folder: Path) -> FieldDataset:
    """Read ``frappe.train.libfm``, ``.validation.libfm`` and ``.test.libfm``; label -1 becomes 0.

    Raises:
        ValueError: a line is malformed.
        FileNotFoundError: a file is missing.
    """
    train, validation, test = (
        read_libfm(folder / f"frappe.{part}.libfm") for part in ("train", "validation", "test")
    )
    largest = max(int(rows.features.max(initial=-1)) for rows in (train, validation, test))
    return FieldDataset(
        name="frappe",
        train=train,
        validation=validation,
        test=test,
        n_features=largest + 1,
        fields=FIELDS,
    )


def read_libfm(path: Path) -> FieldRows:
    """Read one file of lines with a label and one feature for each of Frappe's ten fields.

    Raises:
        ValueError: a line is malformed.
        FileNotFoundError: there is no such file.
    """
    values = [f"{field}_value" for field in FIELDS]
    pairs = [name for pair in zip(FIELDS, values, strict=True) for name in pair]
    expected = f"1 or -1, then {len(FIELDS)} features as id:1, separated by blanks"
    table = read_table(
        path,
        dict.fromkeys(["label", *pairs], int),
        line=rf"-?1( \d+:1){{{len(FIELDS)}}}",
        expected=expected,
        separators=(" ", ":"),
    )
    refuse_outside(path, table["label"].abs(), 1, 1, "label of size")
    for field, value in zip(FIELDS, values, strict=True):
        refuse_outside(path, table[value], 1, 1, f"value of {field}")
        refuse_outside(path, table[field], 0, MOST, field)
    return FieldRows(
        features=table[list(FIELDS)].to_numpy(np.int32),
        label=(table["label"] == 1).to_numpy(np.float32),
    )
