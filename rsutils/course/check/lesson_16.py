"""Checks of lesson 16: inverse propensity weights, an upper confidence bound, users of a test."""

import math
from collections.abc import Callable

import numpy as np

from rsutils.course.check.verdict import answer, check, close

FILM = np.array([0, 0, 0, 0, 2, 2])
CLICKED = np.array([1, 0, 1, 0, 0, 1])
EXAMINED = np.array([1.0, 1.0, 0.5, 0.5, 0.25, 0.5])


@check
def attraction_by_ips(attempt: Callable) -> str | None:
    """Film 0 was shown four times, film 1 never, film 2 twice."""
    found = np.asarray(answer(attempt, FILM, CLICKED, EXAMINED, 3), float)
    if found.shape != (3,):
        return f"There is a number for each of the 3 films, shown or not; got {found.shape}."
    if not np.isfinite(found).all():
        return "Film 1 was never shown; its attraction is 0 here, not a division by zero."
    if close(found, [2 / 4, 0, 1 / 2]):
        return "That is the click rate. A click in a slot that few examine stands for several."
    if close(found, [1.5 / 4, 0, 0.5 / 2]):
        return "Divide a click by the chance that its slot was examined; do not multiply."
    if close(found, [3 / 6, 0, 2 / 6]):
        return "Divide by how often the film was shown in all, not by all showings."
    if close(found, [3 / 2, 0, 2 / 1]):
        return "Divide by all showings of the film, those without a click as well."
    if close(found, [2 / 3, 0, 1 / 0.75]):
        return "Clicks over the sum of chances is another estimator. Here each click is divided."
    if not close(found, [3 / 4, 0, 2 / 2]):
        return "For film 0: (1/1 + 1/0.5) over 4 showings. For film 2: 1/0.5 over 2 showings."
    return None


CONTEXT = np.array([1.0, 2.0])
PRECISION = np.array([[[4.0, 0.0], [0.0, 16.0]], [[1.0, 0.0], [0.0, 1.0]]])
RESPONSE = np.array([[4.0, 8.0], [0.0, 0.0]])


@check
def upper_bounds(attempt: Callable) -> str | None:
    """Two arms, two features; the second arm was never shown."""
    found = np.asarray(answer(attempt, CONTEXT, PRECISION, RESPONSE, 2.0), float)
    if found.shape != (2,):
        return f"There is a bound for each of the 2 arms; got the shape {found.shape}."
    spread = np.array([1 / 4 + 4 / 16, 5.0])
    mean = np.array([2.0, 0.0])
    if close(found, mean):
        return "That is what each arm is believed to be worth. Add how unsure that is."
    if close(found, mean + 2 * spread):
        return "Take the square root of x A⁻¹ x: it is a variance, and the bound a deviation."
    if close(found, mean - 2 * np.sqrt(spread)):
        return "That is the lower bound. An arm of which little is known shall look good: add."
    if close(found, mean + np.sqrt(spread)):
        return "The deviation is multiplied by alpha, which is 2 in this example."
    if close(found, mean + 2 * np.sqrt([4 + 64, 5.0])):
        return "The spread is x A⁻¹ x with the inverse: more data make it smaller, not larger."
    if close(found, RESPONSE @ CONTEXT + 2 * np.sqrt(spread)):
        return "The weights of an arm are A⁻¹ b, not b."
    if not close(found, mean + 2 * np.sqrt(spread)):
        return "x · A⁻¹ b + alpha sqrt(x · A⁻¹ x) of each arm; the first has 2 + 2 sqrt(0.5)."
    # A that is not diagonal tells a solved system from a division.
    tilted = np.array([[[2.0, 1.0], [1.0, 2.0]]])
    found = np.asarray(answer(attempt, CONTEXT, tilted, np.array([[3.0, 0.0]]), 1.0), float)
    if not close(found, [0.0 + math.sqrt(2.0)]):
        return "With A = [[2, 1], [1, 2]] it goes wrong: invert the whole matrix, or solve."
    return None


@check
def users_per_arm(attempt: Callable) -> str | None:
    """A deviation of 3 and a difference of 0.5, with z of 1.96 and 0.84."""
    found = float(answer(attempt, 3.0, 0.5, 1.96, 0.84))
    right = 2 * (2.8 * 3 / 0.5) ** 2
    if abs(found - right) <= 1:
        found = float(answer(attempt, 3.0, -0.5, 1.96, 0.84))
        if not abs(found - right) <= 1:
            return "A difference of -0.5 needs as many users as one of 0.5."
        found = float(answer(attempt, 1.0, 0.9, 1.96, 0.84))
        if found != math.ceil(2 * (2.8 / 0.9) ** 2):
            return "Users are whole, and rounding down would leave too few: round up."
        return None
    if abs(found - right / 2) <= 1:
        return "Both arms are samples: the variance of the difference is twice that of a mean."
    if abs(found - 2 * right) <= 1:
        return "That is the users of both arms together; asked is one arm."
    if abs(found - 2 * (1.96 * 3 / 0.5) ** 2) <= 1:
        return "Without z of the power, half of such tests find nothing. Add both z first."
    if abs(found - 2 * (1.96**2 + 0.84**2) * 36) <= 1:
        return "Add both z, then square the sum."
    if abs(found - 2 * 2.8**2 * 3 / 0.25) <= 1:
        return "The variance belongs there: the square of the deviation."
    if abs(found - 2 * 2.8 * 3 / 0.5) <= 1 or abs(found - 2 * 2.8**2 * 9 / 0.5) <= 1:
        return "Half the difference needs four times the users: z s / d is squared as a whole."
    return "2 s² (z + z')² / d², and here it is 2 times (2.8 times 3 / 0.5)², rounded up."
