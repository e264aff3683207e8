"""What an evaluation returns: a value a user, from which means and intervals follow."""

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from rsutils.evaluate.intervals import bootstrap_means, percentiles


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """Metrics of one model on one test set, user by user.

    Attributes:
        model: the model's name.
        protocol: what was ranked against what, in words.
        users: (n,) the users that were evaluated, ascending.
        values: (n,) array of each metric by its name, such as ``"ndcg@10"``.
        dropped: test interactions left out because the user already has the item in ``exclude``.

    Example:
        >>> report = Report("demo", "full", np.arange(4), {"hr@10": np.array([1.0, 0, 1, 1])})
        >>> report["hr@10"], len(report)
        (0.75, 4)
        >>> report
        demo, full, 4 users: hr@10 0.7500 [0.2500, 1.0000]
    """

    model: str
    protocol: str
    users: np.ndarray
    values: dict[str, np.ndarray]
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, name: str) -> float:
        return float(self._of(name).mean())

    def mean(self) -> dict[str, float]:
        """The mean over users of every metric."""
        return {name: self[name] for name in self.values}

    def interval(self, name: str, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
        """Percentile bootstrap interval of the mean of metric ``name`` over users."""
        means = bootstrap_means(self._of(name)[:, None], seed=seed)
        low, high = percentiles(means, level)
        return float(low[0]), float(high[0])

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """A row a metric: ``mean`` and the ``low`` and ``high`` end of its interval."""
        return _summary(self.values, level, "mean")

    def compare(self, other: "Report", level: float = 0.95) -> pd.DataFrame:
        """How much better this model is than ``other`` on the same users, metric by metric.

        Both models are read on the same resampled users (a paired bootstrap), so an interval that
        leaves out 0 tells them apart even where the models' own intervals overlap.

        Returns:
            A row a shared metric: ``difference`` of the means and ``low``, ``high`` of it.

        Raises:
            ValueError: the reports are of different users or protocols, or share no metric.

        Example:
            >>> users, hits = np.arange(3), np.array([1.0, 0.0, 1.0])
            >>> better = Report("a", "full", users, {"hr@10": hits})
            >>> worse = Report("b", "full", users, {"hr@10": hits - 1})
            >>> better.compare(worse).loc["hr@10"].tolist()
            [1.0, 1.0, 1.0]
        """
        if not np.array_equal(self.users, other.users):
            raise ValueError(
                f"{self.model} was evaluated on {len(self)} users and {other.model} on "
                f"{len(other)}, not the same ones; evaluate both on one test set."
            )
        if self.protocol != other.protocol:
            raise ValueError(
                f"{self.model} was evaluated by {self.protocol!r} and {other.model} by "
                f"{other.protocol!r}; expected one protocol."
            )
        shared = [name for name in self.values if name in other.values]
        if not shared:
            raise ValueError(f"{self.model} and {other.model} share no metric to compare.")
        gaps = {name: self.values[name] - other.values[name] for name in shared}
        return _summary(gaps, level, "difference")

    def figures(self) -> dict[str, float | int | list[float]]:
        """Means and intervals by the names the ledger uses, and the number of ``users``.

        Example:
            >>> Report("a", "full", np.arange(2), {"hr@1": np.ones(2)}).figures()
            {'hr@1': 1.0, 'hr@1_interval': [1.0, 1.0], 'users': 2}
        """
        figures: dict[str, float | int | list[float]] = {}
        for row in self.table().itertuples():
            figures[row.Index] = row.mean
            figures[f"{row.Index}_interval"] = [row.low, row.high]
        return figures | {"users": len(self)}

    def _of(self, name: str) -> np.ndarray:
        if name not in self.values:
            raise KeyError(
                f"Metric {name!r} was not evaluated; there are {', '.join(self.values)}."
            )
        return self.values[name]

    def _caption(self) -> str:
        dropped = f" ({self.dropped:,} test items already seen, dropped)" if self.dropped else ""
        return f"{self.model}, {self.protocol}, {len(self):,} users{dropped}"

    def __repr__(self) -> str:
        rows = self.table().itertuples()
        shown = (f"{r.Index} {r.mean:.4f} [{r.low:.4f}, {r.high:.4f}]" for r in rows)
        return f"{self._caption()}: {', '.join(shown)}"

    def _repr_html_(self) -> str:
        return (
            f"<p>{escape(self._caption())}</p>{self.table().to_html(float_format='{:.4f}'.format)}"
        )


def _summary(values: dict[str, np.ndarray], level: float, title: str) -> pd.DataFrame:
    """Mean and interval of each array of ``values``, a row each."""
    columns = np.column_stack(list(values.values()))
    low, high = percentiles(bootstrap_means(columns), level)
    table = {title: [array.mean() for array in values.values()], "low": low, "high": high}
    return pd.DataFrame(table, index=pd.Index(list(values), name="metric"))
