"""Retrieval, then ranking: what both stages make of a batch of histories."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rsutils.models.base import NOTHING, top_k
from rsutils.serve.ranking.features import RankingFeatures
from rsutils.serve.ranking.signals import Histories, Signals
from rsutils.serve.retrieval import ItemIndex, LiveIndex, Version

Scorer = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""From ``{"features": (n, n_fields)}`` to (n, 1) logits, as ``OnnxScorer`` does."""
INPUT = "features"


@dataclass(frozen=True)
class Ranked:
    """What a batch got.

    Attributes:
        items: (n, k) int32, best first, -1 where fewer were left.
        scores: (n, k) float32 logits of the ranker; minus infinity where there is no item.
        stages: milliseconds by stage, of the whole batch.
    """

    items: np.ndarray
    scores: np.ndarray
    stages: Mapping[str, float] = field(default_factory=dict)


class TwoStage:
    """Proposes candidates by an index over factors, and orders them by a ranker.

    Args:
        signals: what places histories and describes candidates.
        index: over ``signals.item_factors``; ``rebuild_index`` puts another in its place.
        features: rows for the ranker.
        rankers: by variant.
        candidates: proposed for each history, at least as many as are asked for.

    Attributes:
        live: the index of the moment and its version; one that takes its place has to find the
            candidates.

    Raises:
        ValueError: the index is over another number of items, or there is no ranker.
    """

    def __init__(
        self,
        signals: Signals,
        index: ItemIndex,
        features: RankingFeatures,
        rankers: Mapping[str, Scorer],
        candidates: int = 200,
    ) -> None:
        if index.n_items != signals.n_items or not rankers:
            raise ValueError(
                f"The index has {index.n_items} items, the signals {signals.n_items}, and there "
                f"are {len(rankers)} rankers; expected the same items and at least one ranker."
            )
        self.signals, self.features = signals, features
        self.rankers, self.candidates = dict(rankers), candidates
        self.live = LiveIndex(index, k=candidates)

    @property
    def index(self) -> ItemIndex:
        """What is searched at the moment."""
        return self.live.current.index

    def rebuild_index(
        self, histories: Histories, kind: str | None = None, **settings: Any
    ) -> Version:
        """Let another index over the same factors take over, after it was checked.

        Args:
            histories: real ones, whose candidates it must find; empty ones are left out.
            kind: see ``build_index``; None for that of the current index.
            **settings: in place of those of the current index where the kind stays.

        Returns:
            The new version.

        Raises:
            ValueError: the kind or a setting cannot be used; the current index goes on.
            RebuildError: the new index finds too little; the current index goes on.
        """
        taken = [np.unique(history) for history in histories if len(history)]
        queries = self.signals.fold_in(taken) if taken else None
        return self.live.rebuild(self.signals.item_factors, kind, queries, **settings)

    def rank(
        self,
        users: Sequence[int],
        histories: Histories,
        k: int,
        variant: str,
        blocked: Histories | None = None,
        allowed: np.ndarray | None = None,
        index: ItemIndex | None = None,
    ) -> Ranked:
        """The k best items for each history.

        Args:
            users: numbers, or ``UNKNOWN_USER``.
            histories: item numbers, oldest first; none of their items is recommended.
            k: how many.
            variant: of the ranker.
            blocked: for each history, further items that are not recommended.
            allowed: (n_items,) bool, items that may be; None for all.
            index: of the version that the caller took; None for that of the moment.
        """
        index = self.index if index is None else index
        begun = time.perf_counter()
        taken = [np.unique(history) for history in histories]
        hidden = taken if blocked is None else [*map(np.union1d, taken, blocked)]
        factors = self.signals.fold_in(taken)
        n = min(max(self.candidates, k), self.signals.n_items)
        items, _ = index.search(factors, n, allowed=allowed, blocked=hidden)
        retrieved = time.perf_counter()
        # Places without an item are described as item 0 and never chosen.
        there = items != NOTHING
        known = np.where(there, items, 0)
        signals = self.signals.describe(histories, factors, known)
        signals[~there] = -np.inf
        rows = self.features.rows(np.asarray(users), histories, known, signals)
        scores = self.rankers[variant]({INPUT: rows.reshape(-1, rows.shape[2])})
        scores = np.where(there, scores.reshape(items.shape), -np.inf).astype(np.float32)
        order = top_k(scores, k)
        chosen = np.where(order == NOTHING, 0, order)
        done = time.perf_counter()
        return Ranked(
            np.where(order == NOTHING, NOTHING, np.take_along_axis(items, chosen, axis=1)),
            np.where(order == NOTHING, -np.inf, np.take_along_axis(scores, chosen, axis=1)),
            {"retrieval": 1e3 * (retrieved - begun), "ranking": 1e3 * (done - retrieved)},
        )

    def why(self, history: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Which place of ``history`` speaks most for each of ``items``: (len(items),).

        Shares of the score by factors and of the transitions count alike.
        """
        history = np.asarray(history, np.intp)
        by_factors = self.signals.fold_in.contributions(history, items)
        by_transitions = self.signals.transitions.contributions(history, items)
        shares = np.zeros(by_factors.shape)
        for given in (by_factors, by_transitions):
            positive = np.maximum(given, 0)
            shares += positive / np.maximum(positive.sum(axis=1, keepdims=True), 1e-12)
        return shares.argmax(axis=1)
