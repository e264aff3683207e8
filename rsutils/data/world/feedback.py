"""A shop in the demo world that shows slates and sees what is clicked, by the world's own law.

A visitor looks at the slots from the top, examines slot j with probability e_j and clicks what was
examined with the attraction a of the film (see ``law``); the first click ends the slate. So slot j
of a slate s gets the click with probability::

    P(slot j) = e_j a(s_j) · product over l < j of (1 - e_l a(s_l))

and the slate gets one with 1 - product over all j of (1 - e_j a(s_j)). A film that a visitor has
seen is never clicked. Because a and e_j enter as a product and e falls with j, no slate gets more
clicks than the films of highest attraction in their order; that is what regret is measured against.
"""

from collections.abc import Iterator

import numpy as np

from rsutils.data.world.behaviour import draw
from rsutils.data.world.law import NO_FILM, Situation
from rsutils.data.world.worlds import World


class Shop:
    """The world as it answers to slates, on the day after its log ends.

    Args:
        world: the world to open a shop in.
        seen: (n_users, n_items) bool, what each person has watched; None for what the log says.

    Attributes:
        world: the world.
        seen: as given; what is marked in it is not clicked from then on.

    Raises:
        ValueError: ``seen`` has another shape.

    Example:
        >>> from rsutils.data.world import WorldConfig, generate
        >>> shop = Shop(generate(WorldConfig(n_users=20, n_items=700, panel=2)))
        >>> rng = np.random.default_rng(0)
        >>> attraction = shop.attraction(shop.visits(np.array([3, 3, 5]), rng))
        >>> slates = shop.best(attraction)
        >>> slates.shape, shop.clicks(attraction, slates, rng).shape
        ((3, 10), (3,))
    """

    def __init__(self, world: World, seen: np.ndarray | None = None) -> None:
        shape = (world.config.n_users, world.config.n_items)
        if seen is None:
            seen = np.zeros(shape, bool)
            seen[world.diary.user, world.behaviour.item] = True
        if seen.shape != shape:
            raise ValueError(f"seen has the shape {seen.shape}; expected {shape}, users by films.")
        self.world = world
        self.seen = seen
        self._examined = world.law.examined()

    def visits(self, users: np.ndarray, rng: np.random.Generator) -> Situation:
        """A visit of each of ``users``: (n,), with a mood drawn from the person's habits.

        Raises:
            ValueError: a user is not of this world.
        """
        users = _whole("user", users, self.world.config.n_users)
        habit = self.world.people.mood_habit[users].astype(np.float64)
        return self._in_mood(users, draw(habit, rng))

    def _in_mood(self, users: np.ndarray, mood: np.ndarray) -> Situation:
        return Situation(
            user=users,
            progress=np.ones(len(users)),
            mood=mood,
            previous=np.full(len(users), NO_FILM),
            minute=np.full(len(users), self.world.config.minutes),
            seen=self.seen[users],
        )

    def attraction(self, at: Situation) -> np.ndarray:
        """The probability that each film is clicked once examined: (n, n_items), 0 where seen."""
        return np.where(at.seen, 0.0, self.world.law.attraction(at))

    def chances(self, attraction: np.ndarray, slates: np.ndarray) -> np.ndarray:
        """The probability that each slot gets the click.

        Args:
            attraction: (n, n_items) of the visits.
            slates: (n, k) films, top slot first.

        Returns:
            (n, k); a row sums to the probability that the slate is clicked.

        Raises:
            ValueError: the shapes do not fit, or a film is not of this world.
        """
        slates = _whole("film", slates, self.world.config.n_items)
        if slates.ndim != 2 or len(slates) != len(attraction):
            raise ValueError(
                f"slates have the shape {slates.shape}; expected a row of films for each of the "
                f"{len(attraction)} visits."
            )
        if not 1 <= slates.shape[1] <= len(self._examined):
            raise ValueError(
                f"A slate has {slates.shape[1]} slots; expected 1 to {len(self._examined)}."
            )
        click = np.take_along_axis(attraction, slates, axis=1)
        click = click * self._examined[: slates.shape[1]]
        passed = np.cumprod(1.0 - click, axis=1)
        return click * np.hstack([np.ones((len(click), 1)), passed[:, :-1]])

    def clicks(
        self, attraction: np.ndarray, slates: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """The slot that each visitor clicks, or -1: (n,). Arguments as for ``chances``."""
        reach = np.cumsum(self.chances(attraction, slates), axis=1)
        slot = (reach <= rng.random((len(reach), 1))).sum(axis=1)
        return np.where(slot == reach.shape[1], -1, slot)

    def expected(self, attraction: np.ndarray, slates: np.ndarray) -> np.ndarray:
        """The probability that each slate is clicked: (n,). Arguments as for ``chances``."""
        return self.chances(attraction, slates).sum(axis=1)

    def appeal(self, users: np.ndarray) -> np.ndarray:
        """The attraction of each film to each user, averaged over moods: (n, n_items).

        Raises:
            ValueError: a user is not of this world.
        """
        return sum(share[:, None] * attraction for share, attraction in self._by_mood(users))

    def rate(self, users: np.ndarray, slates: np.ndarray) -> np.ndarray:
        """The probability that a visit of each user is clicked, whatever their mood: (n,).

        Args:
            users: (n,) who.
            slates: (n, k) what each is shown.

        Raises:
            ValueError: see ``chances``; or a user is not of this world.
        """
        return sum(
            share * self.expected(attraction, slates) for share, attraction in self._by_mood(users)
        )

    def _by_mood(self, users: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each mood: how often each user has it, (n,), and their attraction in it."""
        users = _whole("user", users, self.world.config.n_users)
        habit = self.world.people.mood_habit[users].astype(np.float64)
        habit /= habit.sum(axis=1, keepdims=True)
        for mood in range(self.world.config.n_moods):
            yield habit[:, mood], self.attraction(self._in_mood(users, np.full(len(users), mood)))

    def best(self, attraction: np.ndarray, k: int | None = None) -> np.ndarray:
        """The slate of each visit that gets most clicks: (n, k) films, a full slate by default.

        Raises:
            ValueError: there are not that many slots.
        """
        slots = len(self._examined)
        k = slots if k is None else k
        if not 1 <= k <= slots:
            raise ValueError(f"k is {k}; expected 1 to {slots}, the slots of a slate.")
        return np.argsort(-attraction, axis=1, kind="stable")[:, :k]


def _whole(what: str, numbers: np.ndarray, end: int) -> np.ndarray:
    """``numbers`` as an array; refused where one is not a row number below ``end``."""
    numbers = np.asarray(numbers)
    if not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"A {what} is a {numbers.dtype}; expected whole numbers.")
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < end:
        strange = numbers.min() if numbers.min() < 0 else numbers.max()
        raise ValueError(f"There is no {what} {strange}; expected 0 to {end - 1}.")
    return numbers
