"""Mini-batches of labelled rows."""

import numpy as np

from rsutils.data.dataset import FieldRows
from rsutils.training.batches import EpochBatches


class RowBatches(EpochBatches):
    """Mini-batches of ids and labels, in a new order in each epoch.

    Args:
        rows: what to train on.
        batch_size: rows a batch; the last one of an epoch may be smaller.
        seed: of the order.

    Example:
        >>> rows = FieldRows(np.array([[0, 3], [1, 4], [2, 3]], np.int32), np.float32([0, 1, 1]))
        >>> batches = RowBatches(rows, batch_size=2, seed=0)
        >>> [(features.shape, label.shape) for features, label in map(batches.__getitem__, (0, 1))]
        [((2, 2), (2, 1)), ((1, 2), (1, 1))]
    """

    def __init__(self, rows: FieldRows, batch_size: int, seed: int) -> None:
        self.rows = rows
        self.batch_size = batch_size
        super().__init__(seed)

    def draw(self, rng: np.random.Generator) -> None:
        """Draw the order."""
        self.order = rng.permutation(len(self.rows))

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return self.rows.features[rows], self.rows.label[rows, None]
