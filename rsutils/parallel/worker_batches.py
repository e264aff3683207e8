"""Mini-batches for one worker of several: together they go through all rows once an epoch."""

from typing import Any

import tensorflow as tf

from rsutils.parallel import world
from rsutils.training import SliceBatches


class WorkerBatches(SliceBatches):
    """This worker's part of each global batch.

    All workers draw the same order of all rows. An epoch's S steps of N workers cut it into S · N
    parts whose lengths differ by one row at most; step s of rank r has part s · N + r. So every
    worker has the same number of steps, each row is seen once an epoch, and the N parts of a step
    are what one worker would have as its batch.

    Args:
        arrays: an array, or tuples and dicts of arrays, all with n rows, on every worker.
        batch_size: rows of a worker's batch, at most; batches of one row may have two, so that
            none is empty.
        seed: of the order; the same on every worker.
        rank: this worker; None asks Horovod.
        size: workers; None asks Horovod.

    Raises:
        ValueError: the arrays differ in their number of rows, a number is out of its range, or
            there are more workers than rows.

    Example:
        >>> import numpy as np
        >>> for rank in range(2):
        ...     part = WorkerBatches(np.arange(5), batch_size=2, seed=0, rank=rank, size=2)
        ...     [rows.numpy().tolist() for rows in part.dataset()]
        [[4], [3]]
        [[2], [1, 0]]
    """

    def __init__(
        self,
        arrays: Any,
        batch_size: int,
        seed: int,
        rank: int | None = None,
        size: int | None = None,
    ) -> None:
        self.rank = world.rank() if rank is None else rank
        self.size = world.size() if size is None else size
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; expected at least 1.")
        if not 0 <= self.rank < self.size:
            raise ValueError(f"rank is {self.rank}; expected 0 to {self.size - 1}, size - 1.")
        super().__init__(arrays, batch_size, seed)
        if self.rows < self.size:
            raise ValueError(
                f"{self.rows} rows for {self.size} workers; each needs at least one. Use fewer."
            )

    def skip(self, seen: int) -> int:
        """Leave out the first ``seen`` rows of the order; returns how many are left.

        So an epoch can go on where other workers, perhaps more or fewer, left off.
        """
        self.seen = seen
        return self.rows - seen

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of ``epoch``, which counts from 0, and begin at its front."""
        self.seen = 0
        super().start_epoch(epoch)

    def __len__(self) -> int:
        left = self.rows - self.seen
        steps = -(-left // (self.batch_size * self.size))
        # With batches of one row, some would be empty, and an empty batch has no mean loss.
        return max(min(steps, left // self.size), 1)

    def __getitem__(self, index: Any) -> Any:
        part = tf.cast(index, tf.int64) * self.size + self.rank
        parts = len(self) * self.size
        left = self.rows - self.seen
        start, end = part * left // parts, (part + 1) * left // parts
        rows = self.order[self.seen + start : self.seen + end]
        return tf.nest.map_structure(lambda array: tf.gather(array, rows), self.arrays)
