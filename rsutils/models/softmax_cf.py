"""Softmax collaborative filtering in Keras 3: a full softmax over all items, compiled steps."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Self

import keras
import numpy as np
from scipy import sparse

from rsutils.data.interactions import Interactions
from rsutils.models.base import Recommender
from rsutils.models.checks import check_counts, check_positive, check_range
from rsutils.models.popularity import item_counts
from rsutils.models.saving import KerasSaving
from rsutils.training import EpochBatches, fit, penalised


@dataclass(frozen=True)
class SoftmaxConfig:
    """What :func:`build` needs to know.

    Attributes:
        n_users: rows of the user table.
        n_items: outputs.
        dimensions: length of a factor.
        seed: of the first weights.
    """

    n_users: int
    n_items: int
    dimensions: int
    seed: int = 0


def build(K: ModuleType, config: SoftmaxConfig) -> Any:
    """The logits s(x, y) = <u_x, v_y> + b_y of every item y for a batch of users x.

    Args:
        K: ``keras``, or ``tf_keras`` for the twin that tfmot works on.
        config: sizes and the seed.

    Returns:
        A functional model from (batch,) int32 users to (batch, n_items) float32 logits.
    """

    def start(offset: int) -> Any:
        return K.initializers.RandomNormal(stddev=0.1, seed=config.seed + offset)

    user = K.Input((), dtype="int32", name="user")
    factor = K.layers.Embedding(
        config.n_users, config.dimensions, embeddings_initializer=start(0), name="user_factors"
    )(user)
    logits = K.layers.Dense(config.n_items, kernel_initializer=start(1), name="item_factors")(
        factor
    )
    return K.Model(user, logits, name="softmax_cf")


class SoftmaxCF(KerasSaving, Recommender):
    """P(item y | user x) is the softmax over all items of the score s(x, y) = <u_x, v_y> + b_y.

    Minimises the mean over all interactions of -log P(y | x) + l2 / 2 (||u_x||² + ||v_y||²), as
    ``SoftmaxSGD`` does, so a factor is held back in proportion to its number of interactions. Each
    item counts in the penalty as if it had the mean number more: else Adam, whose steps do not
    shrink with the gradient, moves rare items far. Trained with a falling learning rate. A row of a
    mini-batch is a user with all their items: an epoch is n_users / batch_size steps.

    Args:
        dimensions: length of a factor, d.
        learning_rate: of Adam at the start; it falls to 0 as a cosine.
        l2: strength of the regularisation.
        epochs: passes over the users.
        batch_size: users a step.
        seed: of the first weights and the order.
        progress: show a progress bar.

    Attributes:
        model_: the functional Keras model that :func:`build` gives.

    Raises:
        ValueError: an argument is out of its range.
        FloatingPointError: training diverged.

    Example:
        >>> log = Interactions.of(user=[0, 0, 1, 1, 2, 2], item=[0, 1, 0, 1, 2, 3])
        >>> model = SoftmaxCF(dimensions=4, learning_rate=0.1, epochs=30, progress=False).fit(log)
        >>> sorted(model.recommend([2], k=2)[0].tolist())
        [2, 3]
    """

    def __init__(
        self,
        dimensions: int = 128,
        learning_rate: float = 0.02,
        l2: float = 0.04,
        epochs: int = 20,
        batch_size: int = 256,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        check_counts(dimensions=dimensions, epochs=epochs, batch_size=batch_size)
        check_positive(learning_rate=learning_rate)
        check_range(0, np.inf, l2=l2)
        self.dimensions = dimensions
        self.learning_rate = learning_rate
        self.l2 = l2
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed
        self.progress = progress

    def config(self) -> SoftmaxConfig:
        """What built ``model_``; pass it to :func:`build` with ``tf_keras`` for the twin."""
        self._known_users([])
        return SoftmaxConfig(self.n_users_, self.n_items_, self.dimensions, self.seed)

    def fit(
        self, interactions: Interactions, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> Self:
        """Run ``epochs`` passes; repeated pairs count once.

        ``callbacks`` go to Keras; while they run, the model already gives scores.
        """
        self._start_fit(interactions)
        history = interactions.to_csr()
        batches = UserBatches(history, self.batch_size, self.seed)
        self.model_ = model = build(keras, self.config())
        model.get_layer("item_factors").bias.assign(np.log1p(item_counts(interactions)))
        with frequency_scaled(model, history, self.l2):
            fit(
                model,
                batches,
                keras.losses.CategoricalCrossentropy(from_logits=True),
                self.learning_rate,
                self.epochs,
                "softmax CF" if self.progress else None,
                callbacks,
            )
        # Only the biases rank for a user without a history.
        factors, *others = model.get_weights()
        factors[np.diff(history.indptr) == 0] = 0.0
        model.set_weights([factors, *others])
        return self

    def scores(self, users: np.ndarray) -> np.ndarray:
        """The logits s(x, y) of the Keras model: (len(users), n_items) float32."""
        users = self._known_users(users)
        return keras.ops.convert_to_numpy(self.model_(users.astype(np.int32), training=False))


def frequency_scaled(
    model: Any, history: sparse.csr_matrix, l2: float
) -> AbstractContextManager[None]:
    """Give both tables of ``model`` the penalty of :class:`SoftmaxCF` while it trains."""
    user, item = frequency_weights(history, l2)
    return penalised(
        (model.get_layer("user_factors").embeddings, user),
        (model.get_layer("item_factors").kernel, item.T),
    )


def frequency_weights(history: sparse.csr_matrix, l2: float) -> tuple[np.ndarray, np.ndarray]:
    """What a squared number costs in the mean over interactions, by user and by item.

    Returns:
        (n_users, 1) and (n_items, 1); each item counts as if it had the mean number more.
    """
    each = l2 / 2 / history.nnz
    count = np.asarray(history.sum(axis=0)).reshape(-1, 1)
    return each * np.diff(history.indptr)[:, None], each * (count + count.mean())


class UserBatches(EpochBatches):
    """Mini-batches of users: ids, what share of their history each item is, and the users' weights.

    A user weighs as many interactions as they have, in units of the mean user's.

    Args:
        history: (n_users, n_items) csr of ones; users without a history are in no batch.
        batch_size: users a batch.
        seed: of the order, which is new in each epoch.
    """

    def __init__(self, history: sparse.csr_matrix, batch_size: int, seed: int) -> None:
        self.history = history
        self.batch_size = batch_size
        self.length = np.diff(history.indptr).astype(np.float32)
        self.users = np.flatnonzero(self.length).astype(np.int32)
        self.weight = self.length / self.length[self.users].mean()
        super().__init__(seed)

    def draw(self, rng: np.random.Generator) -> None:
        """Draw the order."""
        self.users = rng.permutation(np.sort(self.users))

    def __len__(self) -> int:
        return -(-len(self.users) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        users = self.users[index * self.batch_size : (index + 1) * self.batch_size]
        shares = self.history[users].toarray() / self.length[users, None]
        return users, shares, self.weight[users]
