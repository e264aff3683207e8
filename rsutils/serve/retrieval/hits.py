"""The candidates of an exact search, kept for many queries at once."""

import numpy as np

from rsutils.serve.retrieval.base import norms_of

SMALLEST = np.finfo(np.float32).min
UNDERFLOW = 1e-36
"""What products too small for float32 may add up to."""


class Hits:
    """What was scored so far, for queries that are still looking and for those that are done.

    BLAS sums in an order that depends on the shape of a block, so equal vectors may differ in the
    last bits. All that is within the error of such a sum of the k-th best score is therefore kept,
    and the end decides by float64. Queries are scaled to a norm of 1 for the scan, which then works
    for long and short ones alike.

    Args:
        queries: (n, d) float32, none of them all zeros.
        k: how many are wanted.
        longest: the largest norm of an item.
        blocked: query and place of every pair that must not be found, by place; None for none.

    Attributes:
        active: positions of the queries that are still looking.
    """

    def __init__(
        self,
        queries: np.ndarray,
        k: int,
        longest: float,
        blocked: tuple[np.ndarray, np.ndarray] | None,
    ) -> None:
        self.queries, self.k, self.blocked = queries, k, blocked
        self.units = (queries / norms_of(queries)[:, None]).astype(np.float32)
        d = queries.shape[1]
        # The error of a sum of d products (Higham 2002, section 3.1) and of the scaling, on both
        # sides of a comparison.
        self.margin = 2 * (d + 2) * float(np.finfo(np.float32).eps) * longest + d * UNDERFLOW
        self.active = np.arange(len(queries))
        self.top = np.full((len(queries), k), -np.inf, np.float32)
        self.found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    @property
    def limit(self) -> np.ndarray:
        """The score below which nothing can be among the k best any more."""
        return self._limit(self.top[self.active, 0])

    def add(self, rows: np.ndarray, start: int) -> None:
        """Score a block for all that still look.

        Args:
            rows: (m, d) float32.
            start: the place of its first row in the scan.
        """
        all_look = len(self.active) == len(self.units)
        asking = self.units if all_look else self.units[self.active]
        scores = (rows @ asking[0])[None] if len(asking) == 1 else asking @ rows.T
        self._leave_out_blocked(scores, start)
        if not self.found and scores.shape[1] > self.k:
            self._raise(np.partition(scores, -self.k, axis=1)[:, -self.k :])
        hit, place = np.nonzero(scores >= self.limit[:, None])
        self.found.append((self.active[hit], place + start, scores[hit, place]))
        if len(self.found) > 1 or scores.shape[1] <= self.k:
            self._merge(hit, scores[hit, place])

    def finish(self, longest: float) -> None:
        """Let those go that cannot find better among items of at most this norm."""
        self.active = self.active[self.limit <= longest]

    def best(
        self, rows: np.ndarray, order: np.ndarray, chosen: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ids and scores of the k best: (n, k) int32 and float32.

        Args:
            rows: all rows of the index.
            order: the item of each row.
            chosen: the row at each place of the scan; None where places are rows.
        """
        n, k = self.top.shape
        ids, scores = np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32)
        if not self.found:
            return ids, scores
        query, place, score = (np.concatenate(each) for each in zip(*self.found, strict=True))
        kept = score >= self._limit(self.top[:, 0])[query]
        query, place = query[kept], place[kept]
        row = place if chosen is None else chosen[place]
        left, right = self.queries[query].astype(np.float64), rows[row].astype(np.float64)
        score, item = np.einsum("nd,nd->n", left, right), order[row]
        by = np.lexsort((item, -score, query))
        query, item, score = query[by], item[by], score[by]
        rank = np.arange(len(query)) - np.searchsorted(query, query)
        first = rank < k
        ids[query[first], rank[first]] = item[first]
        scores[query[first], rank[first]] = score[first]
        return ids, scores

    def _limit(self, worst: np.ndarray) -> np.ndarray:
        return np.maximum(worst - np.float32(self.margin), SMALLEST)

    def _leave_out_blocked(self, scores: np.ndarray, start: int) -> None:
        if self.blocked is None:
            return
        query, place = self.blocked
        low, high = np.searchsorted(place, (start, start + scores.shape[1]))
        at = np.searchsorted(self.active, query[low:high])
        at[at == len(self.active)] = 0
        looks = self.active[at] == query[low:high]
        scores[at[looks], place[low:high][looks] - start] = -np.inf

    def _merge(self, hit: np.ndarray, scores: np.ndarray) -> None:
        """Take the scores of some queries into their k best."""
        if not len(hit):
            return
        rank = np.arange(len(hit)) - np.searchsorted(hit, hit)
        padded = np.full((len(self.active), rank.max() + 1), -np.inf, np.float32)
        padded[hit, rank] = scores
        both = np.concatenate([self.top[self.active], padded], axis=1)
        self._raise(np.partition(both, -self.k, axis=1)[:, -self.k :])

    def _raise(self, top: np.ndarray) -> None:
        self.top[self.active] = top
