"""The rows of all lessons, also of those that a reader has not run."""

import json

import pandas as pd

from rsutils.course.lessons import NOTEBOOKS
from rsutils.measure import ledger

COMMITTED = NOTEBOOKS / "ledger.jsonl"
"""Rows of ``make course`` on the demo world in the quick profile, without their versions."""


def whole_ledger(dataset: str = "demo", profile: str = "quick") -> pd.DataFrame:
    """The reader's rows, and for every lesson that they lack the rows that come with the course.

    Args:
        dataset: of the reader's rows.
        profile: the same.

    Returns:
        As ``Ledger.table``, in the order of the lessons, with a column ``run``: ``"yours"`` or
        ``"committed"``. Committed rows are of the demo world in the quick profile, whatever is
        asked for; ``dataset`` and ``profile`` say so in each row.

    Example:
        >>> whole_ledger().lesson.is_monotonic_increasing
        True
    """
    own = ledger.table()
    own = own[(own.dataset == dataset) & (own.profile == profile)].assign(run="yours")
    committed = ledger.Ledger(COMMITTED).table().assign(run="committed")
    lacking = committed[~committed.lesson.isin(own.lesson)]
    parts = [part for part in (own, lacking) if len(part)]
    return pd.concat(parts).sort_values("lesson", kind="stable", ignore_index=True)


def keep_ledger() -> None:
    """Commit the rows of the last ``make course``, which takes the place of those before.

    Raises:
        ValueError: there are no rows of the demo world in the quick profile.
    """
    latest = ledger.Ledger(ledger.path()).latest()
    rows = [row for row in latest if (row["dataset"], row["profile"]) == ("demo", "quick")]
    if not rows:
        raise ValueError("The ledger has no rows of the demo world; run make course first.")
    rows.sort(key=lambda row: row["lesson"])
    lines = [json.dumps({k: v for k, v in row.items() if k != "versions"}) for row in rows]
    COMMITTED.write_text("\n".join(lines) + "\n", encoding="utf-8")
