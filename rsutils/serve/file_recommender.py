"""An exported file as a recommender, so that what is judged is the file itself."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

import numpy as np
from scipy import sparse

from rsutils.data.interactions import Interactions
from rsutils.models.base import Recommender
from rsutils.models.pairs import scores_of_pairs

USERS = 256
"""Users that are scored at a time."""


class FileScorer(Protocol):
    """Runs a file: ``OnnxScorer``, ``LiteRTRunner`` and ``SavedModelScorer`` are such."""

    inputs: Mapping[str, tuple[Any, ...]]

    def __call__(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """The output for one batch, from an array for each input, by name."""


class FileRecommender(Recommender):
    """Scores by the file of a ``scoring_model``, in the form in which recommenders are judged.

    What is asked of the file follows from the names of its inputs: ``user``, ``history``,
    ``user`` and ``history``, ``item`` with the latest items of a user, ``user`` and ``item`` for a
    pair, or ``features``.

    Args:
        scorer: runs the file.
        n_users: users are numbered from 0 to below this.
        n_items: items are numbered from 0 to below this.
        history: (n_users, n_items) csr matrix of what users took, for a file that reads histories.
            One that reads the latest items takes each row in the order in which it is stored.
        features: (n_users, n) and (n_items, m) int32 ids, for a file that reads ``features``.
        popularity: (n_items,) scores of the users who are ``cold``.
        cold: (n_users,) bool, whom the file does not score.

    Raises:
        ValueError: the file reads something else, or what it reads is missing or of another shape.

    Example:
        >>> class Sums:
        ...     inputs = {"user": ("batch",), "item": ("batch",)}
        ...     def __call__(self, inputs):
        ...         return (10.0 * inputs["user"] + inputs["item"])[:, None]
        >>> FileRecommender(Sums(), n_users=5, n_items=3).scores([2, 1])
        array([[20., 21., 22.],
               [10., 11., 12.]], dtype=float32)
    """

    def __init__(
        self,
        scorer: FileScorer,
        n_users: int,
        n_items: int,
        history: sparse.csr_matrix | None = None,
        features: tuple[np.ndarray, np.ndarray] | None = None,
        popularity: np.ndarray | None = None,
        cold: np.ndarray | None = None,
    ) -> None:
        self.scorer = scorer
        self.n_users_, self.n_items_ = n_users, n_items
        self.history, self.features = history, features
        self.popularity, self.cold = popularity, cold
        self._kind = _kind_of(scorer.inputs)
        self._check()

    def fit(self, interactions: Interactions) -> Self:
        """Raise: a file does not learn.

        Raises:
            TypeError: always.
        """
        raise TypeError("An exported file does not learn; fit the model and export it again.")

    def scores(self, users: np.ndarray) -> np.ndarray:
        """What the file gives: (len(users), n_items) float32, popularity for cold users."""
        users = self._known_users(users)
        if self._kind in ("pairs", "features"):
            pair = self._of_pairs if self._kind == "pairs" else self._of_features
            scores = scores_of_pairs(users, self.n_items_, pair)
        else:
            scores = self._of_users(users)
        if self.cold is not None:
            scores[self.cold[users]] = self.popularity
        return scores

    def _of_pairs(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        return self.scorer({"user": user, "item": item})

    def _of_features(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        sides = [self.features[0][user], self.features[1][item]]
        return self.scorer({"features": np.concatenate(sides, axis=1)})

    def _of_users(self, users: np.ndarray) -> np.ndarray:
        scores = np.empty((len(users), self.n_items_), np.float32)
        for start in range(0, len(users), USERS):
            # The last block overlaps the one before: runtimes prepare for one size, not for two.
            start = max(0, min(start, len(users) - USERS))
            block = users[start : start + USERS]
            found = self.scorer(self._inputs(block))
            if found.shape != (len(block), self.n_items_):
                raise ValueError(
                    f"The file gives the shape {found.shape} for {len(block)} users; expected a "
                    f"score for each of {self.n_items_} items."
                )
            scores[start : start + len(block)] = found
        return scores

    def _inputs(self, users: np.ndarray) -> dict[str, np.ndarray]:
        makers: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "user": lambda users: users.astype(np.int32),
            "history": lambda users: self.history[users].toarray(),
            "item": self._latest,
        }
        return {name: makers[name](users) for name in self.scorer.inputs}

    def _latest(self, users: np.ndarray) -> np.ndarray:
        """The latest items in order, counted from 1, 0 behind them: (len(users), width) int32."""
        width = self.scorer.inputs["item"][1]
        stop = self.history.indptr[users + 1]
        first = np.maximum(stop - width, self.history.indptr[users])
        at = first[:, None] + np.arange(width)
        taken = self.history.indices
        if not len(taken):
            return np.zeros(at.shape, np.int32)
        found = taken[np.minimum(at, len(taken) - 1)] + 1
        return np.where(at < stop[:, None], found, 0).astype(np.int32)

    def _check(self) -> None:
        """Refuse what does not fit the file or the sizes."""
        needs_history = self._kind in ("history", "user and history", "latest items")
        for name, value, needed in (
            ("history", self.history, needs_history),
            ("features", self.features, self._kind == "features"),
        ):
            if needed and value is None:
                read = ", ".join(self.scorer.inputs)
                raise ValueError(f"The file reads {read}, and {name} is None; hand it in.")
        if (self.cold is None) != (self.popularity is None):
            raise ValueError("One of popularity and cold is None; expected both or neither.")
        user, item = (None, None) if self.features is None else self.features
        sizes = self.n_users_, self.n_items_
        for name, value, shape in (
            ("history", self.history, sizes),
            ("features of users", user, sizes[:1]),
            ("features of items", item, sizes[1:]),
            ("popularity", self.popularity, sizes[1:]),
            ("cold", self.cold, sizes[:1]),
        ):
            if value is not None and value.shape[: len(shape)] != shape:
                raise ValueError(f"{name} has the shape {value.shape}; expected {shape} first.")


def _kind_of(inputs: Mapping[str, tuple[Any, ...]]) -> str:
    names = tuple(sorted(inputs))
    if names == ("item",) and len(inputs["item"]) == 2:
        return "latest items"
    known = {
        ("user",): "user",
        ("history",): "history",
        ("history", "user"): "user and history",
        ("item", "user"): "pairs",
        ("features",): "features",
    }
    if names not in known:
        raise ValueError(
            f"The file reads {', '.join(f'{name} {inputs[name]}' for name in names)}; expected "
            "what a scoring_model reads, such as user, or user and item."
        )
    return known[names]
