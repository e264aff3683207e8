"""Adam for models with tables: what to do with a gradient that names a few rows only."""

from typing import Any

import keras
import tensorflow as tf

Gradient = tf.Tensor | tf.IndexedSlices


class DenseAdam(keras.optimizers.Adam):
    """Adam that adds up the gradient of a table over all its rows, and updates in one operation.

    The result is that of Keras' own Adam for the gradient of the whole table. Given a gradient of
    rows that names a row twice, Keras 3 squares each mention apart; here they are added up first.
    Keras also goes through all numbers about ten times.

    Raises:
        ValueError: ``amsgrad`` is asked for.

    Example:
        >>> table = keras.Variable(keras.ops.ones((3, 1)))
        >>> _ = DenseAdam(0.1).apply([tf.IndexedSlices(tf.ones((1, 1)), [1], (3, 1))], [table])
        >>> [round(float(number), 3) for number in table.numpy()[:, 0]]
        [1.0, 0.9, 1.0]
    """

    merges_rows = True
    """A gradient may name a row several times; what is squared is the sum of its mentions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        refuse_amsgrad(self)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update all rows."""
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(tf.convert_to_tensor(gradient), variable.dtype),
        )


class RowSparseAdam(keras.optimizers.Adam):
    """Adam that works only on the rows of a table that the batch touched.

    A step then costs as much as the batch has rows, however long the table is. It is another rule
    than Adam's: the averages of a row stand still, where Adam's would shrink, while no batch
    touches the row, and the row does not move. Gradients without rows get the usual step.

    Example:
        >>> table = keras.Variable(keras.ops.ones((3, 1)))
        >>> gradient = tf.IndexedSlices(tf.ones((2, 1)), [1, 1], (3, 1))
        >>> _ = RowSparseAdam(0.1).apply([gradient], [table])
        >>> [round(float(number), 3) for number in table.numpy()[:, 0]]
        [1.0, 0.9, 1.0]

    Raises:
        ValueError: ``amsgrad`` is asked for.
    """

    merges_rows = True
    """A gradient may name a row several times; what is squared is the sum of its mentions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        refuse_amsgrad(self)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update the rows that ``gradient`` names, or all where it is dense."""
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        values = tf.cast(gradient.values, variable.dtype)
        merged = merge_rows(tf.IndexedSlices(values, gradient.indices))
        row, g = merged.indices, merged.values
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        step = tf.cast(self.iterations + 1, g.dtype)
        new_mean = self.beta_1 * tf.gather(mean.value, row) + (1 - self.beta_1) * g
        new_square = self.beta_2 * tf.gather(square.value, row) + (1 - self.beta_2) * tf.square(g)
        self.assign(mean, tf.IndexedSlices(new_mean, row))
        self.assign(square, tf.IndexedSlices(new_square, row))
        alpha = tf.cast(learning_rate, g.dtype)
        alpha *= tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        change = alpha * new_mean / (tf.sqrt(new_square) + self.epsilon)
        self.assign_sub(variable, tf.IndexedSlices(change, row))


def merge_rows(gradient: Gradient) -> Gradient:
    """The same gradient with each row named once; a dense one as it is.

    Example:
        >>> twice = tf.IndexedSlices(tf.ones((3, 1)), tf.constant([7, 2, 7]), (9, 1))
        >>> once = merge_rows(twice)
        >>> once.indices.numpy().tolist(), once.values.numpy().ravel().tolist()
        ([7, 2], [2.0, 1.0])
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, place = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, place, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def refuse_amsgrad(optimizer: keras.optimizers.Adam) -> None:
    """Raise ValueError where the variant is asked for that needs a third average."""
    if optimizer.amsgrad:
        name = type(optimizer).__name__
        raise ValueError(f"amsgrad is True; {name} has no such variant. Leave it out.")
