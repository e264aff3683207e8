"""Softmax collaborative filtering by stochastic gradient descent, the rule written out in NumPy."""

from collections.abc import Iterator
from typing import Self

import numpy as np
from scipy import sparse
from tqdm import tqdm

from rsutils.data.interactions import Interactions
from rsutils.models.base import Recommender
from rsutils.models.checks import check_counts, check_positive, check_range
from rsutils.models.popularity import item_counts


class SoftmaxSGD(Recommender):
    """P(item y | user x) is the softmax over all items of the score s(x, y) = <u_x, v_y> + b_y.

    Maximises the log-likelihood of the interactions, less l2 / 2 (||u_x||² + ||v_y||²) for each of
    them. The gradient in the scores is 1[j = y] - P(j | x) (Bishop 2006, "Pattern Recognition and
    Machine Learning", eq. 4.109), and every step adds ``learning_rate`` times the gradient of a
    mini-batch. The softmax is full: no negatives are sampled. It costs one pass over all items a
    user, however many of the user's items are in the batch; so a row of a mini-batch is a user
    with up to ``row_items`` of their items, drawn anew each epoch.

    Args:
        dimensions: length of a factor, d.
        learning_rate: at the start; it falls in a straight line to a tenth.
        l2: strength of the regularisation.
        epochs: passes over the interactions.
        batch_size: rows a step.
        row_items: at most so many interactions a row.
        seed: of the first factors and of the order.
        progress: show a progress bar.

    Attributes:
        user_factors_: (n_users, d) float32.
        item_factors_: (n_items, d) float32.
        item_bias_: (n_items,) float32.

    Raises:
        ValueError: an argument is out of its range.
        FloatingPointError: training diverged.

    Example:
        >>> log = Interactions.of(user=[0, 0, 1, 1, 2, 2], item=[0, 1, 0, 1, 2, 3])
        >>> model = SoftmaxSGD(dimensions=2, learning_rate=0.5, epochs=50, progress=False).fit(log)
        >>> sorted(model.recommend([2], k=2)[0].tolist())
        [2, 3]
    """

    def __init__(
        self,
        dimensions: int = 64,
        learning_rate: float = 0.015,
        l2: float = 0.03,
        epochs: int = 25,
        batch_size: int = 64,
        row_items: int = 64,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        check_counts(
            dimensions=dimensions, epochs=epochs, batch_size=batch_size, row_items=row_items
        )
        check_positive(learning_rate=learning_rate)
        check_range(0, np.inf, l2=l2)
        self.dimensions = dimensions
        self.learning_rate = learning_rate
        self.l2 = l2
        self.epochs = epochs
        self.batch_size = batch_size
        self.row_items = row_items
        self.seed = seed
        self.progress = progress

    def fit(self, interactions: Interactions) -> Self:
        """Run ``epochs`` passes; repeated pairs count as often as they occur."""
        self._start_fit(interactions)
        rng = np.random.default_rng(self.seed)
        shape = (interactions.n_users, interactions.n_items)
        U, V = (
            np.float32(0.1) * rng.standard_normal((n, self.dimensions), np.float32) for n in shape
        )
        # A user without a history keeps a factor of zero, so only the biases rank for them.
        U[np.bincount(interactions.user, minlength=shape[0]) == 0] = 0.0
        b = np.log1p(item_counts(interactions))
        for epoch in tqdm(range(self.epochs), "softmax SGD", disable=not self.progress):
            rate = np.float32(self.learning_rate * (1 - 0.9 * epoch / self.epochs))
            for users, taken in self._batches(interactions, rng):
                dU, dV, db = softmax_gradient(U[users], V, b, taken, self.l2)
                np.add.at(U, users, rate * dU)
                V += rate * dV
                b += rate * db
            if not (np.isfinite(U).all() and np.isfinite(V).all()):
                raise FloatingPointError(
                    f"Training diverged in epoch {epoch + 1} with learning_rate="
                    f"{self.learning_rate}; lower it."
                )
        self.user_factors_, self.item_factors_, self.item_bias_ = U, V, b
        return self

    def scores(self, users: np.ndarray) -> np.ndarray:
        """The scores s(x, y) before the softmax: (len(users), n_items) float32."""
        users = self._known_users(users)
        return self.user_factors_[users] @ self.item_factors_.T + self.item_bias_

    def _batches(
        self, interactions: Interactions, rng: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, sparse.csr_matrix]]:
        users, taken = rows_of_users(interactions, self.row_items, rng)
        order = rng.permutation(len(users))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            yield users[rows], taken[rows]


def softmax_gradient(
    U: np.ndarray, V: np.ndarray, b: np.ndarray, taken: sparse.csr_matrix, l2: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradient of sum log P(y | x) - l2 / 2 (||u_x||² + ||v_y||²) over a batch's interactions.

    Args:
        U: (rows, d) the factors of the batch's users.
        V: (n_items, d).
        b: (n_items,).
        taken: (rows, n_items) how often each row's user took each item in this batch.
        l2: strength of the regularisation.

    Returns:
        Gradients of the shapes of U, V and b. They point uphill: add them.

    Example:
        Two items, equal scores: half of the probability has to move to the one that was taken.

        >>> U, V, b = np.ones((1, 1)), np.zeros((2, 1)), np.zeros(2)
        >>> softmax_gradient(U, V, b, sparse.csr_matrix([[1.0, 0.0]]))[2]
        array([ 0.5, -0.5])
    """
    residual = U @ V.T
    residual += b
    residual -= residual.max(axis=1, keepdims=True)
    np.exp(residual, out=residual)
    per_row = np.asarray(taken.sum(axis=1), U.dtype).ravel()
    residual *= (-per_row / residual.sum(axis=1))[:, None]
    row = np.repeat(np.arange(len(U)), np.diff(taken.indptr))
    residual[row, taken.indices] += taken.data
    per_item = np.bincount(taken.indices, taken.data, minlength=len(V)).astype(U.dtype)
    return (
        residual @ V - U.dtype.type(l2) * per_row[:, None] * U,
        residual.T @ U - U.dtype.type(l2) * per_item[:, None] * V,
        residual.sum(axis=0),
    )


def rows_of_users(
    interactions: Interactions, row_items: int, rng: np.random.Generator
) -> tuple[np.ndarray, sparse.csr_matrix]:
    """Deal each user's interactions, in random order, into rows of at most ``row_items``.

    Returns:
        users: (rows,) whose each row is.
        taken: (rows, n_items) csr float32, how often each item is in the row.
    """
    order = rng.permutation(len(interactions))
    order = order[np.argsort(interactions.user[order], kind="stable")]
    user = interactions.user[order]
    counts = np.bincount(user, minlength=interactions.n_users)
    place = np.arange(len(user)) - np.repeat(np.cumsum(counts) - counts, counts)
    begins = np.flatnonzero(place % row_items == 0)
    taken = sparse.csr_matrix(
        (
            np.ones(len(user), np.float32),
            interactions.item[order],
            np.append(begins, len(user)),
        ),
        shape=(len(begins), interactions.n_items),
    )
    taken.sum_duplicates()
    return user[begins], taken
