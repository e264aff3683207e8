"""Where the relevant items stand in a ranking, with equal scores kept as what they are: ties.

A model that gives two items the same score has not said which comes first. Whoever lets the sort
decide hands out a gift or a fine: a constant model then gets a perfect or an empty hit rate,
depending on how the comparison was written. Here a relevant item keeps two numbers instead of one
rank, how many items beat it and how many share its score, and every metric of
``rsutils.evaluate.metrics`` is the exact expectation over all orders of the tied items
(McSherry & Najork 2008, "Computing information retrieval performance measures efficiently in the
presence of tied scores", ECIR, pp. 414-421).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

BLOCK = 2**21
"""Scores compared at a time: few enough to stay near the processor."""


@dataclass(frozen=True, eq=False)
class Ranks:
    """Where each relevant item stands in the ranking of its row.

    Attributes:
        row: (p,) the ranking that a relevant item belongs to, ascending, every row at least once.
        above: (p,) candidates of that row with a higher score.
        tied: (p,) candidates with the same score, the relevant item itself included.
        candidates: (n,) how many items were ranked in each row.

    Raises:
        ValueError: the rows are not sorted, or one of them has no relevant item.

    Example:
        Two rankings of three items; in the second the relevant item ties with another.

        >>> ranks = Ranks.of([[3.0, 2.0, 1.0], [1.0, 1.0, 0.0]], row=[0, 1], item=[1, 0])
        >>> ranks.above, ranks.tied
        (array([1, 0]), array([1, 2]))
    """

    row: np.ndarray
    above: np.ndarray
    tied: np.ndarray
    candidates: np.ndarray

    def __post_init__(self) -> None:
        if (np.diff(self.row) < 0).any():
            raise ValueError("The rows of relevant items are not in ascending order; sort them.")
        empty = np.flatnonzero(self.positives == 0)
        if len(empty):
            raise ValueError(
                f"Row {empty[0]} has no relevant item; expected at least one in each of "
                f"{len(self.candidates)} rows. Leave such rows out."
            )

    @property
    def positives(self) -> np.ndarray:
        """(n,) how many relevant items each row has."""
        return np.bincount(self.row, minlength=len(self.candidates))

    @classmethod
    def of(cls, scores: np.ndarray, row: np.ndarray, item: np.ndarray) -> Self:
        """Rank by counting: no sorting, each relevant item is compared with its row once.

        Args:
            scores: (n, m) a score for each candidate; NaN marks what is not a candidate.
            row: (p,) rows of the relevant items, ascending.
            item: (p,) their columns.

        Raises:
            ValueError: a relevant item is not a candidate, or a row has none.
        """
        scores, row, item = np.asarray(scores), np.asarray(row), np.asarray(item)
        own = scores[row, item]
        if np.isnan(own).any():
            where = np.flatnonzero(np.isnan(own))[0]
            raise ValueError(
                f"Item {item[where]} is relevant in row {row[where]} but has no score; expected a "
                "number for every relevant item."
            )
        above, tied = (np.empty(len(row), np.int64) for _ in range(2))
        for start in range(0, len(row), step := max(1, BLOCK // max(1, scores.shape[1]))):
            part = slice(start, start + step)
            ranking, threshold = scores[row[part]], own[part, None]
            above[part] = np.count_nonzero(ranking > threshold, axis=1)
            tied[part] = np.count_nonzero(ranking == threshold, axis=1)
        candidates = scores.shape[1] - np.count_nonzero(np.isnan(scores), axis=1)
        return cls(row, above, tied, candidates)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """(n,) the sum over each row of (p,) ``values`` of its relevant items."""
        return np.bincount(self.row, values, minlength=len(self.candidates))
