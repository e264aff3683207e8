"""Tables in a folder of Parquet files: written whole or not at all, read in equal parts."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

DONE = "_SUCCESS"
"""The empty file that Spark, too, leaves in a folder when everything in it is written."""


def write_parquet(table: pd.DataFrame, folder: Path | str, files: int = 2) -> None:
    """Write ``table`` as several files, whose names are in the order of the rows.

    Raises:
        ValueError: no file is asked for.
        FileExistsError: there is something of that name; nothing is written over.
    """
    if files < 1:
        raise ValueError(f"files is {files}; expected at least 1.")
    target = Path(folder)
    if target.exists():
        raise FileExistsError(f"{target} exists; remove it, or choose another folder.")
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for number, rows in enumerate(np.array_split(np.arange(len(table)), files)):
        table.iloc[rows].to_parquet(unfinished / f"part-{number:05d}.parquet", index=False)
    (unfinished / DONE).touch()
    unfinished.replace(target)


def read_part(
    folder: Path | str, rank: int, size: int, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """The rows of one reader of several: as many as any other's, but for one, in order.

    How many rows there are stands at the end of each file. Only the columns that are asked for
    are read, and only of the row groups in which this reader has rows.

    Args:
        folder: of :func:`write_parquet` or of Spark.
        rank: this reader.
        size: readers.
        columns: names; None for all.

    Raises:
        FileNotFoundError: there is no such folder, or it was not written to its end.
        ValueError: rank or size out of range, a column that is not there, or more readers than
            rows.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as home:
        ...     write_parquet(pd.DataFrame({"item": range(5), "label": 1.0}), f"{home}/rows", 3)
        ...     [read_part(f"{home}/rows", rank, 2, ["item"]).item.tolist() for rank in range(2)]
        [[0, 1], [2, 3, 4]]
    """
    import pyarrow as pa
    from pyarrow import parquet

    if not 0 <= rank < size:
        raise ValueError(f"rank is {rank} of {size}; expected 0 to {size - 1}.")
    files = [parquet.ParquetFile(path) for path in finished_files(Path(folder))]
    missing = set(columns or []) - set(files[0].schema_arrow.names)
    if missing:
        raise ValueError(
            f"{folder} has no column {sorted(missing)[0]}; it has "
            f"{', '.join(files[0].schema_arrow.names)}."
        )
    rows = sum(file.metadata.num_rows for file in files)
    if rows < size:
        raise ValueError(f"{folder} has {rows} rows for {size} readers; use fewer.")
    start, stop = rows * rank // size, rows * (rank + 1) // size
    found, first = [], 0
    for file in files:
        for group in range(file.num_row_groups):
            last = first + file.metadata.row_group(group).num_rows
            if first < stop and last > start:
                table = file.read_row_group(group, columns=list(columns) if columns else None)
                begin = max(start - first, 0)
                found.append(table.slice(begin, min(stop, last) - first - begin))
            first = last
    return pa.concat_tables(found).to_pandas()


def count_rows(folder: Path | str) -> int:
    """How many rows a folder has, by what stands at the ends of its files.

    Raises:
        FileNotFoundError: there is no such folder, or it was not written to its end.
    """
    from pyarrow import parquet

    return sum(parquet.read_metadata(path).num_rows for path in finished_files(Path(folder)))


def finished_files(folder: Path) -> list[Path]:
    """The files of a folder that was written to its end, in the order of their names.

    Raises:
        FileNotFoundError: there is none.
    """
    if not (folder / DONE).is_file():
        state = "was not written to its end (no _SUCCESS in it)" if folder.is_dir() else "not found"
        raise FileNotFoundError(f"{folder} {state}; write it again.")
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no .parquet file.")
    return files
