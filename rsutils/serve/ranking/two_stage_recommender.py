"""Two stages behind the protocol of all recommenders, so that they are measured like one model."""

from typing import Self

import numpy as np

from rsutils.data.interactions import Interactions
from rsutils.models.base import NOTHING, Recommender
from rsutils.serve.ranking.examples import exact_candidates, histories_of
from rsutils.serve.ranking.two_stage import TwoStage

USERS = 256
"""Histories that are ranked at a time."""


class TwoStageRecommender(Recommender):
    """Scores by place in the list that two stages give; what is not in it comes last.

    Args:
        stages: retrieval and ranking.
        log: what is known of the users; its items are never in a list.
        variant: of the ranker, or None for the order of retrieval alone.
    """

    def __init__(self, stages: TwoStage, log: Interactions, variant: str | None) -> None:
        self.stages, self.variant = stages, variant
        self.histories = histories_of(log)
        self.n_users_, self.n_items_ = log.n_users, log.n_items
        self._popularity = stages.signals.popularity

    def fit(self, interactions: Interactions) -> Self:
        """Both stages are fitted apart, before.

        Raises:
            TypeError: always.
        """
        raise TypeError("Two stages are fitted one after the other; see build_system.")

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Minus the place in the list: (len(users), n_items) float32.

        Items that are not in the list share one score below all of these. A user without a history
        gets popularity.
        """
        users = self._known_users(users)
        scores = np.full((len(users), self.n_items_), -np.float32(self.n_items_), np.float32)
        for start in range(0, len(users), USERS):
            self._place(users[start : start + USERS], scores[start : start + USERS])
        return scores

    def _place(self, users: np.ndarray, scores: np.ndarray) -> None:
        histories = [self.histories[user] for user in users]
        warm = np.array([len(history) > 0 for history in histories], bool)
        scores[~warm] = self._popularity
        rows = np.flatnonzero(warm)
        if not len(rows):
            return
        kept = [histories[row] for row in rows]
        n = min(self.stages.candidates, self.n_items_)
        if self.variant is None:
            factors = self.stages.signals.fold_in([np.unique(history) for history in kept])
            items = exact_candidates(self.stages.signals, factors, kept, n)
        else:
            items = self.stages.rank([*users[rows]], kept, n, self.variant).items
        for row, listed in zip(rows, items, strict=True):
            there = listed[listed != NOTHING]
            scores[row, there] = -np.arange(len(there), dtype=np.float32)
