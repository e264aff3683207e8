"""A first-order Markov chain: what is taken next, given what was taken last."""

from typing import Self

import numpy as np
from scipy import sparse

from rsutils.data.interactions import Interactions
from rsutils.models.base import Recommender
from rsutils.models.checks import check_counts, check_positive, check_range
from rsutils.models.popularity import item_counts


class MarkovChain(Recommender):
    """Scores the next item by transitions from the user's last items, the latest first.

    P(j | i) = (c_ij + smoothing * p_j) / (c_i + smoothing), where c_ij users went from i straight
    to j and p is popularity. A user's scores are the mean of P(j | i) over the last ``length``
    items, weighted 1, decay, decay², ... backwards in time: they sum to one. A user without a
    history gets p. (Rendle et al. 2010, "Factorizing personalized Markov chains", section 4.1, is
    the chain without smoothing.)

    Args:
        length: how many of the last items count.
        decay: weight of an item relative to the one after it, 0 to 1.
        smoothing: how many imagined transitions by popularity each item has.

    Attributes:
        last_: (n_users, n_items) csr, recency weights of each user's last items.
        transitions_: (n_items, n_items) csr, c_ij / (c_i + smoothing).
        popularity_: (n_items,) float32, sums to one.
        to_popularity_: (n_items,) float32, the share of P(j | i) that p has for each i.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> log = Interactions.of(user=[0, 0, 1, 1, 2], item=[0, 1, 0, 1, 0])
        >>> MarkovChain().fit(log).recommend([2], k=1, exclude=log)
        array([[1]], dtype=int32)
    """

    def __init__(self, length: int = 10, decay: float = 0.8, smoothing: float = 10.0) -> None:
        check_counts(length=length)
        check_range(0, 1, decay=decay)
        check_positive(smoothing=smoothing)
        self.length = length
        self.decay = decay
        self.smoothing = smoothing

    def fit(self, interactions: Interactions) -> Self:
        """Count transitions in each user's order of time; equal times keep the table's order."""
        self._start_fit(interactions)
        log = interactions.chronological()
        shape = (log.n_items, log.n_items)
        same_user = log.user[1:] == log.user[:-1]
        pairs = (log.item[:-1][same_user], log.item[1:][same_user])
        counts = sparse.csr_matrix((np.ones(same_user.sum(), np.float32), pairs), shape=shape)
        total = np.asarray(counts.sum(axis=1), np.float32).ravel() + np.float32(self.smoothing)
        self.transitions_ = sparse.csr_matrix(sparse.diags_array(1 / total) @ counts)
        self.popularity_ = item_counts(log) / np.float32(len(log))
        self.last_ = self._last_items(log)
        self.to_popularity_ = np.float32(self.smoothing) / total
        return self

    def scores(self, users: np.ndarray) -> np.ndarray:
        """P(next item | last items): (len(users), n_items) float32; every row sums to one."""
        users = self._known_users(users)
        last = self.last_[users]
        smooth = last @ self.to_popularity_
        smooth[np.diff(last.indptr) == 0] = 1.0
        scores = (last @ self.transitions_).toarray()
        scores += smooth[:, None] * self.popularity_
        return scores

    def _last_items(self, log: Interactions) -> sparse.csr_matrix:
        """Recency weights, summing to one for each user of a chronological log."""
        ends = np.cumsum(np.bincount(log.user, minlength=log.n_users))
        age = ends[log.user] - 1 - np.arange(len(log))
        kept = age < self.length
        weight = np.float32(self.decay) ** age[kept].astype(np.float32)
        norm = np.bincount(log.user[kept], weight, minlength=log.n_users)
        weight = (weight / norm[log.user[kept]]).astype(np.float32)
        return sparse.csr_matrix(
            (weight, (log.user[kept], log.item[kept])), shape=(log.n_users, log.n_items)
        )
