"""A transformer with the loss it is trained by: which item belongs in each marked place?"""

from typing import Any

import keras
import tensorflow as tf

from rsutils.training.item_losses import full_softmax, one_negative, sampled_softmax
from rsutils.training.sequence_batches import NO_ITEM

LOSSES = ("full_softmax", "sampled_softmax", "one_negative")


class ItemPrediction(keras.Model):
    """Trains ``transformer`` to give the target's row the largest inner product with the state.

    Negatives are drawn inside the graph, evenly over all items.

    Args:
        transformer: from ``{"item", "place"}`` to states (batch, n, d).
        table: name of its embedding layer of items; row i + 1 is item i.
        n_items: how many items exist.
        loss: one of ``LOSSES``.
        negatives: drawn for each batch by ``sampled_softmax``.
        seed: of the negatives.
    """

    def __init__(
        self, transformer: Any, table: str, n_items: int, loss: str, negatives: int, seed: int
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.table = transformer.get_layer(table)
        self.n_items = n_items
        self.loss_name = loss
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
        """Mean over the places that have a target; ``y`` is (batch, n), items counted from 1."""
        marked = tf.where(y != NO_ITEM)
        state, target = tf.gather_nd(y_pred, marked), tf.gather_nd(y, marked) - 1
        table = tf.convert_to_tensor(self.table.embeddings)[1 : self.n_items + 1]
        if self.loss_name == "full_softmax":
            return full_softmax(state, target, table)
        if self.loss_name == "sampled_softmax":
            return sampled_softmax(state, target, table, self._drawn((self.negatives,)))
        return one_negative(state, target, table, self._drawn(tf.shape(target)))

    def _drawn(self, shape: Any) -> Any:
        return keras.random.randint(shape, 0, self.n_items, dtype="int32", seed=self.draws)
