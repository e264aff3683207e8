"""Losses of "which item belongs here?": against all items, a sample of them, or a single one.

Every function takes ``state`` (n, d), ``target`` (n,) int32 items and ``table`` (m, d), the items'
vectors, and returns the mean loss, a scalar. The score of an item is the inner product of its row
and the state.
"""

import math
from typing import Any

import tensorflow as tf


def full_softmax(state: Any, target: Any, table: Any) -> Any:
    """-log P(target), with P the softmax of the scores of all m items.

    Example:
        >>> loss = full_softmax(tf.zeros((1, 2)), tf.constant([3]), tf.ones((8, 2)))
        >>> round(float(loss), 4) == round(math.log(8), 4)
        True
    """
    logits = tf.matmul(state, table, transpose_b=True)
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=logits)
    )


def sampled_softmax(
    state: Any, target: Any, table: Any, negative: Any, log_expected: Any = None
) -> Any:
    """-log P(target), with ``negative``, (k,) random items, standing for all the others.

    Where item j is expected k q_j times in the sample, e^score / (k q_j), summed over the sample,
    is right in the mean for the sum over all other items: the score of a drawn item is corrected by
    -log(k q_j) (Bengio and Senécal 2003, "Quick training of probabilistic neural nets by importance
    sampling"). A drawn target does not count.

    Args:
        state: (n, d).
        target: (n,) int32.
        table: (m, d).
        negative: (k,) int32, shared by all rows.
        log_expected: (k,) log(k q_j) of each drawn item; None where all m - 1 others are drawn
            alike.

    Example:
        >>> loss = sampled_softmax(
        ...     tf.zeros((1, 2)), tf.constant([3]), tf.ones((8, 2)), tf.constant([1, 5])
        ... )
        >>> round(float(loss), 4) == round(math.log(8), 4)
        True
    """
    if log_expected is None:
        log_expected = math.log(negative.shape[0] / (table.shape[0] - 1))
    positive = tf.reduce_sum(state * tf.gather(table, target), axis=-1, keepdims=True)
    logits = tf.matmul(state, tf.gather(table, negative), transpose_b=True) - log_expected
    logits = tf.where(target[:, None] == negative[None, :], -1e9, logits)
    everything = tf.reduce_logsumexp(tf.concat([positive, logits], axis=1), axis=1)
    return tf.reduce_mean(everything - positive[:, 0])


def one_negative(state: Any, target: Any, table: Any, negative: Any) -> Any:
    """Binary cross-entropy of the target and of one other item each, ``negative`` (n,).

    (Kang and McAuley 2018, "Self-attentive sequential recommendation", section III-E.)

    Example:
        >>> loss = one_negative(
        ...     tf.zeros((1, 2)), tf.constant([3]), tf.ones((8, 2)), tf.constant([5])
        ... )
        >>> round(float(loss), 4) == round(2 * math.log(2), 4)
        True
    """
    positive = tf.reduce_sum(state * tf.gather(table, target), axis=-1)
    other = tf.reduce_sum(state * tf.gather(table, negative), axis=-1)
    return tf.reduce_mean(tf.nn.softplus(-positive) + tf.nn.softplus(other))
