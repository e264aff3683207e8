"""The sizes and strengths of the demo world: every number that a lesson may want to turn."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorldConfig:
    """What ``generate`` is given; the committed world has the defaults.

    Attributes:
        seed: every random draw of the world descends from it.
        n_users: how many people.
        n_items: how many films.
        n_factors: dimensions of taste.
        n_circles: communities that share a taste.
        n_moods: what a session can be in the mood for.
        days: how long the log runs.
        activity_median: median number of films that a person watches.
        activity_spread: standard deviation of the logarithm of that number.
        activity_range: the smallest and the largest number that occur.
        taste_strength: standard deviation of utility that taste explains, over films.
        drift: share of a person's taste, in variance, that is new at the end of the log.
        mood_strength: standard deviation of utility that the mood explains, over films.
        stay: probability that a session goes on after a film.
        up_next: share of slots filled from what is related to the film before.
        popularity_exponent: s of exposure ∝ (rank + shift)^-s, the rank from 0.
        popularity_shift: how flat the head of that law is.
        novelty_boost: extra exposure of a film in its first weeks, as a multiple.
        reserve: utility at which an examined film is clicked half of the time.
        slots: films in a slate.
        position_exponent: η of P(slot j is examined) = (1 + j)^-η, with j from 0.
        panel: people whose slates are logged.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> WorldConfig(drift=1.5)
        Traceback (most recent call last):
        ValueError: drift is 1.5; expected at least 0 and below 1.
    """

    seed: int = 2026
    n_users: int = 2_500
    n_items: int = 1_200
    n_factors: int = 10
    n_circles: int = 24
    n_moods: int = 8
    days: int = 730
    activity_median: float = 30.0
    activity_spread: float = 0.85
    activity_range: tuple[int, int] = (8, 350)
    taste_strength: float = 2.4
    drift: float = 0.15
    mood_strength: float = 1.2
    stay: float = 0.78
    up_next: float = 0.09
    popularity_exponent: float = 1.5
    popularity_shift: float = 80.0
    novelty_boost: float = 3.0
    reserve: float = 5.0
    slots: int = 10
    position_exponent: float = 0.7
    panel: int = 80

    @property
    def minutes(self) -> int:
        """Length of the log in minutes."""
        return self.days * 24 * 60

    def __post_init__(self) -> None:
        for name in ("drift", "stay", "up_next"):
            value = getattr(self, name)
            if not 0.0 <= value < 1.0:
                raise ValueError(f"{name} is {value}; expected at least 0 and below 1.")
        for name in ("n_users", "n_items", "n_factors", "n_circles", "n_moods", "panel"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1.")
        low, high = self.activity_range
        if not 1 <= low <= high <= self.n_items // 2:
            raise ValueError(
                f"activity_range is {self.activity_range}; expected 1 <= smallest <= largest <= "
                f"{self.n_items // 2}, half of n_items, because nobody watches a film twice."
            )
