"""Mini-batches cut from whole arrays inside TensorFlow, without a Python step a batch."""

from typing import Any

import numpy as np
import tensorflow as tf

from rsutils.training.batches import EpochBatches


class SliceBatches(EpochBatches):
    """Mini-batches of aligned arrays, in a new order in each epoch.

    The order of all rows is drawn at once, so it is a full shuffle, and a batch is one gather from
    each array. ``tf.data``'s ``shuffle(10000)`` mixes within a window only, and moves row by row.

    Args:
        arrays: an array, or tuples and dicts of arrays, all with n rows.
        batch_size: rows a batch; the last one of an epoch may be smaller.
        seed: of the order.

    Raises:
        ValueError: the arrays differ in their number of rows, or there is none.

    Example:
        >>> batches = SliceBatches((np.arange(5), np.arange(5) ** 2), batch_size=2, seed=0)
        >>> [(row.numpy().shape, bool((row**2 == square).numpy().all()))
        ...     for row, square in batches.dataset()]
        [((2,), True), ((2,), True), ((1,), True)]
    """

    def __init__(self, arrays: Any, batch_size: int, seed: int) -> None:
        rows = {len(array) for array in tf.nest.flatten(arrays)}
        if len(rows) != 1 or not min(rows):
            raise ValueError(f"The arrays have {sorted(rows)} rows; expected one number, above 0.")
        self.arrays = tf.nest.map_structure(tf.constant, arrays)
        self.rows = rows.pop()
        self.batch_size = batch_size
        self.order = tf.Variable(tf.zeros((self.rows,), tf.int32), trainable=False)
        super().__init__(seed)

    def draw(self, rng: np.random.Generator) -> None:
        """Draw the order."""
        self.order.assign(rng.permutation(self.rows).astype(np.int32))

    def __len__(self) -> int:
        return -(-self.rows // self.batch_size)

    def __getitem__(self, index: Any) -> Any:
        start = tf.cast(index, tf.int32) * self.batch_size
        rows = self.order[start : start + self.batch_size]
        return tf.nest.map_structure(lambda array: tf.gather(array, rows), self.arrays)

    def dataset(self) -> tf.data.Dataset:
        """The batches of the epoch that was started last."""
        data = tf.data.Dataset.range(len(self))
        return data.map(self.__getitem__, num_parallel_calls=tf.data.AUTOTUNE).prefetch(4)
