"""Other people's libraries behind our protocol, so that they are measured in the same run."""

from typing import Self

import numpy as np
from threadpoolctl import threadpool_limits

from rsutils.data import Interactions
from rsutils.models import Recommender


class ImplicitALS(Recommender):
    """Alternating least squares of the library ``implicit`` (Hu et al. 2008, conjugate gradients).

    BLAS is held to one thread while it trains, as its documentation asks: it has its own threads.

    Args:
        factors: length of a factor.
        alpha: weight of a pair that was seen; others weigh 1.
        regularization: strength.
        iterations: epochs.
        seed: of the first factors.
    """

    def __init__(
        self,
        factors: int = 64,
        alpha: float = 4.0,
        regularization: float = 40.0,
        iterations: int = 15,
        seed: int = 0,
    ) -> None:
        self.settings = {
            "factors": factors,
            "alpha": alpha,
            "regularization": regularization,
            "iterations": iterations,
            "random_state": seed,
        }

    def fit(self, interactions: Interactions) -> Self:
        """Train on the binary matrix."""
        from implicit.als import AlternatingLeastSquares

        self._start_fit(interactions)
        with threadpool_limits(1, "blas"):
            self.model_ = AlternatingLeastSquares(**self.settings)
            self.model_.fit(interactions.to_csr(), show_progress=False)
        return self

    def scores(self, users: np.ndarray) -> np.ndarray:
        """<u, v> for every item: (len(users), n_items) float32."""
        users = self._known_users(users)
        return self.model_.user_factors[users] @ self.model_.item_factors.T
