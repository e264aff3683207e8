"""A transformer with the loss it is trained by: which item belongs in each marked place?"""

from typing import Any

import tensorflow as tf

from rsutils.training.drawing import DrawingModel
from rsutils.training.item_losses import full_softmax, one_negative, sampled_softmax
from rsutils.training.sequence_batches import NO_ITEM

LOSSES = ("full_softmax", "sampled_softmax", "one_negative")


class ItemPrediction(DrawingModel):
    """Trains ``transformer`` to give the target's row the largest inner product with the state.

    Negatives are drawn inside the graph, evenly over all items. The loss is the sum over the places
    that have a target, divided by ``mean_places``. A mean over the batch's own places would make a
    place count for more in a batch of short sequences, and batches are sorted by length.

    Args:
        transformer: from ``{"item", "place"}`` to states (batch, n, d).
        table: name of its embedding layer of items; row i + 1 is item i.
        n_items: how many items exist.
        loss: one of ``LOSSES``.
        mean_places: how many places a batch has, in the mean over batches.
        negatives: drawn for each batch by ``sampled_softmax``.
        seed: of the negatives.
    """

    def __init__(
        self,
        transformer: Any,
        table: str,
        n_items: int,
        loss: str,
        mean_places: float,
        negatives: int,
        seed: int,
    ) -> None:
        super().__init__(n_items, negatives, seed)
        self.transformer = transformer
        self.table = transformer.get_layer(table)
        self.loss_name = loss
        self.mean_places = mean_places

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> Any:
        """The states: (batch, n, d)."""
        return self.transformer(inputs, training=training)

    def batch_loss(self, target: Any, output: Any) -> Any:
        """``target`` is (batch, n), items counted from 1, 0 for none; ``output`` the states."""
        marked = tf.where(target != NO_ITEM)
        weight = tf.cast(tf.shape(marked)[0], tf.float32) / self.mean_places
        state, item = tf.gather_nd(output, marked), tf.gather_nd(target, marked) - 1
        return weight * self._mean_loss(state, item)

    def _mean_loss(self, state: Any, target: Any) -> Any:
        table = tf.convert_to_tensor(self.table.embeddings)[1 : self.n_items + 1]
        if self.loss_name == "full_softmax":
            return full_softmax(state, target, table)
        if self.loss_name == "sampled_softmax":
            return sampled_softmax(state, target, table, self.drawn((self.negatives,)))
        return one_negative(state, target, table, self.drawn(tf.shape(target)))
