"""A/B tests: how many users beforehand, what the difference is afterwards, what looking costs.

The unit is whatever was assigned at random, a user as a rule. With a standard deviation s in both
arms, a difference d is found with probability ``power`` at a two-sided ``level`` if each arm has::

    n = 2 s² (z_(1 - level/2) + z_power)² / d²

users. For shares, 2 s² is the sum of both arms' p (1 - p), and a correction may be added because
counts are whole numbers (Casagrande, Pike and Smith 1978, Biometrics 34(3)). Looking several times
and stopping at the first significant difference raises the rate of false alarms (Armitage,
McPherson and Rowe 1969, JRSS A 132(2)); Pocock (1977, Biometrika 64(2)) raises the threshold of
every look until the rate is right again.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm, t

GRID = 401
"""Points of the grid on which the distribution of the running z is carried from look to look."""


@dataclass(frozen=True)
class Comparison:
    """What an A/B test found.

    Attributes:
        difference: mean of b minus mean of a.
        low, high: ends of its interval.
        lift: the difference as a share of a's mean; NaN where that is 0.
        p_value: two-sided, of no difference.
        users: (users of a, users of b).
    """

    difference: float
    low: float
    high: float
    lift: float
    p_value: float
    users: tuple[int, int]


def compare(a: np.ndarray, b: np.ndarray, level: float = 0.05) -> Comparison:
    """The difference of two arms by Welch's test, which lets their spreads differ.

    Args:
        a: (n,) one value for each user of the arm that is there already.
        b: (m,) the same for the arm on trial.
        level: 1 minus the level of the interval.

    Raises:
        ValueError: an arm has fewer than two users or a value is not finite.

    Example:
        >>> found = compare(np.array([0.0, 1, 0, 1]), np.array([1.0, 1, 0, 2]))
        >>> found.difference, found.lift, round(found.p_value, 3)
        (0.5, 1.0, 0.36)
    """
    _share("level", level)
    a, b = _arm("a", a), _arm("b", b)
    errors = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    difference, error = float(b.mean() - a.mean()), math.sqrt(errors.sum())
    lift = difference / float(a.mean()) if a.mean() else math.nan
    reach, p_value = 0.0, float(difference == 0)
    if error > 0:
        parts = errors / errors.sum()
        freedom = 1 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
        reach = float(t.ppf(1 - level / 2, freedom)) * error
        p_value = float(2 * t.sf(abs(difference) / error, freedom))
    low, high = difference - reach, difference + reach
    return Comparison(difference, low, high, lift, p_value, (len(a), len(b)))


def users_for_means(
    deviation: float, difference: float, level: float = 0.05, power: float = 0.8
) -> int:
    """Users that each arm needs to find a ``difference`` of means.

    Args:
        deviation: standard deviation over users, the same in both arms.
        difference: the smallest one worth finding.
        level: how often a difference that is not there may be found.
        power: how often one that is there shall be found.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> users_for_means(deviation=1.0, difference=0.5)
        63
    """
    _share("level", level), _share("power", power)
    _positive("deviation", deviation), _positive("abs(difference)", abs(difference))
    z = norm.ppf(1 - level / 2) + norm.ppf(power)
    return math.ceil(2 * (z * deviation / difference) ** 2)


def users_for_shares(
    share: float,
    other: float,
    level: float = 0.05,
    power: float = 0.8,
    corrected: bool = False,
) -> int:
    """Users that each arm needs to tell one ``share`` from an ``other``.

    Args:
        share: of users who do it, in the arm that is there already.
        other: the share that shall be told from it.
        level: how often a difference that is not there may be found.
        power: how often one that is there shall be found.
        corrected: for a test that allows for counts being whole numbers.

    Raises:
        ValueError: a number is out of its range, or the shares are the same.

    Example:
        >>> users_for_shares(0.10, 0.12), users_for_shares(0.10, 0.12, corrected=True)
        (3841, 3941)
    """
    for name, value in {"level": level, "power": power, "share": share, "other": other}.items():
        _share(name, value)
    if share == other:
        raise ValueError(f"Both shares are {share}; no number of users tells them apart.")
    mean, difference = (share + other) / 2, abs(share - other)
    under_none = norm.ppf(1 - level / 2) * math.sqrt(2 * mean * (1 - mean))
    under_some = norm.ppf(power) * math.sqrt(share * (1 - share) + other * (1 - other))
    users = ((under_none + under_some) / difference) ** 2
    if corrected:
        users *= (1 + math.sqrt(1 + 4 / (users * difference))) ** 2 / 4
    return math.ceil(users)


def power_for_means(users: int, deviation: float, difference: float, level: float = 0.05) -> float:
    """How often ``users`` in each arm find a ``difference`` of means, in either direction.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> round(power_for_means(63, deviation=1.0, difference=0.5), 2)
        0.8
    """
    _share("level", level), _positive("users", users), _positive("deviation", deviation)
    z, moved = norm.ppf(1 - level / 2), difference / deviation * math.sqrt(users / 2)
    return float(norm.sf(z - moved) + norm.cdf(-z - moved))


def design_effect(total: np.ndarray, visits: np.ndarray) -> float:
    """How many times the variance of a rate is what independent visits would give.

    The rate is all clicks over all visits, of users who were assigned as a whole; its variance is
    that of a ratio of means (the delta method: Deng, Knoblich and Lu 2018, KDD).

    Args:
        total: (n,) clicks of each user, at most one a visit.
        visits: (n,) visits of each user, at least 1.

    Raises:
        ValueError: the shapes differ, a user has no visit, or all visits end alike.

    Example:
        >>> design_effect(np.array([4, 0, 4, 0]), np.array([4, 4, 4, 4]))
        4.0
    """
    total, visits = np.asarray(total, float), np.asarray(visits, float)
    if total.shape != visits.shape or total.ndim != 1 or not len(total):
        raise ValueError(
            f"total and visits have shapes {total.shape} and {visits.shape}; expected one of each "
            "for every user."
        )
    if visits.min() < 1 or total.min() < 0 or (total > visits).any():
        raise ValueError("A user has no visit, or more clicks than visits; leave such users out.")
    rate = total.sum() / visits.sum()
    if rate in (0.0, 1.0):
        raise ValueError(f"The rate is {rate}; without any variation there is nothing to compare.")
    by_user = ((total - rate * visits) ** 2).sum() / visits.sum() ** 2
    return float(by_user / (rate * (1 - rate) / visits.sum()))


def false_alarms_of_peeking(looks: int, threshold: float) -> float:
    """How often |z| passes ``threshold`` at one of ``looks`` although nothing differs.

    Looks are equally far apart. The density of the sum so far, cut off at the threshold, is carried
    from one look to the next by numerical integration.

    Raises:
        ValueError: there is no look, or the threshold is not positive.

    Example:
        >>> [round(false_alarms_of_peeking(looks, 1.96), 3) for looks in (1, 5, 10)]
        [0.05, 0.142, 0.193]
    """
    if looks < 1:
        raise ValueError(f"looks is {looks}; expected at least 1.")
    _positive("threshold", threshold)
    stays = 1.0
    points, weights = np.zeros(1), np.ones(1)
    for look in range(1, looks + 1):
        edge = threshold * math.sqrt(look)
        stays = float(weights @ (norm.cdf(edge - points) - norm.cdf(-edge - points)))
        following = np.linspace(-edge, edge, GRID)
        step = following[1] - following[0]
        density = np.exp(-((following[:, None] - points) ** 2) / 2) @ weights
        # Trapezium rule: both ends count half.
        density[[0, -1]] /= 2
        points, weights = following, density * step / math.sqrt(2 * math.pi)
    return 1.0 - stays


def pocock_threshold(looks: int, level: float = 0.05) -> float:
    """The |z| that all of ``looks`` need so that together they raise ``level`` false alarms.

    Raises:
        ValueError: there is no look, or the level is no share.

    Example:
        >>> [round(pocock_threshold(looks), 3) for looks in (1, 2, 5)]
        [1.96, 2.178, 2.413]
    """
    _share("level", level)
    lowest = float(norm.ppf(1 - level / 2))
    if looks == 1:
        return lowest
    return float(
        brentq(lambda z: false_alarms_of_peeking(looks, z) - level, lowest, lowest + 4, xtol=1e-4)
    )


def _arm(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"Arm {name} has the shape {values.shape}; expected two users or more.")
    if not np.isfinite(values).all():
        raise ValueError(f"A value of arm {name} is NaN or infinite; expected finite numbers.")
    return values


def _share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}; expected a share between 0 and 1.")


def _positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} is {value}; expected a finite number above 0.")
