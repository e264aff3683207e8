"""What workers do together: sums, gathers, exchanges. With one worker each returns its input.

Names and meanings are Horovod's (Sergeev and Del Balso 2018, "Horovod: fast and easy distributed
deep learning in TensorFlow"). Every worker has to make the same calls in the same order.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any

import tensorflow as tf

from rsutils.parallel.world import horovod, size


class Op(Enum):
    """How tensors of several workers become one."""

    Average = "Average"
    Sum = "Sum"
    Adasum = "Adasum"
    """Adds what is orthogonal and averages what is parallel (Maleki et al. 2020, "Scaling
    distributed training with adaptive summation", section 3). Dense tensors only, and a number of
    workers that is a power of two."""


Average, Sum, Adasum = Op.Average, Op.Sum, Op.Adasum


class Compression(Enum):
    """The type in which floating-point numbers travel."""

    none = None
    fp16 = "float16"

    def compress(self, tensor: tf.Tensor) -> tf.Tensor:
        """``tensor`` as it travels; integers stay as they are."""
        smaller = self.value and tensor.dtype.is_floating
        return tf.cast(tensor, self.value) if smaller else tensor


def allreduce(
    tensor: Any, op: Op = Average, compression: Compression = Compression.none, name: str = ""
) -> tf.Tensor:
    """The average or sum of the workers' tensors, which have the same shape, on every worker.

    Example:
        >>> allreduce(tf.constant([1.0, 2.0])).numpy()
        array([1., 2.], dtype=float32)
    """
    return grouped_allreduce([tensor], op, compression, name)[0]


def grouped_allreduce(
    tensors: Sequence[Any],
    op: Op = Average,
    compression: Compression = Compression.none,
    name: str = "",
) -> list[tf.Tensor]:
    """:func:`allreduce` of several tensors in one exchange.

    Args:
        tensors: each of the same shape on every worker.
        op: ``Average``, ``Sum`` or ``Adasum``.
        compression: the type in which they travel.
        name: of the operation; the same on every worker. Needed outside of a ``tf.function`` only
            where several run at once.
    """
    tensors = [tf.convert_to_tensor(tensor) for tensor in tensors]
    engine = horovod()
    if engine is None or not tensors:
        return tensors
    if op is Adasum:
        return _adasum(tensors, compression, name)
    travelling = [compression.compress(tensor) for tensor in tensors]
    reduced = engine.grouped_allreduce(
        travelling, op=getattr(engine, op.value), name=name or None, ignore_name_scope=bool(name)
    )
    return [tf.cast(new, old.dtype) for new, old in zip(reduced, tensors, strict=True)]


def _adasum(tensors: list[tf.Tensor], compression: Compression, name: str) -> list[tf.Tensor]:
    """Adasum of each tensor, in pairs of pairs of workers; Horovod's own needs MPI or NCCL."""
    workers = size()
    if workers & (workers - 1):
        raise ValueError(
            f"Adasum combines pairs of pairs, and there are {workers} workers; use 2, 4, 8 "
            "or another power of two, or op=Average."
        )
    found = []
    for gathered in grouped_allgather([tensor[None] for tensor in tensors], compression, name):
        parts = tf.unstack(gathered, workers)
        while len(parts) > 1:
            parts = [_without_overlap(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
        found.append(parts[0])
    return found


def _without_overlap(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Their sum, less half of what each has of the other's direction (equation 1 of Adasum)."""
    both = tf.reduce_sum(a * b)
    own = tf.math.divide_no_nan(both, 2 * tf.reduce_sum(a * a))
    other = tf.math.divide_no_nan(both, 2 * tf.reduce_sum(b * b))
    return (1 - own) * a + (1 - other) * b


def grouped_allgather(
    tensors: Sequence[Any], compression: Compression = Compression.none, name: str = ""
) -> list[tf.Tensor]:
    """Each tensor's rows from all workers, in the order of ranks, on every worker.

    Args:
        tensors: of the same shape on every worker, but for the number of rows.
        compression: the type in which they travel.
        name: of the operation; the same on every worker.

    Example:
        >>> [rows] = grouped_allgather([tf.constant([[1.0], [2.0]])])
        >>> rows.shape
        TensorShape([2, 1])
    """
    tensors = [tf.convert_to_tensor(tensor) for tensor in tensors]
    engine = horovod()
    if engine is None or not tensors:
        return tensors
    travelling = [compression.compress(tensor) for tensor in tensors]
    rows = engine.grouped_allgather(travelling, name=name or None, ignore_name_scope=bool(name))
    return [tf.cast(new, old.dtype) for new, old in zip(rows, tensors, strict=True)]


def alltoall(tensor: Any, splits: Any, name: str = "") -> tuple[tf.Tensor, tf.Tensor]:
    """Send the first ``splits[0]`` rows to rank 0, the next ``splits[1]`` to rank 1, and so on.

    Returns:
        The rows that arrived, in the order of ranks, and how many came from each.

    Example:
        >>> rows, counts = alltoall(tf.constant([5, 6]), [2])
        >>> rows.numpy().tolist(), counts.numpy().tolist()
        ([5, 6], [2])
    """
    engine = horovod()
    if engine is None:
        return tf.identity(tensor), tf.convert_to_tensor(splits, tf.int32)
    return engine.alltoall(
        tensor, splits=tf.cast(splits, tf.int32), name=name or None, ignore_name_scope=bool(name)
    )


def broadcast_variables(variables: Sequence[Any], root_rank: int = 0) -> None:
    """Give every worker the values that ``root_rank`` has.

    Args:
        variables: Keras or TensorFlow variables, the same ones in the same order on every worker.
        root_rank: who has the values.
    """
    engine = horovod()
    if engine is not None and variables:
        # Horovod wants the variable of TensorFlow behind each variable of Keras.
        values = [getattr(v, "value", v) if hasattr(v, "path") else v for v in variables]
        engine.broadcast_variables(values, root_rank=root_rank)


def broadcast_object(thing: Any, root_rank: int = 0) -> Any:
    """The object that ``root_rank`` passed, on every worker."""
    engine = horovod()
    return engine.broadcast_object(thing, root_rank=root_rank) if engine else thing


def allgather_object(thing: Any) -> list[Any]:
    """Every worker's object, in the order of ranks, on every worker.

    Example:
        >>> allgather_object({"rank": 0})
        [{'rank': 0}]
    """
    engine = horovod()
    return engine.allgather_object(thing) if engine else [thing]


def barrier() -> None:
    """Wait until every worker came here."""
    allgather_object(0)
