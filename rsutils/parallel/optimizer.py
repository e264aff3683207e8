"""Any Keras 3 optimizer, applied to the gradients of all workers."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from rsutils.parallel.collectives import Average, Compression, Op
from rsutils.parallel.local import is_local
from rsutils.parallel.reduction import Reduction


def DistributedOptimizer(  # noqa: N802 - Horovod's name
    optimizer: keras.optimizers.Optimizer,
    op: Op = Average,
    compression: Compression = Compression.none,
    sparse_as_dense: bool = False,
    backward_passes_per_step: int = 1,
    average_aggregated_gradients: bool = False,
    merge_rows: bool = True,
    grouped: bool = True,
) -> keras.optimizers.Optimizer:
    """``optimizer``, which from now on applies what the gradients of all workers come to.

    ``model.compile`` and ``model.fit`` go on as usual, and with one worker nothing changes. Its
    class keeps the name of the optimizer's own, so that a saved model loads with plain Keras.
    Clipping comes after the gradients are brought together.

    Args:
        optimizer: of Keras; it is changed in place, with its state.
        op: ``Average``, ``Sum`` or ``Adasum``.
        compression: the type in which gradients travel, ``Compression.fp16`` for half the bytes.
        sparse_as_dense: all-reduce the gradients of tables as whole tables.
        backward_passes_per_step: batches whose gradients are added up before they travel.
        average_aggregated_gradients: divide what was added up by the number of batches.
        merge_rows: add up the gradients of a row within each worker before they travel.
        grouped: one exchange for all gradients of a kind, in place of one for each.

    Returns:
        The same object.

    Raises:
        TypeError: it is no optimizer of Keras 3.
        ValueError: it is distributed already, or an argument is out of its range.

    Example:
        >>> optimizer = DistributedOptimizer(keras.optimizers.SGD(0.5))
        >>> weight = keras.Variable([1.0])
        >>> optimizer.apply([tf.constant([1.0])], [weight])
        >>> weight.numpy()
        array([0.5], dtype=float32)
    """
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(
            f"optimizer is a {type(optimizer).__module__}.{type(optimizer).__name__}; expected an "
            "optimizer of Keras 3, such as keras.optimizers.Adam(0.001)."
        )
    if isinstance(optimizer, Distributed):
        raise ValueError("The optimizer is distributed already; wrap it once.")
    if backward_passes_per_step < 1:
        raise ValueError(
            f"backward_passes_per_step is {backward_passes_per_step}; expected at least 1."
        )
    merge_result = not getattr(optimizer, "merges_rows", False)
    reduction = Reduction(op, compression, sparse_as_dense, merge_rows, grouped, merge_result)
    own = type(optimizer)
    # Keras writes these two names into a saved model, and looks for the class under them.
    names = {
        "__module__": "keras.optimizers" if own.__module__.startswith("keras.") else own.__module__,
        "__qualname__": own.__qualname__,
    }
    optimizer.__class__ = type(own.__name__, (Distributed, own), names)
    optimizer.distribute(reduction, backward_passes_per_step, average_aggregated_gradients)
    return optimizer


class Distributed:
    """What :func:`DistributedOptimizer` puts in front of an optimizer's own class."""

    reduction: Reduction
    passes: int
    average_passes: bool
    exchange_seconds: tf.Variable
    """Seconds spent in bringing gradients together, waiting for slower workers included."""

    def distribute(self, reduction: Reduction, passes: int, average_passes: bool) -> None:
        """Set how gradients of workers and of passes are brought together."""
        self.reduction = reduction
        self.passes = passes
        self.average_passes = average_passes
        with tf.init_scope():
            self.exchange_seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        if self.built:
            self._prepare(self._trainable_variables)

    def build(self, variables: Sequence[Any]) -> None:
        """Make the optimizer's own state, and room for the gradients of several passes."""
        super().build(variables)
        self._prepare(variables)

    def _prepare(self, variables: Sequence[Any]) -> None:
        own = [v.path for v in variables if is_local(v)]
        if own and (self.clipnorm or self.global_clipnorm):
            raise ValueError(
                f"{own[0]} is spread over the workers, and none of them knows its norm; "
                "use clipvalue in place of clipnorm and global_clipnorm."
            )
        if self.passes > 1:
            with tf.init_scope():
                self._pass = tf.Variable(0, dtype=tf.int64, trainable=False)
                self._sums = [
                    tf.Variable(tf.zeros(v.shape, v.dtype), trainable=False) for v in variables
                ]

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Bring the gradients together and let the optimizer apply them."""
        if trainable_variables is None:
            trainable_variables = self._trainable_variables
        variables = list(trainable_variables)
        if not self.built:
            self.build(variables)
        if self.passes == 1:
            super().apply(self._exchange(list(grads), variables), variables)
        else:
            self._add_up(list(grads), variables)

    def _add_up(self, grads: list[Any], variables: list[Any]) -> None:
        sparse = any(isinstance(gradient, tf.IndexedSlices) for gradient in grads)
        if sparse and not self.reduction.sparse_as_dense:
            raise ValueError(
                f"backward_passes_per_step is {self.passes}: gradients of tables are added up as "
                "whole tables. Pass sparse_as_dense=True as well, or leave it at 1."
            )
        sums = [self._sums[self._get_variable_index(variable)] for variable in variables]
        for total, gradient in zip(sums, grads, strict=True):
            if gradient is not None:
                total.assign_add(tf.cast(tf.convert_to_tensor(gradient), total.dtype))
        self._pass.assign_add(1)
        apply = super().apply

        def step() -> None:
            share = self.passes if self.average_passes else 1
            apply(self._exchange([total / share for total in sums], variables), variables)
            for total in sums:
                total.assign(tf.zeros_like(total))

        tf.cond(self._pass % self.passes == 0, step, lambda: None)

    def _exchange(self, grads: list[Any], variables: list[Any]) -> list[Any]:
        """The reduced gradients; the clock counts from when all of this worker's are there."""
        with tf.control_dependencies(_tensors(grads)):
            start = tf.timestamp()
        with tf.control_dependencies([start] if self.reduction.grouped else []):
            reduced = self.reduction([_copy(gradient) for gradient in grads], variables)
        with tf.control_dependencies(_tensors(reduced)):
            self.exchange_seconds.assign_add(tf.timestamp() - start)
        return reduced


def _tensors(gradients: list[Any]) -> list[tf.Tensor]:
    """All that gradients consist of, rows and their values apart."""
    parts = tf.nest.flatten(gradients, expand_composites=True)
    return [part for part in parts if part is not None]


def _copy(gradient: Any) -> Any:
    """The same gradient, as operations that control dependencies hold back."""
    if gradient is None:
        return None
    return tf.nest.map_structure(tf.identity, gradient, expand_composites=True)
