"""Mini-batches that depend on the epoch's number alone, so that training can go on after a stop."""

from abc import abstractmethod

import keras
import numpy as np


class EpochBatches(keras.utils.PyDataset):
    """Mini-batches in an order, and with draws, that are new in every epoch.

    Whoever trains calls :meth:`start_epoch` before each epoch. Epoch 7 is the same whether or not
    epochs 0 to 6 were run by the same process.

    Args:
        seed: of everything that is drawn.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw what is new in ``epoch``, which counts from 0."""
        self.draw(np.random.default_rng([self.seed, epoch]))

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> None:
        """Draw order and negatives from ``rng``."""
