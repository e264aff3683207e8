"""What a check answers, and the wrapper that keeps learners' errors from stopping a notebook."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

NOT_TRIED, HINT, RIGHT = "not tried yet", "hint", "right"
COLOURS = {NOT_TRIED: "#8a8a8a", HINT: "#b35900", RIGHT: "#1b7837"}


@dataclass(frozen=True)
class Verdict:
    """The answer of a check; true only where the attempt is right.

    Example:
        >>> Verdict(HINT, "Divide by the number of users.")
        hint: Divide by the number of users.
    """

    status: str
    message: str = ""

    def __bool__(self) -> bool:
        return self.status == RIGHT

    def __repr__(self) -> str:
        return f"{self.status}: {self.message}" if self.message else self.status

    def _repr_html_(self) -> str:
        style = f"border-left:4px solid {COLOURS[self.status]};padding:.3em .8em"
        return f'<div style="{style}"><b>{self.status}</b> {html.escape(self.message)}</div>'


@dataclass(frozen=True)
class Check:
    """One exercise's check.

    Attributes:
        name: ``lesson_NN.exercise``.
        examine: takes the attempt; returns a hint, or None where the attempt is right.
    """

    name: str
    examine: Callable[[Any], str | None]

    def __call__(self, attempt: Any) -> Verdict:
        """Try ``attempt`` on examples small enough to do by hand."""
        try:
            hint = self.examine(attempt)
        except (NotTriedError, NotImplementedError):
            return Verdict(
                NOT_TRIED, "Write your answer in the function, then run this cell again."
            )
        except Exception as error:  # a learner's function may fail in any way
            return Verdict(HINT, f"Your answer raised {type(error).__name__}: {error}")
        return Verdict(HINT, hint) if hint else Verdict(RIGHT)


class NotTriedError(Exception):
    """The learner's function still returns nothing."""


CHECKS: dict[str, Check] = {}


def check(examine: Callable[[Any], str | None]) -> Check:
    """Register a check under ``lesson_NN.function_name``."""
    name = f"{examine.__module__.rpartition('.')[2]}.{examine.__name__}"
    CHECKS[name] = Check(name, examine)
    return CHECKS[name]


def answer(attempt: Any, *arguments: Any) -> Any:
    """Call a learner's function on copies; a blank (None or ``...``) counts as not tried.

    Raises:
        NotTriedError: the function, or its result, is still blank.
    """
    if attempt is None or attempt is ...:
        raise NotTriedError
    copies = [np.copy(a) if isinstance(a, np.ndarray) else a for a in arguments]
    result = attempt(*copies)
    if result is None or result is ...:
        raise NotTriedError
    return result


def close(found: Any, expected: Any, tolerance: float = 1e-6) -> bool:
    """Whether numbers or arrays agree in shape and value."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    return found.shape == expected.shape and np.allclose(found, expected, atol=tolerance)
