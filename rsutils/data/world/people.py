"""The people: tastes that drift, mood habits, attributes, friends.

Person u belongs to a circle c. Taste starts and ends as::

    start_u = .75 centre_c + .66 own_u
    end_u   = sqrt(1 - drift) start_u + sqrt(drift) new_u      new_u drawn like a start

each scaled to the length ``taste_strength``; in between it moves in a straight line. Mood habits
are a softmax over moods of how well a mood fits the taste. Age, occupation and region are drawn
from distributions of the circle. Friends are drawn with probability ∝ exp(4 cos(start_u, start_v)),
e times as likely within a region.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rsutils.data.world.config import WorldConfig

AGE_GROUPS = ("18-24", "25-34", "35-44", "45-54", "55+")
OCCUPATIONS = ("student", "craft", "office", "health", "teaching", "farming", "arts", "retired")
REGIONS = ("Arvenna", "Belmoor", "Corvath", "Dunhollow", "Estrel", "Farrow")
MEAN_FRIENDS = 5


@dataclass(frozen=True, eq=False)
class People:
    """Everything about the people; row u of every array and table is person u.

    Attributes:
        users: age_group, occupation, region.
        taste_start: (n_users, n_factors) float32, at the first film.
        taste_end: (n_users, n_factors) float32, at the last film.
        mood_habit: (n_users, n_moods) float32, how often a session has each mood.
        mood_direction: (n_moods, n_factors) float32, what a mood adds to taste.
        leniency: (n_users,) float32, what a person adds to every rating.
        friends: (n_pairs, 2) int32, each pair once, the smaller number first.
    """

    users: pd.DataFrame
    taste_start: np.ndarray
    taste_end: np.ndarray
    mood_habit: np.ndarray
    mood_direction: np.ndarray
    leniency: np.ndarray
    friends: np.ndarray


def make_people(config: WorldConfig) -> People:
    """Draw the people of ``config``.

    Example:
        >>> people = make_people(WorldConfig(n_users=40))
        >>> people.mood_habit.shape, bool((people.friends[:, 0] < people.friends[:, 1]).all())
        ((40, 8), True)
    """
    rng = np.random.default_rng([config.seed, 2])
    centre = rng.standard_normal((config.n_circles, config.n_factors))
    circle = rng.choice(config.n_circles, config.n_users, p=_sizes(config.n_circles, rng))
    start = _tastes(centre[circle], config, rng)
    moved = rng.choice(config.n_circles, config.n_users)
    fresh = _tastes(centre[moved], config, rng)
    end = np.sqrt(1 - config.drift) * start + np.sqrt(config.drift) * fresh
    end = _scaled(end, config.taste_strength)
    direction = _scaled(
        rng.standard_normal((config.n_moods, config.n_factors)), config.mood_strength
    )
    users = _attributes(circle, config.n_circles, rng)
    return People(
        users=users,
        taste_start=start.astype(np.float32),
        taste_end=end.astype(np.float32),
        mood_habit=_softmax(start @ direction.T).astype(np.float32),
        mood_direction=direction.astype(np.float32),
        leniency=rng.normal(0.0, 0.35, config.n_users).astype(np.float32),
        friends=_friends(start, users["region"].to_numpy(), rng),
    )


def _sizes(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.dirichlet(np.full(n, 3.0))


def _scaled(rows: np.ndarray, length: float) -> np.ndarray:
    """Every row stretched to ``length``."""
    return np.round(length * rows / np.linalg.norm(rows, axis=1, keepdims=True), 4)


def _tastes(centre: np.ndarray, config: WorldConfig, rng: np.random.Generator) -> np.ndarray:
    own = rng.standard_normal(centre.shape)
    return _scaled(0.75 * centre + 0.66 * own, config.taste_strength)


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.round(weights / weights.sum(axis=1, keepdims=True), 4)


def _attributes(circle: np.ndarray, n_circles: int, rng: np.random.Generator) -> pd.DataFrame:
    """Attributes from distributions that differ between circles."""
    columns = {}
    for name, values in (
        ("age_group", AGE_GROUPS),
        ("occupation", OCCUPATIONS),
        ("region", REGIONS),
    ):
        odds = np.cumsum(rng.dirichlet(np.full(len(values), 0.6), n_circles), axis=1)
        drawn = (rng.random(len(circle))[:, None] > odds[circle, :-1]).sum(axis=1)
        columns[name] = np.array(values)[drawn]
    return pd.DataFrame(columns)


def _friends(taste: np.ndarray, region: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pairs of people, each pair drawn on its own, more probably the more alike they are."""
    unit = taste / np.linalg.norm(taste, axis=1, keepdims=True)
    lean = 4.0 * (unit @ unit.T) + (region[:, None] == region[None, :])
    first, second = np.triu_indices(len(taste), k=1)
    weight = np.exp(lean[first, second])
    chance = weight * (MEAN_FRIENDS * len(taste) / 2 / weight.sum())
    chosen = rng.random(len(first)) < chance
    return np.stack([first[chosen], second[chosen]], axis=1).astype(np.int32)
