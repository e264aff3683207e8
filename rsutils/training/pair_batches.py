"""What models of single pairs train on: observed pairs, and pairs drawn among the others."""

import numpy as np

from rsutils.data.interactions import Interactions
from rsutils.data.negatives import sample_negatives
from rsutils.training.batches import EpochBatches


class PairBatches(EpochBatches):
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
        self.interactions = interactions
        self.batch_size = batch_size
        self.negatives = negatives
        super().__init__(seed)

    def draw(self, rng: np.random.Generator) -> None:
        """Draw order and negatives."""
        log = self.interactions
        drawn = sample_negatives(log, log.user, self.negatives, seed=int(rng.integers(2**31)))
        self.items = np.column_stack([log.item, drawn])
        self.order = rng.permutation(len(log))

    def __len__(self) -> int:
        return -(-len(self.interactions) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        items = self.items[rows]
        label = np.zeros(items.shape, np.float32)
        label[:, 0] = 1
        user = np.repeat(self.interactions.user[rows], items.shape[1])
        return {"user": user, "item": items.ravel()}, label.reshape(-1, 1)
