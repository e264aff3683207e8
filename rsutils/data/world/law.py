"""The law of the next film, in closed form: what the simulator draws from and the oracle knows.

A slate has ten slots, each filled on its own from the *exposure*::

    q(i) = (1 - up_next) shelf(i, week) + up_next related(previous, i)

over the films that the person has not seen (in the first step of a session the shelf alone). The
person looks at the slots from the top, examines slot j with probability (1 + j)^-η, and clicks
what was examined with the *attraction*::

    a(i) = 1 / (1 + exp(reserve - utility(i)))
    utility(i) = (taste + direction of the mood) · w_i + .5 quality_i

The first click is the next film; a slate without a click is followed by another one. Because every
slot is filled alike, the film that is clicked has the same law whatever its slot::

    P(next = i) = q(i) a(i) / sum over films of q a
"""

from dataclasses import dataclass

import numpy as np

from rsutils.data.world.catalogue import MINUTES_A_WEEK, Catalogue
from rsutils.data.world.config import WorldConfig
from rsutils.data.world.people import People

QUALITY_WEIGHT = 0.5
NOVELTY_WEEKS = 4.0
NO_FILM = -1


@dataclass(frozen=True, eq=False)
class Situation:
    """n people about to choose a film.

    Attributes:
        user: (n,) who.
        progress: (n,) in 0..1, how far the person's taste has drifted.
        mood: (n,) mood of the session.
        previous: (n,) the film before in this session, or -1.
        minute: (n,) minute of the log.
        seen: (n, n_items) bool, films the person has watched.
    """

    user: np.ndarray
    progress: np.ndarray
    mood: np.ndarray
    previous: np.ndarray
    minute: np.ndarray
    seen: np.ndarray


class Law:
    """Exposure, attraction and their product over all films.

    Example:
        >>> from rsutils.data.world.catalogue import make_catalogue
        >>> from rsutils.data.world.people import make_people
        >>> config = WorldConfig(n_users=3, n_items=700)
        >>> law = Law(config, make_catalogue(config), make_people(config))
        >>> zero = np.zeros(1, int)
        >>> start = Situation(zero, zero, zero, zero - 1, zero, np.zeros((1, 700), bool))
        >>> bool(np.isclose(law.next_film(start).sum(), 1))
        True
    """

    def __init__(self, config: WorldConfig, films: Catalogue, people: People) -> None:
        self.config = config
        self.films = films
        self.people = people
        self._factors = films.factors.astype(np.float64)
        self._reserve = config.reserve - QUALITY_WEIGHT * films.quality.astype(np.float64)
        self._shelf = self._shelves()

    def _shelves(self) -> np.ndarray:
        """(weeks, n_items): popularity of what is out, raised by novelty, which fades."""
        week = np.arange(self.config.days // 7 + 1)[:, None]
        age = week - self.films.released[None, :] // MINUTES_A_WEEK
        novelty = self.config.novelty_boost * np.exp(-np.maximum(age, 0) / NOVELTY_WEEKS)
        novelty = np.where(self.films.released > 0, novelty, 0.0)
        return np.where(age >= 0, self.films.popularity * (1.0 + novelty), 0.0)

    def exposure(self, at: Situation) -> np.ndarray:
        """q: what a slot shows, (n, n_items), rows sum to 1."""
        week = np.minimum(at.minute // MINUTES_A_WEEK, len(self._shelf) - 1)
        shelf = self._shelf[week]
        shelf[at.seen] = 0.0
        shelf /= shelf.sum(axis=1, keepdims=True)
        rows = np.flatnonzero(at.previous != NO_FILM)[:, None]
        films = self.films.related[at.previous[rows[:, 0]]].astype(np.intp)
        share = self.films.related_share[at.previous[rows[:, 0]]].astype(np.float64)
        share = np.where(shelf[rows, films] > 0, share, 0.0)
        total = share.sum(axis=1, keepdims=True)
        up_next = np.where(total > 0, self.config.up_next, 0.0)
        shelf[rows[:, 0]] *= 1.0 - up_next
        shelf[rows, films] += up_next * share / np.where(total > 0, total, 1.0)
        return shelf

    def taste(self, user: np.ndarray, progress: np.ndarray) -> np.ndarray:
        """(n, n_factors): where between its two ends each person's taste stands."""
        share = np.asarray(progress, np.float64)[:, None]
        start, end = self.people.taste_start[user], self.people.taste_end[user]
        return (1.0 - share) * start + share * end

    def attraction(self, at: Situation) -> np.ndarray:
        """a: the probability that a film is clicked once examined, (n, n_items)."""
        wish = self.taste(at.user, at.progress) + self.people.mood_direction[at.mood]
        return 1.0 / (1.0 + np.exp(self._reserve - wish @ self._factors.T))

    def next_film(self, at: Situation) -> np.ndarray:
        """P(next = i): (n, n_items), rows sum to 1, zero where seen or not out yet."""
        weight = self.exposure(at) * self.attraction(at)
        return weight / weight.sum(axis=1, keepdims=True)

    def examined(self) -> np.ndarray:
        """(slots,) probability that a slot is examined, the top slot's being 1."""
        return (1.0 + np.arange(self.config.slots)) ** -self.config.position_exponent
