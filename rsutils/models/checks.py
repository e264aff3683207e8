"""Hyper-parameters refused at the door, with the name and the value in the message."""

import math
from numbers import Integral


def check_counts(**values: int) -> None:
    """Each value must be a whole number of at least 1.

    Raises:
        ValueError: one is not; the message names it.

    Example:
        >>> check_counts(dimensions=64, epochs=10)
        >>> check_counts(epochs=0)
        Traceback (most recent call last):
        ValueError: epochs is 0; expected a whole number of at least 1.
    """
    for name, value in values.items():
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} is {value!r}; expected a whole number of at least 1.")


def check_positive(**values: float) -> None:
    """Each value must be a finite number above 0.

    Raises:
        ValueError: one is not; the message names it.

    Example:
        >>> check_positive(l2=float("nan"))
        Traceback (most recent call last):
        ValueError: l2 is nan; expected a finite number above 0.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value!r}; expected a finite number above 0.")


def check_range(low: float, high: float, **values: float) -> None:
    """Each value must lie between ``low`` and ``high``, both included.

    Raises:
        ValueError: one does not; the message names it.

    Example:
        >>> check_range(0, 1, decay=1.5)
        Traceback (most recent call last):
        ValueError: decay is 1.5; expected a number from 0 to 1.
    """
    for name, value in values.items():
        if not low <= value <= high:
            raise ValueError(f"{name} is {value!r}; expected a number from {low} to {high}.")
