"""The factor of a user from what they took, with item factors that were learnt before."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from rsutils.models.als import IALS
from rsutils.models.als_solver import newton_blocks
from rsutils.models.checks import check_positive, check_range


class FoldIn:
    """Places a history among the item factors of iALS, as a half-epoch of its training would.

    Minimises, over u, the sum over the history of (1 - <u, v>)², plus unobserved_weight times the
    sum over all items of <u, v>², plus l2 (n + unobserved_weight n_items)^frequency_scaling ||u||²
    for a history of n items. So u = A⁻¹ (v_1 + ... + v_n) with one matrix A for each history, and
    an item's score <u, v> is a sum over the history, which is an explanation (Hu, Koren and
    Volinsky 2008, section 5).

    Args:
        item_factors: (n_items, d) float32.
        l2: as the factors were learnt with, like the next two.
        unobserved_weight: weight of a pair that was not seen.
        frequency_scaling: how the regularisation grows with the history.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> from rsutils.data.interactions import Interactions
        >>> log = Interactions.of(user=[0, 0, 1, 1, 2, 2], item=[0, 1, 0, 1, 2, 3])
        >>> model = IALS(dimensions=2, l2=0.01, progress=False).fit(log)
        >>> fold_in = FoldIn.of(model)
        >>> user = fold_in([[2]])  # somebody new, who took item 2
        >>> int(np.argmax(user @ model.item_factors_[[0, 1, 3]].T))
        2
    """

    def __init__(
        self,
        item_factors: np.ndarray,
        l2: float,
        unobserved_weight: float,
        frequency_scaling: float,
    ) -> None:
        if np.ndim(item_factors) != 2 or not np.size(item_factors):
            raise ValueError(
                f"item_factors has shape {np.shape(item_factors)}; expected (n_items, d), not "
                "empty."
            )
        check_positive(l2=l2, unobserved_weight=unobserved_weight)
        check_range(0, 1, frequency_scaling=frequency_scaling)
        self.item_factors = np.asarray(item_factors, np.float32)
        self.l2 = l2
        self.unobserved_weight = unobserved_weight
        self.frequency_scaling = frequency_scaling
        self._gram = np.float32(unobserved_weight) * (self.item_factors.T @ self.item_factors)

    @classmethod
    def of(cls, model: IALS) -> Self:
        """The one of a fitted model."""
        return cls(model.item_factors_, model.l2, model.unobserved_weight, model.frequency_scaling)

    def __call__(self, histories: Sequence[np.ndarray | Sequence[int]]) -> np.ndarray:
        """The factor of each history, of zeros for an empty one: (n, d) float32.

        Args:
            histories: item numbers, each item once.
        """
        n, d = len(histories), self.item_factors.shape[1]
        lengths = np.array([len(each) for each in histories], np.intp)
        longest = max(lengths, default=0)
        if not longest:
            return np.zeros((n, d), np.float32)
        taken = np.zeros((n, longest, d), np.float32)
        for row, history in enumerate(histories):
            taken[row, : len(history)] = self.item_factors[np.asarray(history, np.intp)]
        start = np.zeros((n, d), np.float32)
        return newton_blocks(start, taken, self._gram, self._regularisation(lengths), d)

    def contributions(self, history: np.ndarray, items: np.ndarray) -> np.ndarray:
        """How much each item of ``history`` gives to the scores: (len(items), len(history)).

        Rows add up to <u, v> of each of ``items``.
        """
        taken = self.item_factors[np.asarray(history, np.intp)]
        A = taken.T @ taken + self._gram
        A[np.diag_indices_from(A)] += self._regularisation(np.array([len(taken)]))
        return np.linalg.solve(A, self.item_factors[np.asarray(items, np.intp)].T).T @ taken.T

    def _regularisation(self, lengths: np.ndarray) -> np.ndarray:
        weight = lengths + self.unobserved_weight * len(self.item_factors)
        return (self.l2 * weight**self.frequency_scaling).astype(np.float32)
