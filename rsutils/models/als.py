"""iALS: matrix factorization of implicit feedback by alternating least squares, block by block."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from rsutils.models.als_solver import CHUNK, FixedSide, Problem, problems_of, regularisation
from rsutils.models.checks import check_counts, check_positive, check_range
from rsutils.models.fold_in import FoldIn
from rsutils.models.history import HistoryRecommender


class IALS(HistoryRecommender):
    """Factors U and V such that <u, v> is near 1 where the user took the item, else near 0.

    Minimises, over all pairs and with S the pairs in the table,

        sum_S (1 - <u, v>)² + unobserved_weight * sum_all <u, v>²
        + sum_u reg(n_u, n_items) ||u||² + sum_v reg(n_v, n_users) ||v||²,
        reg(n, m) = l2 (n + unobserved_weight m)^frequency_scaling

    (Hu, Koren and Volinsky 2008; the regularisation of Rendle et al. 2022, "Revisiting the
    performance of iALS", eq. 5). Each half of an epoch holds one side fixed and moves the other by
    Newton steps over blocks of dimensions, which is exact for a block (Rendle et al. 2021,
    "iALS++", algorithm 3): a block of b costs n b² + b³ for a history of n instead of n d² + d³.

    Args:
        dimensions: length of a factor, d.
        l2: strength of the regularisation.
        unobserved_weight: weight of a pair that was not seen.
        frequency_scaling: 0 regularises all alike, 1 in proportion to the number of interactions.
        epochs: how often both sides are solved.
        block_size: dimensions solved at a time; ``dimensions`` or more is plain, exact iALS.
        seed: of the first factors.
        threads: how many chunks are solved at a time; None for one a core.
        progress: show a progress bar.

    Attributes:
        user_factors_: (n_users, d) float32.
        item_factors_: (n_items, d) float32.

    Raises:
        ValueError: an argument is out of its range.
        FloatingPointError: ``l2`` is too small for the precision of the factors.

    Example:
        >>> from rsutils.data.interactions import Interactions
        >>> log = Interactions.of(user=[0, 0, 1, 1, 2, 2], item=[0, 1, 0, 1, 2, 3])
        >>> IALS(dimensions=2, l2=0.01, progress=False).fit(log).recommend([2], k=2)
        array([[2, 3]], dtype=int32)
    """

    def __init__(
        self,
        dimensions: int = 64,
        l2: float = 0.003,
        unobserved_weight: float = 0.1,
        frequency_scaling: float = 1.0,
        epochs: int = 10,
        block_size: int = 32,
        seed: int = 0,
        threads: int | None = None,
        progress: bool = True,
    ) -> None:
        check_counts(dimensions=dimensions, epochs=epochs, block_size=block_size)
        check_positive(l2=l2, unobserved_weight=unobserved_weight)
        check_range(0, 1, frequency_scaling=frequency_scaling)
        self.threads = (os.cpu_count() or 1) if threads is None else threads
        check_counts(threads=self.threads)
        self.dimensions = dimensions
        self.l2 = l2
        self.unobserved_weight = unobserved_weight
        self.frequency_scaling = frequency_scaling
        self.epochs = epochs
        self.block_size = block_size
        self.seed = seed
        self.progress = progress

    def _learn(self, history: sparse.csr_matrix) -> None:
        rng = np.random.default_rng(self.seed)
        scale = np.float32(0.1 / np.sqrt(self.dimensions))
        U, V = (
            scale * rng.standard_normal((n, self.dimensions), np.float32) for n in history.shape
        )
        by_user, by_item = (list(self._problems(side)) for side in (history, history.T.tocsr()))
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(self.threads) as pool:
            for _ in tqdm(range(self.epochs), "iALS", disable=not self.progress):
                self._fix(V).improve(by_user, U, self.block_size, pool.map)
                self._fix(U).improve(by_item, V, self.block_size, pool.map)
            # The items moved last: users follow, as scores_for_history would place them.
            self._fix(V).improve(by_user, U, self.block_size, pool.map)
        if not (np.isfinite(U).all() and np.isfinite(V).all()):
            raise FloatingPointError(f"l2={self.l2} is too small for float32; raise it.")
        self.user_factors_, self.item_factors_ = U, V

    def _score(self, history: sparse.csr_matrix) -> np.ndarray:
        return FoldIn.of(self).place(history) @ self.item_factors_.T

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores of every item for each of ``users``: (len(users), n_items) float32."""
        users = self._known_users(users)
        scores = self.user_factors_[users] @ self.item_factors_.T
        return self._with_cold_users(scores, self.history_[users])

    def objective(self) -> float:
        """The loss that ``fit`` minimises, at the factors it found."""
        U, V = (M.astype(np.float64) for M in (self.user_factors_, self.item_factors_))
        seen = self.history_.tocoo()
        errors = 1 - np.einsum("nd,nd->n", U[seen.row], V[seen.col])
        loss = errors @ errors + self.unobserved_weight * np.sum((U.T @ U) * (V.T @ V))
        for matrix, factors in ((self.history_, U), (self.history_.T.tocsr(), V)):
            loss += self._regularisation(matrix) @ np.square(factors).sum(axis=1)
        return float(loss)

    def _regularisation(self, histories: sparse.csr_matrix) -> np.ndarray:
        return regularisation(
            np.diff(histories.indptr),
            histories.shape[1],
            self.l2,
            self.unobserved_weight,
            self.frequency_scaling,
        )

    def _problems(self, histories: sparse.csr_matrix) -> Iterator[Problem]:
        return problems_of(histories, self._regularisation(histories), CHUNK // self.dimensions)

    def _fix(self, factors: np.ndarray) -> FixedSide:
        return FixedSide(factors, self.unobserved_weight)
