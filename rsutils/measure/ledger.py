"""The ledger: one JSON line for each system that a lesson measured.

``FIGURES`` names what means the same everywhere; a quality has its interval beside it, as
``ndcg@10`` and ``ndcg@10_interval`` ``[low, high]``. Other figures are welcome.
"""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from rsutils import settings
from rsutils.measure.environment import versions

try:
    import fcntl
except ImportError:  # Windows has no advisory locks; the single write still keeps lines whole.
    fcntl = None

KEY = ("lesson", "system", "dataset", "profile")
FIGURES = (
    *("hr@10", "ndcg@10", "recall@20", "mrr@10", "auc", "log_loss", "rmse"),
    *("train_seconds", "examples_per_second", "bytes", "p50_ms", "p99_ms", "peak_mb"),
    *("users", "items"),
)
"""Standard names in the order in which tables show them."""
INTERVAL = "_interval"

Row = dict[str, object]


class Ledger:
    """Rows of figures in a file of JSON Lines, appended and never changed.

    Args:
        path: the file; it and its folder are made by the first row.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> book = Ledger(Path(folder.name) / "ledger.jsonl")
        >>> row = book.record("01", "popularity", "demo", "quick", **{"hr@10": 0.25})
        >>> book.rows()[0]["hr@10"]
        0.25
        >>> folder.cleanup()
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def record(
        self, lesson: str, system: str, dataset: str, profile: str, **figures: object
    ) -> Row:
        """Append a row, with the versions it was measured on, and return it.

        The line is written whole or not at all, also when several processes record at once.

        Raises:
            TypeError: a figure is neither a number, a text, a truth value nor a list of numbers.
            ValueError: a number is not finite, a key is empty, or an interval is not ``[low,
                high]`` beside its figure.
        """
        key = dict(zip(KEY, (lesson, system, dataset, profile), strict=True))
        for name, value in key.items():
            if not isinstance(value, str) or not value:
                raise ValueError(f"{name} is {value!r}; expected a name.")
        row = key | {name: _plain(name, value) for name, value in figures.items()}
        _check_intervals(row)
        row["versions"] = versions()
        self._append(_line(row))
        return row

    def rows(self) -> list[Row]:
        """All rows, oldest first; none where the file does not exist yet.

        Raises:
            ValueError: a line is not a row; the message names file and line.
        """
        if not self.path.exists():
            return []
        # In bytes, because text has line ends, such as U+2028, that a JSON string may hold.
        lines = self.path.read_bytes().split(b"\n")
        if not lines[-1]:
            lines.pop()
        return [self._row(number, line) for number, line in enumerate(lines, start=1)]

    def latest(self) -> list[Row]:
        """The last row of every lesson, system, data set and profile, in order of recording."""
        latest: dict[tuple, Row] = {}
        for row in self.rows():
            key = tuple(row[name] for name in KEY)
            latest.pop(key, None)
            latest[key] = row
        return [*latest.values()]

    def table(self) -> pd.DataFrame:
        """The rows of ``latest``.

        Standard figures come first. Intervals and versions are left out; they are in ``rows()``.
        """
        shown = [
            {name: value for name, value in row.items() if not isinstance(value, list | dict)}
            for row in self.latest()
        ]
        names = dict.fromkeys(name for row in shown for name in row)
        order = [*KEY, *(name for name in FIGURES if name in names), *names]
        return pd.DataFrame(shown, columns=list(dict.fromkeys(order)))

    def as_text(self) -> str:
        """The table's standard figures for a terminal."""
        table = self.table()
        if table.empty:
            return f"No rows in {self.path.name} yet."
        table = table[[name for name in (*KEY, *FIGURES) if name in table]]
        return table.to_string(index=False, na_rep="", float_format="{:,.4g}".format)

    def forget(self, lesson: str) -> None:
        """Remove the rows of ``lesson``, so that it can be run again.

        The file is replaced as a whole; do not record at the same time.
        """
        if not self.path.exists():
            return
        kept = [row for row in self.rows() if row["lesson"] != lesson]
        draft = self.path.with_name(self.path.name + ".part")
        draft.write_bytes(b"".join(map(_line, kept)))
        draft.replace(self.path)

    def _row(self, number: int, line: bytes) -> Row:
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(self._damaged(number, str(error))) from None
        missing = [name for name in KEY if not isinstance(row, dict) or name not in row]
        if missing:
            raise ValueError(self._damaged(number, f"it lacks {', '.join(missing)}"))
        return row

    def _damaged(self, number: int, why: str) -> str:
        return (
            f"{self.path}, line {number} is no ledger row: {why}. Remove that line, or move the "
            "file away and run the lessons again."
        )

    def _append(self, line: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered, so that the line is one write to the end of the file.
        with self.path.open("ab+", buffering=0) as file, _locked(file):
            end = file.seek(0, os.SEEK_END)
            if end and (file.seek(end - 1), file.read(1))[1] != b"\n":
                lines = self.path.read_bytes().count(b"\n")
                raise ValueError(self._damaged(lines + 1, "it has no end"))
            try:
                written = file.write(line)
            except OSError:
                file.truncate(end)
                raise
            if written != len(line):
                file.truncate(end)
                raise OSError(f"{self.path} could not take a row; the disk may be full.")


def path() -> Path:
    """The course's ledger: ``$RSUTILS_LEDGER``, else ``ledger.jsonl`` in the build folder."""
    return Path(os.environ.get("RSUTILS_LEDGER") or settings.BUILD / "ledger.jsonl")


def record(lesson: str, system: str, dataset: str, profile: str, **figures: object) -> Row:
    """``Ledger.record`` on the course's ledger."""
    return Ledger(path()).record(lesson, system, dataset, profile, **figures)


def rows() -> list[Row]:
    """``Ledger.rows`` of the course's ledger."""
    return Ledger(path()).rows()


def table() -> pd.DataFrame:
    """``Ledger.table`` of the course's ledger."""
    return Ledger(path()).table()


def as_text() -> str:
    """``Ledger.as_text`` of the course's ledger."""
    return Ledger(path()).as_text()


def forget(lesson: str) -> None:
    """``Ledger.forget`` on the course's ledger."""
    Ledger(path()).forget(lesson)


def _line(row: Row) -> bytes:
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _plain(name: str, value: object) -> object:
    """``value`` as JSON knows it: NumPy's numbers and arrays become Python's."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        if any(isinstance(one, str | list | tuple | dict) for one in value):
            raise TypeError(f"{name} is {value!r}; expected a flat list of numbers.")
        return [_plain(name, one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(
            f"{name} is {value}; expected a finite number. Leave out what was not measured."
        )
    if not isinstance(value, bool | int | float | str):
        raise TypeError(
            f"{name} is {value!r}, a {type(value).__name__}; expected a number, a text, a truth "
            "value or a list of numbers. Leave out what was not measured."
        )
    return value


def _check_intervals(row: Row) -> None:
    for name in [name for name in row if name.endswith(INTERVAL)]:
        ends = row[name]
        if not isinstance(ends, list) or len(ends) != 2 or not ends[0] <= ends[1]:
            raise ValueError(f"{name} is {ends!r}; expected [low, high].")
        if name.removesuffix(INTERVAL) not in row:
            raise ValueError(f"{name} has no {name.removesuffix(INTERVAL)!r} beside it; add it.")


@contextmanager
def _locked(file: BinaryIO) -> Iterator[None]:
    """Hold the file for this process; closing it lets go."""
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX)
    yield
