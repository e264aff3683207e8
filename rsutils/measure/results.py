"""What the benchmarks measured, from the files that are committed with the code."""

import pandas as pd

from rsutils import settings

RESULTS = settings.REPOSITORY / "benchmarks" / "results"


def benchmark_rows(name: str) -> pd.DataFrame:
    """The committed results of a benchmark as they were printed, a row a line.

    Args:
        name: the benchmark, as in ``python -m benchmarks.NAME``.

    Raises:
        FileNotFoundError: no results are committed under this name.

    Example:
        >>> "popularity" in set(benchmark_rows("ncf_ml1m").system)
        True
    """
    path = RESULTS / f"{name}.jsonl"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in RESULTS.glob("*.jsonl")))
        raise FileNotFoundError(
            f"There is no {path.name} in benchmarks/results; there are: {known}. "
            f"To write it: python -m benchmarks.{name} > benchmarks/results/{path.name}"
        )
    return pd.read_json(path, lines=True)


def benchmark_table(name: str) -> pd.DataFrame:
    """The committed results of a benchmark: a row a system, the mean where it ran on many seeds.

    Args:
        name: the benchmark, as in ``python -m benchmarks.NAME``.

    Returns:
        Indexed by system, in the order of running: every measured figure, ``seeds`` (how many runs
        the means are over), ``published`` (figures of another source, or None), and, where the rows
        name it, ``processor``.

    Raises:
        FileNotFoundError: no results are committed under this name.

    Example:
        >>> benchmark_table("ncf_ml1m").loc["popularity", "hr@10"].round(2)
        np.float64(0.45)
    """
    runs = benchmark_rows(name)
    systems = runs.groupby("system", sort=False)
    table = systems.mean(numeric_only=True).drop(columns="seed")
    table["seeds"] = systems.size()
    if "processor" in runs:
        table["processor"] = systems["processor"].first()
    cited = (runs["published"].iloc[rows[0]] for rows in systems.indices.values())
    table["published"] = [each if isinstance(each, dict) else None for each in cited]
    return table
