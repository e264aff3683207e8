"""A transformer with the loss it is trained by: which item belongs in each marked place?"""

from typing import Any

import keras
import tensorflow as tf

from rsutils.training.item_losses import full_softmax, one_negative, sampled_softmax
from rsutils.training.sequence_batches import NO_ITEM

LOSSES = ("full_softmax", "sampled_softmax", "one_negative")


class ItemPrediction(keras.Model):
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
        super().__init__()
        self.transformer = transformer
        self.table = transformer.get_layer(table)
        self.n_items = n_items
        self.loss_name = loss
        self.mean_places = mean_places
        self.negatives = negatives
        self.draws = keras.random.SeedGenerator(seed)
        self.built = True  # It has no weights of its own; BackupAndRestore asks before it restores.

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> Any:
        """The states: (batch, n, d)."""
        return self.transformer(inputs, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The loss of a batch; ``y`` is (batch, n), items counted from 1, 0 for no target."""
        marked = tf.where(y != NO_ITEM)
        weight = tf.cast(tf.shape(marked)[0], tf.float32) / self.mean_places
        return weight * self._mean_loss(marked, y, y_pred)

    def _mean_loss(self, marked: Any, y: Any, y_pred: Any) -> Any:
        state, target = tf.gather_nd(y_pred, marked), tf.gather_nd(y, marked) - 1
        table = tf.convert_to_tensor(self.table.embeddings)[1 : self.n_items + 1]
        if self.loss_name == "full_softmax":
            return full_softmax(state, target, table)
        if self.loss_name == "sampled_softmax":
            return sampled_softmax(state, target, table, self._drawn((self.negatives,)))
        return one_negative(state, target, table, self._drawn(tf.shape(target)))

    def _drawn(self, shape: Any) -> Any:
        return keras.random.randint(shape, 0, self.n_items, dtype="int32", seed=self.draws)
