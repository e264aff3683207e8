"""An embedding table whose rows are spread over the workers."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.special import ndtri

from rsutils.parallel.collectives import alltoall
from rsutils.parallel.local import register_local_var
from rsutils.parallel.placement import ByRow, ByTable, Placement
from rsutils.parallel.world import rank, size


class ShardedEmbedding(keras.layers.Layer):
    """``keras.layers.Embedding`` of which each of N workers holds about 1/N of the rows.

    A lookup is two exchanges: each worker sends the ids that it needs to the workers that hold
    them, and gets their vectors back; on the way back through the network the gradients travel to
    the rows. So memory, and the optimizer's state with it, shrinks with the number of workers, and
    what travels grows with the batch, not with the table. The rest of the model stays
    data-parallel; compile it with ``DistributedOptimizer``, which leaves this table's gradients
    where they are. With one worker it is an ordinary table.

    The first numbers of a row depend on ``seed`` and on the row, not on the number of workers.

    Args:
        input_dim: rows of the whole table; or the rows of several tables, each of which then stays
            whole on one worker. Ids of table t begin at the sum of the rows before it.
        output_dim: length of a vector.
        stddev: standard deviation of the first numbers.
        seed: of the first numbers.
        placement: where rows are; None places by row, or by table where there are several. One of a
            single worker, ``ByRow(input_dim, 1)``, is a whole table on every worker.
        name: of the layer.
        **options: of any Keras layer.

    Raises:
        ValueError: more workers than rows or tables; when called, ids outside of the table.

    Example:
        >>> layer = ShardedEmbedding(10, 4)
        >>> layer(np.array([[1, 2, 1]])).shape
        TensorShape([1, 3, 4])
    """

    def __init__(
        self,
        input_dim: int | Sequence[int],
        output_dim: int,
        stddev: float = 0.05,
        seed: int = 0,
        placement: Placement | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.input_dim = input_dim if isinstance(input_dim, int) else tuple(map(int, input_dim))
        self.output_dim = output_dim
        self.stddev = stddev
        self.seed = seed
        default = ByRow if isinstance(self.input_dim, int) else ByTable
        self.placement = placement or default(self.input_dim, size())

    def build(self, input_shape: Any = None) -> None:
        """Make this worker's rows."""
        own = self.placement.rows_of(rank() if self.placement.size > 1 else 0)
        self.embeddings = self.add_weight(
            shape=(len(own), self.output_dim),
            initializer=lambda shape, dtype=None: tf.constant(
                first_numbers(own, self.output_dim, self.stddev, self.seed), dtype
            ),
            name="embeddings",
        )
        if self.placement.size > 1:
            register_local_var(self.embeddings)

    def call(self, ids: Any) -> tf.Tensor:
        """The vectors of ``ids``, wherever their rows are: shape of ids + (output_dim,)."""
        ids = tf.convert_to_tensor(ids)
        flat = tf.reshape(ids, [-1])
        n_rows = self.placement.n_rows
        message = f"{self.name} was asked for an id outside of its {n_rows} rows"
        inside = [
            tf.debugging.assert_non_negative(flat, message),
            tf.debugging.assert_less(flat, tf.cast(n_rows, flat.dtype), message),
        ]
        with tf.control_dependencies([check for check in inside if check is not None]):
            wanted, place = tf.unique(flat)
        answers, order = self._fetch(wanted)
        vectors = tf.gather(answers, tf.gather(order, place))
        return tf.reshape(vectors, tf.concat([tf.shape(ids), [self.output_dim]], 0))

    def _fetch(self, wanted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The vectors of distinct ids by the workers that hold them, and where each id's is."""
        table = tf.convert_to_tensor(self.embeddings)
        owner, place = self.placement.locate(wanted)
        if self.placement.size == 1:
            return tf.gather(table, place), tf.range(tf.size(wanted))
        by_owner = tf.dynamic_partition(tf.range(tf.size(wanted)), owner, self.placement.size)
        order = tf.concat(by_owner, 0)
        counts = tf.stack([tf.size(part) for part in by_owner])
        asked, asked_counts = alltoall(tf.gather(place, order), counts, f"{self.name}_ids")
        answers, _ = alltoall(tf.gather(table, asked), asked_counts, f"{self.name}_vectors")
        return answers, tf.math.invert_permutation(order)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Shape of the ids and ``output_dim``."""
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """What makes the layer anew, on any number of workers."""
        own = {name: getattr(self, name) for name in ("input_dim", "output_dim", "stddev", "seed")}
        return {**super().get_config(), **own}


def first_numbers(rows: np.ndarray, dimensions: int, stddev: float, seed: int) -> np.ndarray:
    """Normal numbers for each row, the same however the rows are spread: (n, dimensions) float32.

    A number's place in the whole table is hashed (Steele et al. 2014, "Fast splittable pseudorandom
    number generators", figure 16), the hash taken as a quantile.

    Example:
        >>> both = first_numbers(np.array([3, 8]), 2, 1.0, seed=0)
        >>> bool((first_numbers(np.array([8]), 2, 1.0, seed=0) == both[1]).all())
        True
    """
    place = rows[:, None].astype(np.uint64) * np.uint64(dimensions) + np.arange(
        dimensions, dtype=np.uint64
    )
    start = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    z = start + (place + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    quantile = ((z >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53
    return (stddev * ndtri(quantile)).astype(np.float32)
