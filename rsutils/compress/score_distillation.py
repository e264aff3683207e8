"""How two towers are trained to rank as a matrix of scores does, a block of items at a time."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import sparse

from rsutils.training import EpochBatches, fit

FAR = -1e9
"""Added to the score of an item that is left out of a softmax."""


class ScoreDistillation(keras.Model):
    """Trains towers on the softmax of a teacher's scores, and on what users have.

    It has no weights beside those of the towers.

    Args:
        user_tower: from (n,) user ids to (n, features).
        item_tower: from (m,) item ids to (m, features).
        teacher: (n_users, n_items) scores.
        taken: (n_users, n_items) csr, what the users have.
        n_blocks: into how many blocks the items are cut, at random; where they do not divide
            evenly, some items are in two.
        temperature: by which the teacher's scores are divided.
        weight: of the teacher, from 0 to 1.
        power: a user's n observed interactions count n^power all together.
        seed: of the blocks.
    """

    def __init__(
        self,
        user_tower: Any,
        item_tower: Any,
        teacher: np.ndarray,
        taken: sparse.csr_matrix,
        n_blocks: int,
        temperature: float,
        weight: float,
        power: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.user_tower, self.item_tower = user_tower, item_tower
        self.n_users, n_items = taken.shape
        self.n_blocks = n_blocks
        self.temperature = temperature
        self.weight = weight
        self.power = power
        width = -(-n_items // n_blocks)
        starts = np.linspace(0, n_items - width, n_blocks).round().astype(int)
        order = np.random.default_rng(seed).permutation(n_items).astype(np.int32)
        self.items = tf.constant(order[starts[:, None] + np.arange(width)])
        # A row a block and user, so that a batch is one gather of whole rows.
        dense = taken.toarray().astype(bool)
        blocks = self.items.numpy()
        self.teacher = tf.constant(
            np.concatenate([teacher[:, block].astype(np.float16) for block in blocks])
        )
        self.taken = tf.constant(np.concatenate([dense[:, block] for block in blocks]))
        self.built = True  # BackupAndRestore asks before it restores.

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> tuple[Any, Any, Any]:
        """The student's scores, the teacher's, and 1 where a user has the item.

        Args:
            inputs: ``{"user": (batch,), "block": (1,)}`` int32.
            training: for the towers.

        Returns:
            Three arrays (batch, items of the block) float32.
        """
        user, block = inputs["user"], inputs["block"][0]
        vectors = self.user_tower(user, training=training)
        items = self.item_tower(self.items[block], training=training)
        rows = block * self.n_users + user
        return (
            tf.matmul(vectors, items, transpose_b=True),
            tf.cast(tf.gather(self.teacher, rows), tf.float32),
            tf.cast(tf.gather(self.taken, rows), tf.float32),
        )

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Cross-entropy with the teacher in the mean over users, and with what they have."""
        score, teacher, taken = y_pred
        target = tf.nn.softmax(teacher / self.temperature + FAR * taken)
        soft = tf.nn.softmax_cross_entropy_with_logits(target, score + FAR * taken)
        each = taken * (tf.reduce_logsumexp(score, axis=1, keepdims=True) - score)
        count = tf.reduce_sum(taken, axis=1)
        mean = tf.reduce_sum(each, axis=1) / tf.maximum(count, 1.0)
        counts = count**self.power * tf.cast(count > 0, tf.float32)
        hard = tf.reduce_sum(counts * mean) / tf.maximum(tf.reduce_sum(counts), 1.0)
        return self.weight * tf.reduce_mean(soft) + (1 - self.weight) * hard


