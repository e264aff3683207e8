"""What three simple models say of candidates: factors, transitions, popularity."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from scipy import sparse

from rsutils.data.interactions import Interactions
from rsutils.models.als import IALS
from rsutils.models.fold_in import FoldIn
from rsutils.models.markov import MarkovChain

Histories = Sequence[np.ndarray]
"""Item numbers of each user, oldest first."""
SETTINGS = ("l2", "unobserved_weight", "frequency_scaling")
ARRAYS = ("indptr", "indices", "data")


class Transitions:
    """How likely an item comes next, by a ``MarkovChain``, for histories that are given.

    Args:
        matrix: (n_items, n_items) csr, ``transitions_`` of the chain.
        popularity: (n_items,) float32, ``popularity_``.
        to_popularity: (n_items,) float32, ``to_popularity_``.
        length: how many of the last items count.
        decay: weight of an item relative to the one after it.
    """

    def __init__(
        self,
        matrix: sparse.csr_matrix,
        popularity: np.ndarray,
        to_popularity: np.ndarray,
        length: int,
        decay: float,
    ) -> None:
        self.matrix, self.popularity, self.to_popularity = matrix, popularity, to_popularity
        self.length, self.decay = length, decay
        self.matrix.sort_indices()

    @classmethod
    def of(cls, chain: MarkovChain) -> Self:
        """Those of a fitted chain."""
        return cls(
            chain.transitions_,
            chain.popularity_,
            chain.to_popularity_,
            chain.length,
            chain.decay,
        )

    def probabilities(self, history: np.ndarray, items: np.ndarray) -> np.ndarray:
        """P(next is each of ``items``), given ``history``: (len(items),) float32."""
        last, weights = self.recent(history)
        if not len(last):
            return self.popularity[items]
        return weights @ self._of_each(last, items) + (
            weights @ self.to_popularity[last] * self.popularity[items]
        )

    def contributions(self, history: np.ndarray, items: np.ndarray) -> np.ndarray:
        """What transitions from each item of ``history`` give: (len(items), len(history))."""
        given = np.zeros((len(items), len(history)), np.float32)
        last, weights = self.recent(history)
        if len(last):
            given[:, -len(last) :] = (weights[:, None] * self._of_each(last, items)).T
        return given

    def recent(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The last items, oldest first, and their weights, which sum to one."""
        last = np.asarray(history[-self.length :], np.intp)
        weights = np.float32(self.decay) ** np.arange(len(last) - 1, -1, -1, dtype=np.float32)
        return last, weights / max(weights.sum(), np.float32(1e-12))

    def _of_each(self, last: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Shares of transitions without popularity: (len(last), len(items)) float32."""
        found = np.zeros((len(last), len(items)), np.float32)
        matrix = self.matrix
        for row, item in enumerate(last):
            start, stop = matrix.indptr[item], matrix.indptr[item + 1]
            if start < stop:
                known = matrix.indices[start:stop]
                place = np.minimum(np.searchsorted(known, items), stop - start - 1)
                hit = known[place] == items
                found[row, hit] = matrix.data[start:stop][place[hit]]
        return found


class Signals:
    """The models that propose candidates and describe them.

    Args:
        fold_in: places histories among item factors.
        transitions: what comes next.

    Attributes:
        item_factors: (n_items, d) float32.
        popularity: (n_items,) float32, sums to one.
        n_items: how many items there are.
    """

    def __init__(self, fold_in: FoldIn, transitions: Transitions) -> None:
        self.fold_in, self.transitions = fold_in, transitions
        self.item_factors = fold_in.item_factors
        self.popularity = transitions.popularity
        self.n_items = len(self.popularity)

    @classmethod
    def fit(cls, log: Interactions, factors: IALS, chain: MarkovChain) -> Self:
        """Fit both models on ``log``.

        Raises:
            ValueError: ``log`` is empty.
        """
        return cls(FoldIn.of(factors.fit(log)), Transitions.of(chain.fit(log)))

    def describe(self, histories: Histories, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Score by factors, and probability to come next, of candidates: (n, c, 2) float32.

        Args:
            histories: n of them.
            users: (n, d) their factors, from ``fold_in``.
            items: (n, c) candidates.
        """
        by_factors = np.matmul(self.item_factors[items], users[:, :, None])[:, :, 0]
        next_up = np.array(
            [
                self.transitions.probabilities(history, row)
                for history, row in zip(histories, items, strict=True)
            ],
            np.float32,
        ).reshape(items.shape)
        return np.stack([by_factors, next_up], axis=2)

    def save(self, folder: Path) -> None:
        """Write plain arrays into ``folder``, which exists."""
        np.save(folder / "item_factors.npy", self.item_factors)
        for name in ARRAYS:
            np.save(folder / f"transitions_{name}.npy", getattr(self.transitions.matrix, name))
        np.save(folder / "popularity.npy", self.popularity)
        np.save(folder / "to_popularity.npy", self.transitions.to_popularity)

    def settings(self) -> dict[str, float]:
        """What ``load`` needs beside the arrays."""
        return {name: getattr(self.fold_in, name) for name in SETTINGS} | {
            "length": self.transitions.length,
            "decay": self.transitions.decay,
        }

    @classmethod
    def load(cls, folder: Path, settings: dict[str, float]) -> Self:
        """What ``save`` wrote, mapped from disk."""

        def read(name: str) -> np.ndarray:
            return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)

        popularity = np.asarray(read("popularity"))
        matrix = sparse.csr_matrix(
            tuple(read(f"transitions_{name}") for name in ("data", "indices", "indptr")),
            shape=(len(popularity), len(popularity)),
        )
        return cls(
            FoldIn(read("item_factors"), **{name: settings[name] for name in SETTINGS}),
            Transitions(
                matrix,
                popularity,
                np.asarray(read("to_popularity")),
                int(settings["length"]),
                settings["decay"],
            ),
        )
