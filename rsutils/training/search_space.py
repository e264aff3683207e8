"""Which settings a search may try."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

Settings = dict[str, Any]
DIRECTIONS = ("maximize", "minimize")


@dataclass(frozen=True)
class Between:
    """Any number from ``low`` to ``high``, both included; whole numbers where both are whole.

    Args:
        low: the smallest.
        high: the largest.
        log: search in orders of magnitude, as rates and penalties want.

    Raises:
        ValueError: the ends are not finite and in order, or ``log`` and not above 0.

    Example:
        >>> Between(0, 0.1, log=True)
        Traceback (most recent call last):
        ValueError: low is 0 with log=True; expected a number above 0.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"Between({self.low}, {self.high}); expected finite low < high.")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low} with log=True; expected a number above 0.")


Space = Mapping[str, Between | list | tuple]


def check_space(space: Space) -> None:
    """Refuse what cannot be drawn from.

    Raises:
        ValueError: the space is empty, or a setting is neither ``Between`` nor a list of choices
            that are told apart.

    Example:
        >>> check_space({"hidden": [(32, 16), (64,)], "l2": Between(1e-4, 1e-1, log=True)})
        >>> check_space({"l2": 0.1})
        Traceback (most recent call last):
        ValueError: space['l2'] is 0.1; expected Between(low, high) or a list of choices.
    """
    if not space:
        raise ValueError("space is empty; expected at least one setting to search.")
    for name, values in space.items():
        if isinstance(values, Between):
            continue
        if not isinstance(values, list | tuple):
            raise ValueError(
                f"space[{name!r}] is {values!r}; expected Between(low, high) or a list of choices."
            )
        if not values or len(set(map(repr, values))) < len(values):
            raise ValueError(f"space[{name!r}] is {values!r}; expected choices, each once.")


def check_direction(name: str, direction: Any) -> None:
    """Refuse what is no direction.

    Raises:
        ValueError: it is neither ``"maximize"`` nor ``"minimize"``.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"{name} is {direction!r}; expected one of {', '.join(DIRECTIONS)}.")


def check_count(name: str, value: Any, least: int) -> None:
    """Refuse what is no whole number of at least ``least``.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number of at least {least}.")


def described(space: Space) -> dict[str, str]:
    """A space as its storage remembers it.

    Example:
        >>> described({"units": [8, 16]})
        {'units': '[8, 16]'}
    """
    return {name: repr(values) for name, values in space.items()}


def draw(trial: Any, space: Space) -> Settings:
    """The settings that Optuna's ``trial`` proposes.

    Optuna stores numbers and texts only, so a choice goes by its text.
    """
    for name, values in space.items():
        if not isinstance(values, Between):
            trial.suggest_categorical(name, list(map(repr, values)))
        elif isinstance(values.low, Integral) and isinstance(values.high, Integral):
            trial.suggest_int(name, values.low, values.high, log=values.log)
        else:
            trial.suggest_float(name, values.low, values.high, log=values.log)
    return decoded(trial.params, space)


def decoded(stored: Mapping[str, Any], space: Space) -> Settings:
    """Settings as Optuna stores them, with the choices themselves in place of their texts.

    Example:
        >>> decoded({"hidden": "(64,)", "l2": 0.01}, {"hidden": [(), (64,)], "l2": Between(0, 1.0)})
        {'hidden': (64,), 'l2': 0.01}
    """
    settings: Settings = {}
    for name, values in space.items():
        if name not in stored:
            continue
        if isinstance(values, Between):
            settings[name] = stored[name]
        else:
            settings[name] = {repr(value): value for value in values}[stored[name]]
    return settings
