"""The factor of a user from what they took, with item factors that were learnt before."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import sparse

from rsutils.models.als_solver import CHUNK, FixedSide, problems_of, regularisation
from rsutils.models.checks import check_positive, check_range

if TYPE_CHECKING:  # IALS places histories by this module.
    from rsutils.models.als import IALS


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
        >>> from rsutils.models import IALS
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
        self._side = FixedSide(self.item_factors, unobserved_weight)

    @classmethod
    def of(cls, model: "IALS") -> Self:
        """The one of a fitted model."""
        return cls(model.item_factors_, model.l2, model.unobserved_weight, model.frequency_scaling)

    def __call__(self, histories: Sequence[np.ndarray | Sequence[int]]) -> np.ndarray:
        """The factor of each history, of zeros for an empty one: (n, d) float32.

        Args:
            histories: item numbers, each item once.

        Raises:
            IndexError: there is no item of a number.
        """
        taken = np.concatenate([np.empty(0, np.intp), *histories]).astype(np.intp)
        n_items = len(self.item_factors)
        unknown = taken[(taken < 0) | (taken >= n_items)]
        if len(unknown):
            raise IndexError(
                f"Item {unknown[0]} is unknown; expected items 0 to {n_items - 1}, which have "
                "factors."
            )
        ends = np.cumsum([0, *map(len, histories)])
        ones = np.ones(len(taken), np.float32)
        return self.place(sparse.csr_matrix((ones, taken, ends), (len(histories), n_items)))

    def place(self, histories: sparse.csr_matrix) -> np.ndarray:
        """What calling it gives, for histories that are rows of (n, n_items): (n, d) float32."""
        d = self.item_factors.shape[1]
        factors = np.zeros((histories.shape[0], d), np.float32)
        l2 = self._regularisation(np.diff(histories.indptr))
        self._side.improve(problems_of(histories, l2, CHUNK // d), factors, d)
        return factors

    def contributions(self, history: np.ndarray, items: np.ndarray) -> np.ndarray:
        """How much each item of ``history`` gives to the scores: (len(items), len(history)).

        Rows add up to <u, v> of each of ``items``.
        """
        taken = self.item_factors[np.asarray(history, np.intp)]
        A = taken.T @ taken + self._side.gram
        A[np.diag_indices_from(A)] += self._regularisation(np.array([len(taken)]))
        return np.linalg.solve(A, self.item_factors[np.asarray(items, np.intp)].T).T @ taken.T

    def _regularisation(self, lengths: np.ndarray) -> np.ndarray:
        return regularisation(
            lengths,
            len(self.item_factors),
            self.l2,
            self.unobserved_weight,
            self.frequency_scaling,
        )
