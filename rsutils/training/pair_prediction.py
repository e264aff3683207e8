"""A scorer of pairs with the loss it is trained by: is this pair taken, or was it drawn?"""

from typing import Any

import numpy as np
import tensorflow as tf

from rsutils.data.interactions import Interactions
from rsutils.training.drawing import DrawingModel


class PairPrediction(DrawingModel):
    """Trains ``scorer`` to tell observed pairs from pairs with an item drawn at random.

    The negatives are drawn inside the graph, evenly over all items. One that the user has does not
    count. Binary cross-entropy, in the mean over the pairs that count, plus the penalties of the
    scorer's tables.

    Args:
        scorer: from ``{"user": (n,), "item": (n,)}`` to logits (n, 1).
        interactions: what the users have.
        negatives: drawn for each observed pair.
        seed: of the negatives.
    """

    def __init__(self, scorer: Any, interactions: Interactions, negatives: int, seed: int) -> None:
        super().__init__(interactions.n_items, negatives, seed)
        self.scorer = scorer
        self.taken = tf.constant(np.unique(interactions.pair_keys()))

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> tuple[Any, Any]:
        """Logits of the observed pair and its negatives, and whether each counts.

        Args:
            inputs: ``{"user": (batch,), "item": (batch,)}`` int32, observed pairs.
            training: for the scorer.

        Returns:
            Two arrays (batch, 1 + negatives) float32, the observed pair first.
        """
        user, item = inputs["user"], inputs["item"]
        drawn = self.drawn((tf.size(user), self.negatives))
        items = tf.concat([item[:, None], drawn], axis=1)
        users = tf.broadcast_to(user[:, None], tf.shape(items))
        pairs = {"user": tf.reshape(users, (-1,)), "item": tf.reshape(items, (-1,))}
        logits = tf.reshape(self.scorer(pairs, training=training), tf.shape(items))
        free = tf.cast(~self._taken(user, drawn), tf.float32)
        counts = tf.concat([tf.ones_like(free[:, :1]), free], axis=1)
        return tf.cast(logits, tf.float32), counts

    def batch_loss(self, target: Any, output: Any) -> Any:
        """Mean over the pairs that count; ``output`` is what :meth:`call` gives."""
        logits, counts = output
        label = tf.one_hot(tf.zeros_like(logits[:, 0], tf.int32), tf.shape(logits)[1])
        loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=label, logits=logits)
        return tf.reduce_sum(counts * loss) / tf.reduce_sum(counts) + sum(self.losses)

    def _taken(self, user: Any, item: Any) -> Any:
        keys = tf.cast(user, tf.int64)[:, None] * self.n_items + tf.cast(item, tf.int64)
        flat = tf.reshape(keys, (-1,))
        place = tf.minimum(tf.searchsorted(self.taken, flat), len(self.taken) - 1)
        return tf.reshape(tf.gather(self.taken, place) == flat, tf.shape(keys))