class BlockBatches(EpochBatches):
    """Batches of users with a block of items each; in an epoch all users meet all blocks.

    Args:
        n_users: how many users exist.
        n_blocks: how many blocks of items.
        batch_size: users a batch.
        seed: of the order.

    Example:
        >>> batches = BlockBatches(n_users=5, n_blocks=2, batch_size=3, seed=0)
        >>> len(batches), sorted(sum((batches[n]["user"].tolist() for n in range(4)), []))
        (4, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    """

    def __init__(self, n_users: int, n_blocks: int, batch_size: int, seed: int) -> None:
        self.n_users, self.n_blocks, self.batch_size = n_users, n_blocks, batch_size
        super().__init__(seed)

    def draw(self, rng: np.random.Generator) -> None:
        """Draw an order of the users for each block, and take the blocks in turns."""
        users = range(self.n_blocks)
        self.order = np.stack([rng.permutation(self.n_users) for _ in users]).astype(np.int32)

    def __len__(self) -> int:
        return self.n_blocks * -(-self.n_users // self.batch_size)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        start, block = divmod(index, self.n_blocks)
        start *= self.batch_size
        users = self.order[block, start : start + self.batch_size]
        return {"user": users, "block": np.array([block], np.int32)}


def check_teacher(teacher: np.ndarray, shape: tuple[int, int]) -> None:
    """A teacher has a finite score for every user and item.

    Raises:
        ValueError: the scores are of another shape or not finite.
    """
    if np.shape(teacher) != shape:
        raise ValueError(
            f"The teacher's scores have the shape {np.shape(teacher)}; expected {shape}."
        )
    if not np.isfinite(teacher).all():
        raise ValueError("The teacher has scores that are not finite.")


def distil(
    user_tower: Any,
    item_tower: Any,
    teacher: np.ndarray,
    taken: sparse.csr_matrix,
    *,
    temperature: float = 1.5,
    weight: float = 0.4,
    power: float = 0.5,
    learning_rate: float = 0.01,
    epochs: int = 250,
    batch_size: int = 1024,
    blocks: int = 7,
    seed: int = 0,
    progress: str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Train two towers so that the product of their vectors ranks as a teacher does.

    See :class:`ScoreDistillation` for what is minimised.

    Args:
        user_tower: from (n,) user ids to (n, features).
        item_tower: from (m,) item ids to (m, features).
        teacher: (n_users, n_items) scores.
        taken: (n_users, n_items) csr, what the users have.
        temperature: by which the teacher's scores are divided.
        weight: of the teacher, from 0 to 1.
        power: a user's n observed interactions count n^power all together.
        learning_rate: of Adam at the start; it falls to 0 as a cosine.
        epochs: passes over all users and items.
        batch_size: users a step.
        blocks: into how many blocks the items are cut.
        seed: of the order and the blocks.
        progress: title of the progress bar, or None for no bar.
        callbacks: of Keras.

    Raises:
        ValueError: the teacher's scores are of another shape than ``taken``, or not finite.
        FloatingPointError: training diverged.

    Example:
        >>> ids = [keras.Input((), dtype="int32") for _ in range(2)]
        >>> towers = [keras.Model(each, keras.layers.Embedding(2, 2)(each)) for each in ids]
        >>> teacher, taken = np.array([[0.0, 9.0], [9.0, 0.0]]), sparse.csr_matrix((2, 2))
        >>> distil(*towers, teacher, taken, blocks=1, epochs=30, learning_rate=0.3, weight=1.0)
        >>> users, items = (tower(np.arange(2)).numpy() for tower in towers)
        >>> (users @ items.T).argmax(1).tolist()
        [1, 0]
    """
    check_teacher(teacher, taken.shape)
    n_users, n_items = taken.shape
    blocks = min(blocks, n_items)
    model = ScoreDistillation(
        user_tower, item_tower, teacher, taken, blocks, temperature, weight, power, seed
    )
    batches = BlockBatches(n_users, blocks, batch_size, seed)
    fit(
        model,
        batches,
        None,
        learning_rate,
        epochs,
        progress,
        callbacks,
        jit_compile=False,
        steps_per_execution=min(8, len(batches)),
    )
