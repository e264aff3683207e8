"""What all readers share: fast parsing, and the first wrong line where that fails."""

import csv
import re
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

MOST = 9_999_999
"""The largest id a reader takes: a corrupt one would otherwise ask for gigabytes."""


def read_table(
    path: Path,
    columns: dict[str, type],
    line: str,
    expected: str,
    separators: tuple[str, ...] = ("\t",),
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Read a file of separated values without a header, every line checked.

    Args:
        path: the file.
        columns: name and type (``int`` or ``str``) of each column, in order.
        line: a regular expression that a right line matches in full; used to find a wrong one.
        expected: what a line holds, in words, for the error message.
        separators: what stands between two values.
        encoding: the file's.

    Raises:
        ValueError: a line is malformed; the message names the file, the line and what was expected.
        FileNotFoundError: there is no such file.
    """
    raw = path.read_bytes()
    data, mark = raw, separators[0]
    if separators != (mark,) or len(mark) > 1:
        # pandas' fast parser knows only one separator, of one character.
        mark = "\x1f"
        for separator in separators:
            data = data.replace(separator.encode(), mark.encode())
    lines = len(raw.splitlines())
    types = {name: np.int64 if kind is int else kind for name, kind in columns.items()}
    reason = f"{data.count(mark.encode())} separators in {lines} lines"
    if lines and data.count(mark.encode()) == lines * (len(columns) - 1):
        try:
            return _parse(data, mark, types, encoding)
        except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
            reason = str(error)
    refuse_first_malformed(path, raw.decode(encoding, "replace"), line, expected)
    raise ValueError(f"{path} cannot be read: {reason}. Each line holds {expected}.")


def _parse(data: bytes, mark: str, types: dict[str, type], encoding: str) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(
            BytesIO(data),
            sep=mark,
            names=list(types),
            dtype=types,
            header=None,
            index_col=False,
            encoding=encoding,
            quoting=csv.QUOTE_NONE,
            skip_blank_lines=False,
            na_filter=False,
        )


def read_lists(path: Path, numbered_from: int) -> tuple[np.ndarray, np.ndarray]:
    """Read lines of ``user item item ...`` into one (user, item) pair an item, in order.

    Args:
        path: the file.
        numbered_from: the file's first id; what comes back is numbered from 0.

    Returns:
        Users and items, (n,) int64 each.

    Raises:
        ValueError: a line holds anything but numbers, or an id below ``numbered_from``.
        FileNotFoundError: there is no such file.
    """
    text = path.read_text("utf-8", "replace")
    expected = "a user id and its item ids, whole numbers separated by blanks"
    refuse_first_malformed(path, text, r"\d{1,7}( \d{1,7})* ?", expected)
    lengths = np.array([len(line.split()) for line in text.splitlines()], np.int64)
    if not len(lengths):
        raise ValueError(f"{path} is empty; each line holds {expected}.")
    ids = np.fromstring(text, np.int64, sep=" ") - numbered_from
    starts = np.cumsum(lengths) - lengths
    if ids.min() < 0:
        number = np.searchsorted(starts, ids.argmin(), side="right")
        raise ValueError(f"{path}, line {number}: id 0; expected ids from {numbered_from}.")
    users = np.repeat(ids[starts], lengths - 1)
    return users, np.delete(ids, starts)


def refuse_first_malformed(path: Path, text: str, line: str, expected: str) -> None:
    """Raise where a line does not match ``line`` in full; else do nothing.

    Raises:
        ValueError: names the file, the first such line and its number, and what was expected.
    """
    right = re.compile(line).fullmatch
    for number, content in enumerate(text.split("\n"), start=1):
        content = content.removesuffix("\r")
        if not right(content) and not (content == "" and number == text.count("\n") + 1):
            shown = content if len(content) <= 80 else content[:80] + "..."
            raise ValueError(f"{path}, line {number}: {shown!r}; expected {expected}.")


def refuse_outside(path: Path, values: pd.Series, low: int, high: int, what: str) -> None:
    """Raise where a value lies outside ``low`` to ``high``.

    Raises:
        ValueError: names the file, the line and the value.
    """
    wrong = np.flatnonzero((values < low) | (values > high))
    if len(wrong):
        value = values.iloc[wrong[0]]
        raise ValueError(f"{path}, line {wrong[0] + 1}: {what} {value}; expected {low} to {high}.")


def refuse_gaps(path: Path, ids: pd.Series, what: str) -> None:
    """Raise where ids are not 1, 2, 3, ... in the order of the file.

    Raises:
        ValueError: names the file, the line and the id.
    """
    wrong = np.flatnonzero(ids.to_numpy() != np.arange(1, len(ids) + 1))
    if len(wrong):
        raise ValueError(
            f"{path}, line {wrong[0] + 1}: {what} {ids.iloc[wrong[0]]}; expected {wrong[0] + 1}."
        )
