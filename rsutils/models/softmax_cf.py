"""Softmax collaborative filtering in Keras 3: a full softmax over all items, compiled steps."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Self

import keras
import numpy as np
from scipy import sparse
from tqdm import tqdm

from rsutils.data.interactions import Interactions
from rsutils.models.base import Recommender
from rsutils.models.checks import check_counts, check_positive, check_range


@dataclass(frozen=True)
class SoftmaxConfig:
    """What :func:`build` needs to know.

    Attributes:
        n_users: rows of the user table.
        n_items: outputs.
        dimensions: length of a factor.
        l2: strength of the regularisation of both tables.
        dropout: share of the user's factor that is hidden in training.
        seed: of the first weights and of dropout.
    """

    n_users: int
    n_items: int
    dimensions: int
    l2: float = 0.0
    dropout: float = 0.0
    seed: int = 0


def build(K: ModuleType, config: SoftmaxConfig) -> Any:
    """The logits s(x, y) = <u_x, v_y> + b_y of every item y for a batch of users x.

    Args:
        K: ``keras``, or ``tf_keras`` for the twin that tfmot works on.
        config: sizes and regularisation.

    Returns:
        A functional model from (batch,) int32 users to (batch, n_items) float32 logits.
    """

    def start(offset: int) -> Any:
        return K.initializers.RandomNormal(stddev=0.1, seed=config.seed + offset)

    def l2() -> Any:
        return K.regularizers.L2(config.l2)

    user = K.Input((), dtype="int32", name="user")
    factor = K.layers.Embedding(
        config.n_users,
        config.dimensions,
        embeddings_initializer=start(0),
        embeddings_regularizer=l2(),
        name="user_factors",
    )(user)
    factor = K.layers.Dropout(config.dropout, seed=config.seed, name="dropout")(factor)
    logits = K.layers.Dense(
        config.n_items, kernel_initializer=start(1), kernel_regularizer=l2(), name="item_factors"
    )(factor)
    return K.Model(user, logits, name="softmax_cf")


class SoftmaxCF(Recommender):
    """P(item y | user x) is the softmax over all items of the score s(x, y) = <u_x, v_y> + b_y.

    The model of ``SoftmaxSGD``, trained by Adam with a falling learning rate. A row of a mini-batch
    is a user with all their items, so an epoch is n_users / batch_size steps. A user with n items
    weighs n^user_weight: 1 is the likelihood of the interactions, 0 counts every user alike.

    Args:
        dimensions: length of a factor, d.
        learning_rate: of Adam at the start; it falls to 0 as a cosine.
        l2: strength of the regularisation of both tables.
        dropout: share of a user's factor that is hidden in training.
        user_weight: 0 to 1, see above.
        epochs: passes over the users.
        batch_size: users a step.
        seed: of the first weights, the order and dropout.
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
        learning_rate: float = 0.01,
        l2: float = 1e-5,
        dropout: float = 0.0,
        user_weight: float = 0.5,
        epochs: int = 20,
        batch_size: int = 128,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        check_counts(dimensions=dimensions, epochs=epochs, batch_size=batch_size)
        check_positive(learning_rate=learning_rate)
        check_range(0, np.inf, l2=l2)
        check_range(0, 0.99, dropout=dropout)
        check_range(0, 1, user_weight=user_weight)
        self.dimensions = dimensions
        self.learning_rate = learning_rate
        self.l2 = l2
        self.dropout = dropout
        self.user_weight = user_weight
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed
        self.progress = progress

    def config(self) -> SoftmaxConfig:
        """What built ``model_``; pass it to :func:`build` with ``tf_keras`` for the twin."""
        self._known_users([])
        return SoftmaxConfig(
            self.n_users_, self.n_items_, self.dimensions, self.l2, self.dropout, self.seed
        )

    def fit(self, interactions: Interactions) -> Self:
        """Run ``epochs`` passes; repeated pairs count once."""
        self._start_fit(interactions)
        history = interactions.to_csr()
        batches = UserBatches(history, self.batch_size, self.user_weight, self.seed)
        rate = keras.optimizers.schedules.CosineDecay(
            self.learning_rate, decay_steps=self.epochs * len(batches)
        )
        model = build(keras, self.config())
        model.compile(
            optimizer=keras.optimizers.Adam(rate),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        )
        with tqdm(total=self.epochs, desc="softmax CF", disable=not self.progress) as bar:
            tick = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.update())
            model.fit(batches, epochs=self.epochs, verbose=0, shuffle=False, callbacks=[tick])
        factors, *others = model.get_weights()
        if not all(np.isfinite(weights).all() for weights in (factors, *others)):
            raise FloatingPointError(
                f"Training diverged with learning_rate={self.learning_rate}; lower it."
            )
        # Only the biases rank for a user without a history.
        factors[np.diff(history.indptr) == 0] = 0.0
        model.set_weights([factors, *others])
        self.model_ = model
        return self

    def scores(self, users: np.ndarray) -> np.ndarray:
        """The logits s(x, y) of the Keras model: (len(users), n_items) float32."""
        users = self._known_users(users)
        return keras.ops.convert_to_numpy(self.model_(users.astype(np.int32), training=False))


class UserBatches(keras.utils.PyDataset):
    """Mini-batches of users: ids, what share of their history each item is, and the users' weights.

    Args:
        history: (n_users, n_items) csr of ones; users without a history are in no batch.
        batch_size: users a batch.
        user_weight: a user with n items weighs n^user_weight, divided by the mean weight.
        seed: of the order, which is new in each epoch.
    """

    def __init__(
        self, history: sparse.csr_matrix, batch_size: int, user_weight: float, seed: int
    ) -> None:
        super().__init__()
        self.history = history
        self.batch_size = batch_size
        self.length = np.diff(history.indptr).astype(np.float32)
        self.users = np.flatnonzero(self.length).astype(np.int32)
        self.weight = self.length**user_weight
        self.weight /= self.weight[self.users].mean()
        self.rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        self.rng.shuffle(self.users)

    def __len__(self) -> int:
        return -(-len(self.users) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        users = self.users[index * self.batch_size : (index + 1) * self.batch_size]
        shares = self.history[users].toarray() / self.length[users, None]
        return users, shares, self.weight[users]
