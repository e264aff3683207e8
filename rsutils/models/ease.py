"""EASE: the item-item autoencoder with a closed form."""

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from rsutils.models.checks import check_positive
from rsutils.models.history import HistoryRecommender


class EASE(HistoryRecommender):
    """Predicts each item of a history from all the others by ridge regression.

    Minimises ||X - XB||² + l2 ||B||² over item-item weights B with a diagonal of zero. The answer
    is B_ij = -P_ij / P_jj for i != j with P = (XᵀX + l2 I)⁻¹ (Steck 2019, "Embarrassingly shallow
    autoencoders for sparse data", eq. 8). Memory is one n_items × n_items matrix, work n_items³:
    it suits up to some 40,000 items.

    Args:
        l2: the ridge, in users.
        dtype: "float32" or "float64" for the inversion; the weights are float32.

    Attributes:
        weights_: (n_items, n_items) float32, B; a history's scores are history @ B.

    Raises:
        ValueError: ``l2`` is not positive or ``dtype`` another.

    Example:
        >>> from rsutils.data.interactions import Interactions
        >>> log = Interactions.of(user=[0, 0, 1], item=[0, 1, 0])
        >>> EASE(l2=1.0).fit(log).weights_.round(3)
        array([[0.   , 0.333],
               [0.5  , 0.   ]], dtype=float32)
    """

    def __init__(self, l2: float = 500.0, dtype: str = "float32") -> None:
        check_positive(l2=l2)
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype is {dtype!r}; expected 'float32' or 'float64'.")
        self.l2 = l2
        self.dtype = dtype

    def _learn(self, history: sparse.csr_matrix) -> None:
        gram = (history.T @ history).toarray().astype(self.dtype, copy=False)
        gram[np.diag_indices_from(gram)] += self.l2
        self.weights_ = ease_weights(gram)

    def _score(self, history: sparse.csr_matrix) -> np.ndarray:
        return history @ self.weights_


def ease_weights(gram: np.ndarray) -> np.ndarray:
    """B from XᵀX + l2 I, whose memory is overwritten.

    Args:
        gram: (n, n) symmetric positive definite, float32 or float64.

    Returns:
        (n, n) float32 with a diagonal of zero.

    Raises:
        ValueError: ``gram`` is not positive definite in its precision.
    """
    factor, inverse = (
        (lapack.spotrf, lapack.spotri)
        if gram.dtype == np.float32
        else (lapack.dpotrf, lapack.dpotri)
    )
    # The matrix is symmetric: its transpose is the column order that LAPACK writes in place.
    P, info = factor(gram.T, lower=True, overwrite_a=True)
    if info == 0:
        P, info = inverse(P, lower=True, overwrite_c=True)
    if info:
        raise ValueError("XᵀX + l2 I is not positive definite; raise l2 or use float64.")
    P = P.T
    _mirror_upper(P)
    P /= -P.diagonal().copy()
    np.fill_diagonal(P, 0.0)
    return P.astype(np.float32, copy=False)


def _mirror_upper(matrix: np.ndarray, block: int = 512) -> None:
    """Copy the upper triangle onto the lower, a strip of rows at a time."""
    for start in range(0, len(matrix), block):
        stop = min(start + block, len(matrix))
        corner = np.triu(matrix[start:stop, start:stop])
        matrix[start:stop, start:stop] = corner + np.triu(corner, 1).T
        matrix[stop:, start:stop] = matrix[start:stop, stop:].T
