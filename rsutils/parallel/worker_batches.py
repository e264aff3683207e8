"""Mini-batches for one worker of several: together they go through all rows once an epoch.

:class:`WorkerBatches` cuts rows that all workers hold, :class:`PartBatches` those of one worker.
"""

from typing import Any

import tensorflow as tf

from rsutils.parallel import world
from rsutils.training import SliceBatches


class WorkerBatches(SliceBatches):
    """This worker's part of each global batch.

    All workers draw the same order of all rows, and cut it into batches of N times ``batch_size``,
    as one worker would. Each of these is cut into N parts whose lengths differ by one row at most,
    a part a worker. So every worker has the same number of steps, each row is seen once an epoch,
    and the mean of the workers' gradients is that of the global batch. (Only in an epoch's last
    step may parts differ in length, and the mean be off by a share of one row.) A last batch with
    fewer rows than workers would leave some of them an empty part, whose mean is no number: it is
    joined to the batch before.

    Args:
        arrays: an array, or tuples and dicts of arrays, all with n rows, on every worker.
        batch_size: rows of a worker's batch; the last one of an epoch may be smaller, or have one
            row more.
        seed: of the order; the same on every worker.
        rank: this worker; None asks Horovod.
        size: workers; None asks Horovod.

    Raises:
        ValueError: the arrays differ in their number of rows, a number is out of its range, or
            there are more workers than rows.

    Example:
        >>> import numpy as np
        >>> for rank in range(2):
        ...     part = WorkerBatches(np.arange(7), batch_size=2, seed=0, rank=rank, size=2)
        ...     [rows.numpy().tolist() for rows in part.dataset()]
        [[2, 4], [5, 0]]
        [[3, 6], [1]]
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
        left, whole = self.rows - self.seen, self.batch_size * self.size
        return max(left // whole + (left % whole >= self.size), 1)

    def seen_after(self, steps: int) -> int:
        """Rows of the order that all workers have seen after ``steps`` steps from here."""
        whole = self.seen + steps * self.batch_size * self.size
        return self.rows if steps >= len(self) else whole

    def __getitem__(self, index: Any) -> Any:
        step = tf.cast(index, tf.int32)
        start = self.seen + step * self.batch_size * self.size
        whole = start + self.batch_size * self.size
        end = tf.where(step + 1 >= len(self), self.rows, whole)
        length, more = (end - start) // self.size, (end - start) % self.size
        first = start + self.rank * length + tf.minimum(self.rank, more)
        rows = self.order[first : first + length + tf.cast(self.rank < more, tf.int32)]
        return tf.nest.map_structure(lambda array: tf.gather(array, rows), self.arrays)


class PartBatches(SliceBatches):
    """Mini-batches of the rows that this worker alone holds.

    Where :class:`WorkerBatches` needs all rows on every worker, here each has read a part of its
    own, as long as any other's but for one row. An epoch goes through it in a new order; rows do
    not move between workers. All have the same number of steps, and the lengths of batches differ
    by one row at most.

    Args:
        arrays: an array, or tuples and dicts of arrays, all with this worker's n rows.
        batch_size: rows of a batch at most.
        seed: of the order.
        total: rows of all workers together.
        size: workers; None asks Horovod.

    Raises:
        ValueError: the arrays differ in their number of rows, these are not a worker's equal part
            of ``total``, or a batch would be empty.

    Example:
        >>> import numpy as np
        >>> part = PartBatches(np.arange(5), batch_size=2, seed=0, total=11, size=2)
        >>> [rows.numpy().tolist() for rows in part.dataset()]
        [[2], [4, 3], [0, 1]]
    """

    def __init__(
        self, arrays: Any, batch_size: int, seed: int, total: int, size: int | None = None
    ) -> None:
        size = world.size() if size is None else size
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; expected at least 1.")
        super().__init__(arrays, batch_size, seed)
        longest = -(-total // size)
        if self.rows not in (total // size, longest):
            raise ValueError(
                f"This worker has {self.rows} rows; of {total} for {size} workers each should "
                f"have {total // size} or {longest}: read_part() reads so many."
            )
        self.steps = -(-longest // batch_size)
        if self.rows < self.steps:
            raise ValueError(
                f"{self.rows} rows for {self.steps} steps leave an empty batch; raise batch_size."
            )

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: Any) -> Any:
        step = tf.cast(index, tf.int64)
        start, stop = step * self.rows // self.steps, (step + 1) * self.rows // self.steps
        rows = self.order[start:stop]
        return tf.nest.map_structure(lambda array: tf.gather(array, rows), self.arrays)
