"""Candidates as rows of feature ids; training and service make them by the same code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from rsutils.models.fields.side import SideTable
from rsutils.serve.ranking.signals import Histories

UNKNOWN_USER = -1
"""Stands for somebody of whom only the history is known."""


class RankingFeatures:
    """What the ranker is told of each candidate, as ids of one table.

    A row has the user's attributes, the ``recent`` last items, the candidate's own id and
    attributes, and in which bucket it stands by popularity, by factors and by transitions. Buckets
    are of ranks among the candidates and not of scores: a score's scale moves when a model is
    fitted anew, a rank means the same. The user's own id is left out, so that somebody new is
    described like everybody else.

    Args:
        item_rows: (n_items, m) int32, own id and attributes.
        user_rows: (n_users + 1, n) int32, attributes; the last row is of nobody known.
        popularity_bucket: (n_items,) int32 feature ids.
        edges: ranks at which buckets begin, ascending.
        first_bucket: feature id of the first bucket by factors; those by transitions follow.
        no_item: feature id where a history has fewer than ``recent`` items.
        recent: how many of the last items are told.

    Attributes:
        n_features: how many ids there are.
        n_fields: ids in a row.
    """

    def __init__(
        self,
        item_rows: np.ndarray,
        user_rows: np.ndarray,
        popularity_bucket: np.ndarray,
        edges: np.ndarray,
        first_bucket: int,
        no_item: int,
        recent: int,
    ) -> None:
        self.item_rows, self.user_rows = item_rows, user_rows
        self.popularity_bucket, self.edges = popularity_bucket, edges
        self.first_bucket, self.no_item, self.recent = first_bucket, no_item, recent
        self.n_features = first_bucket + 2 * (len(edges) + 1)
        self.n_fields = item_rows.shape[1] + user_rows.shape[1] + recent + 3

    @classmethod
    def of(
        cls,
        items: pd.DataFrame | None,
        users: pd.DataFrame | None,
        popularity: np.ndarray,
        n_users: int,
        recent: int = 3,
        candidates: int = 200,
        buckets: int = 14,
    ) -> Self:
        """Number the features.

        Args:
            items: columns of attributes, row i describes item i, or None.
            users: columns of attributes, row u describes user u, or None.
            popularity: (n_items,).
            n_users: how many users there are.
            recent: how many of the last items are told.
            candidates: the most that are ranked at a time.
            buckets: of a rank, about; their widths grow.

        Raises:
            ValueError: ``items`` or ``users`` do not have a row for each.
        """
        n_items = len(popularity)
        item_side = SideTable("items", items, n_items, offset=0)
        nobody = None if users is None else pd.concat([users, users.iloc[:1].map(lambda _: None)])
        user_side = SideTable("users", nobody, n_users + 1, offset=item_side.n_features)
        no_item = item_side.n_features + user_side.n_features
        edges = np.unique(np.geomspace(1, max(candidates, n_items), buckets).astype(np.int64))
        rank = np.empty(n_items, np.int64)
        rank[np.argsort(-popularity, kind="stable")] = np.arange(n_items)
        first = no_item + 1
        return cls(
            item_side.features,
            user_side.features[:, 1:],
            (first + np.searchsorted(edges, rank, side="right")).astype(np.int32),
            edges,
            first + len(edges) + 1,
            no_item,
            recent,
        )

    def rows(
        self, users: np.ndarray, histories: Histories, items: np.ndarray, signals: np.ndarray
    ) -> np.ndarray:
        """The features of candidates: (n, c, n_fields) int32.

        Args:
            users: (n,) numbers, or ``UNKNOWN_USER``.
            histories: n of them.
            items: (n, c) candidates.
            signals: (n, c, 2), from ``Signals.describe``.
        """
        ranks = np.argsort(np.argsort(-signals, axis=1, kind="stable"), axis=1, kind="stable")
        return self.rows_at(users, histories, items, ranks)

    def rows_at(
        self, users: np.ndarray, histories: Histories, items: np.ndarray, ranks: np.ndarray
    ) -> np.ndarray:
        """As ``rows``, for candidates whose (n, c, 2) ranks, from 0, are known."""
        n, c = items.shape
        made = np.empty((n, c, self.n_fields), np.int32)
        m, w = self.item_rows.shape[1], self.user_rows.shape[1]
        made[:, :, :m] = self.item_rows[items]
        made[:, :, m : m + w] = self.user_rows[users][:, None]
        made[:, :, m + w : m + w + self.recent] = self._last(histories)[:, None]
        made[:, :, -3] = self.popularity_bucket[items]
        bucket = np.searchsorted(self.edges, ranks, side="right")
        made[:, :, -2] = self.first_bucket + bucket[:, :, 0]
        made[:, :, -1] = self.first_bucket + len(self.edges) + 1 + bucket[:, :, 1]
        return made

    def _last(self, histories: Histories) -> np.ndarray:
        """The features of the last items, the latest first: (n, recent)."""
        last = np.full((len(histories), self.recent), self.no_item, np.int32)
        for row, history in enumerate(histories):
            items = np.asarray(history[-self.recent :], np.intp)[::-1] if self.recent else ()
            last[row, : len(items)] = self.item_rows[items, 0] if len(items) else ()
        return last

    def save(self, folder: Path) -> dict[str, int]:
        """Write arrays into ``folder``, which exists; returns what ``load`` needs beside them."""
        for name in ("item_rows", "user_rows", "popularity_bucket", "edges"):
            np.save(folder / f"{name}.npy", getattr(self, name))
        return {name: getattr(self, name) for name in ("first_bucket", "no_item", "recent")}

    @classmethod
    def load(cls, folder: Path, settings: dict[str, int]) -> Self:
        """What ``save`` wrote, mapped from disk."""
        arrays: Sequence[np.ndarray] = [
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("item_rows", "user_rows", "popularity_bucket", "edges")
        ]
        return cls(*arrays, **settings)
