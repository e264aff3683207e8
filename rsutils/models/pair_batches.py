"""What models of single pairs train on: observed pairs, and pairs drawn among the others."""

import keras
import numpy as np

from rsutils.data.interactions import Interactions
from rsutils.data.negatives import sample_negatives


class PairBatches(keras.utils.PyDataset):
    """Mini-batches of observed pairs with their negatives, drawn anew for every epoch.

    Args:
        interactions: the observed pairs.
        batch_size: observed pairs a batch.
        negatives: pairs drawn for each.
        seed: of the order and the negatives.
    """

    def __init__(
        self, interactions: Interactions, batch_size: int, negatives: int, seed: int
    ) -> None:
        super().__init__()
        self.interactions = interactions
        self.batch_size = batch_size
        self.negatives = negatives
        self.rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order and negatives."""
        log, draw = self.interactions, int(self.rng.integers(2**31))
        drawn = sample_negatives(log, log.user, self.negatives, seed=draw)
        self.items = np.column_stack([log.item, drawn])
        self.order = self.rng.permutation(len(log))

    def __len__(self) -> int:
        return -(-len(self.interactions) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        items = self.items[rows]
        label = np.zeros(items.shape, np.float32)
        label[:, 0] = 1
        user = np.repeat(self.interactions.user[rows], items.shape[1])
        return {"user": user, "item": items.ravel()}, label.reshape(-1, 1)
