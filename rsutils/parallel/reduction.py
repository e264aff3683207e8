"""From the gradients of each worker to those that all apply."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from rsutils.parallel.collectives import (
    Adasum,
    Average,
    Compression,
    Op,
    grouped_allgather,
    grouped_allreduce,
)
from rsutils.parallel.local import is_local
from rsutils.parallel.world import size
from rsutils.training.table_adam import Gradient, merge_rows


@dataclass(frozen=True)
class Reduction:
    """How gradients are brought together.

    A dense gradient is all-reduced. One that names a few rows of a table (``tf.IndexedSlices``)
    would be almost empty as a whole table: its rows are gathered from all workers. In what comes
    out each row is named once, with one worker, too: Keras 3 squares each mention of a row apart,
    so that Adam would see a sum of squares in place of the square of the sum.

    Attributes:
        op: ``Average``, ``Sum`` or ``Adasum``; Adasum takes dense gradients only.
        compression: the type in which they travel.
        sparse_as_dense: all-reduce gradients of rows as whole tables.
        merge_rows: add up the gradients of a row within each worker before they travel.
        grouped: bring all gradients together in one exchange, in place of one for each.
        merge_result: name each row once in what comes out; False for an optimizer that adds up the
            mentions of a row by itself.
    """

    op: Op = Average
    compression: Compression = Compression.none
    sparse_as_dense: bool = False
    merge_rows: bool = True
    grouped: bool = True
    merge_result: bool = True

    def __call__(self, gradients: Sequence[Gradient | None], variables: Sequence[Any]) -> list:
        """What every worker applies; gradients of local variables stay on their worker.

        A local variable's gradient holds what all workers contributed to its rows, so for an
        average it is divided by the number of workers.

        Raises:
            ValueError: Adasum is asked for rows.
        """
        reduced: list[Any] = [None] * len(gradients)
        dense, sparse = [], []
        for place, (gradient, variable) in enumerate(zip(gradients, variables, strict=True)):
            if gradient is None:
                continue
            if is_local(variable):
                reduced[place] = self._finish(gradient)
            elif isinstance(gradient, tf.IndexedSlices) and not self.sparse_as_dense:
                sparse.append(place)
            else:
                dense.append(place)
        if sparse and self.op is Adasum:
            raise ValueError(
                "Adasum was asked for gradients of table rows, which it cannot combine; "
                "pass sparse_as_dense=True or op=Average."
            )
        for places, exchange in ((dense, self._dense), (sparse, self._sparse)):
            for part in [places] if self.grouped else [[place] for place in places]:
                name = f"{exchange.__name__.strip('_')}_{part[0]}" if part else ""
                new = exchange([gradients[place] for place in part], name)
                for place, gradient in zip(part, new, strict=True):
                    reduced[place] = gradient
        return reduced

    def _finish(self, gradient: Gradient) -> Gradient:
        return self._share(merge_rows(gradient) if self.merge_result else gradient)

    def _share(self, gradient: Gradient) -> Gradient:
        if self.op is not Average:
            return gradient
        if isinstance(gradient, tf.IndexedSlices):
            values = gradient.values / size()
            return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
        return gradient / size()

    def _dense(self, gradients: list[Gradient], name: str) -> list[tf.Tensor]:
        return grouped_allreduce(gradients, self.op, self.compression, name)

    def _sparse(self, gradients: list[tf.IndexedSlices], name: str) -> list[tf.IndexedSlices]:
        if self.merge_rows and size() > 1:
            gradients = [merge_rows(gradient) for gradient in gradients]
        values = grouped_allgather(
            [g.values for g in gradients], self.compression, f"{name}_values"
        )
        rows = grouped_allgather([g.indices for g in gradients], name=f"{name}_rows")
        return [
            self._finish(tf.IndexedSlices(value, row, gradient.dense_shape))
            for value, row, gradient in zip(values, rows, gradients, strict=True)
        ]
