"""Mini-batches that depend on the epoch's number alone, so that training can go on after a stop."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class EpochBatches(keras.utils.PyDataset):
    """Mini-batches in an order, and with draws, that are new in every epoch.

    Whoever trains calls :meth:`start_epoch` before each epoch. Epoch 7 is the same whether or not
    epochs 0 to 6 were run by the same process.

    Args:
        seed: of everything that is drawn.

    Attributes:
        one_width: whether batches differ in their number of rows at most.
    """

    one_width = True

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw what is new in ``epoch``, which counts from 0."""
        self.draw(np.random.default_rng([self.seed, epoch]))

    def dataset(self) -> tf.data.Dataset:
        """The batches of the epoch that was started last.

        Keras guesses the shapes from the first two batches, and stops at one that is longer.
        """
        first = self[0]

        def any_length(array: np.ndarray) -> tf.TensorSpec:
            rest = array.shape[1:] if self.one_width else (None,) * (np.ndim(array) - 1)
            return tf.TensorSpec((None, *rest), array.dtype)

        def batches() -> Iterator[Any]:
            for index in range(len(self)):
                yield self[index]

        data = tf.data.Dataset.from_generator(
            batches, output_signature=tf.nest.map_structure(any_length, first)
        )
        return data.apply(tf.data.experimental.assert_cardinality(len(self))).prefetch(2)

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> None:
        """Draw order and negatives from ``rng``."""
