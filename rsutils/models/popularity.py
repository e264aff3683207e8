"""The honest baseline: everybody gets what most people took."""

from typing import Self

import numpy as np

from rsutils.data.interactions import Interactions
from rsutils.models.base import Recommender


class Popularity(Recommender):
    """Scores an item by how many interactions it has, the same for every user.

    Attributes:
        popularity_: (n_items,) float32, interactions of each item.

    Example:
        >>> log = Interactions.of(user=[0, 1, 1], item=[2, 2, 0])
        >>> Popularity().fit(log).scores([0])
        array([[1., 0., 2.]], dtype=float32)
    """

    def fit(self, interactions: Interactions) -> Self:
        """Count each item's interactions."""
        self._start_fit(interactions)
        self.popularity_ = item_counts(interactions)
        return self

    def scores(self, users: np.ndarray) -> np.ndarray:
        """The counts, once for each of ``users``: (len(users), n_items) float32."""
        users = self._known_users(users)
        return np.tile(self.popularity_, (len(users), 1))


def item_counts(interactions: Interactions) -> np.ndarray:
    """Interactions of each item: (n_items,) float32."""
    counts = np.bincount(interactions.item, minlength=interactions.n_items)
    return counts.astype(np.float32)
