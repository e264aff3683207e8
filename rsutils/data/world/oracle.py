"""The oracle: the true probability of the next film, to rank by and to measure models against.

Asked for ``"taste"``, it answers for the first film of the next session, when no mood is known::

    P(i | new session) = sum over moods m of habit_u(m) P(next = i | m, no film before)

Asked for ``"next"``, it also knows the film before and the mood of the session that may go on::

    P(i) = stay P(next = i | mood, film before) + (1 - stay) P(i | new session)

Both know drift, exposure of the week and what was seen; neither knows whether the session goes on.
For one relevant item, no ranking has a higher expected HR, MRR or NDCG than one by probability
(the probability ranking principle, Robertson 1977), so no model beats ``"next"`` but by luck.
"""

from typing import Literal, Self

import numpy as np

from rsutils.data.interactions import Interactions
from rsutils.data.world.law import NO_FILM, Situation
from rsutils.data.world.worlds import World

QUESTIONS = ("taste", "next")
BATCH = 256


class Oracle:
    """Knows the world; ``fit`` only tells it how far each history goes.

    Args:
        world: the world to know.
        question: ``"next"`` or ``"taste"``, see the module.

    Raises:
        ValueError: the question is another one.

    Example:
        >>> from rsutils.data.world import WorldConfig, generate
        >>> world = generate(WorldConfig(n_users=20, n_items=700, panel=2))
        >>> oracle = Oracle(world, "taste").fit(world.interactions())
        >>> scores = oracle.scores(np.array([3, 5]))
        >>> scores.shape, scores.sum(axis=1).round(3).tolist()
        ((2, 700), [1.0, 1.0])
    """

    def __init__(self, world: World, question: Literal["taste", "next"] = "next") -> None:
        if question not in QUESTIONS:
            raise ValueError(f"The question is {question!r}; expected one of {QUESTIONS}.")
        self.world = world
        self.question = question

    def fit(self, interactions: Interactions) -> Self:
        """Take ``interactions`` as what has happened so far.

        Raises:
            ValueError: an interaction did not happen in this world.
        """
        rows = self._rows(interactions)
        self._history = interactions.to_csr()
        self._last = np.full(self.world.config.n_users, -1)
        np.maximum.at(self._last, interactions.user, rows)
        return self

    def scores(self, users: np.ndarray) -> np.ndarray:
        """True probabilities of the next film: (len(users), n_items) float32, rows sum to 1.

        Raises:
            RuntimeError: the oracle was not fitted.
        """
        if not hasattr(self, "_history"):
            raise RuntimeError("The oracle knows no history yet: call fit(train) before scores.")
        users = np.asarray(users)
        answer = np.empty((len(users), self.world.config.n_items), np.float32)
        for start in range(0, len(users), BATCH):
            part = slice(start, start + BATCH)
            answer[part] = self._probability(users[part])
        return answer

    def _rows(self, interactions: Interactions) -> np.ndarray:
        """The entries of the diary that ``interactions`` are; a person sees a film only once."""
        n_items = self.world.config.n_items
        known = self.world.diary.user.astype(np.int64) * n_items + self.world.behaviour.item
        asked = interactions.user.astype(np.int64) * n_items + interactions.item
        order = np.argsort(known)
        place = order[np.searchsorted(known, asked, sorter=order) % len(known)]
        strange = np.flatnonzero(known[place] != asked)
        if len(strange):
            user, item = interactions.user[strange[0]], interactions.item[strange[0]]
            raise ValueError(
                f"User {user} never watched item {item} in this world; expected interactions "
                "(or a part of them) of the world that the oracle was given."
            )
        return place

    def _probability(self, users: np.ndarray) -> np.ndarray:
        diary, config = self.world.diary, self.world.config
        last = self._last[users]
        first_row = np.searchsorted(diary.user, users)
        step = np.where(last < 0, 0, diary.step[last] + 1)
        upcoming = np.minimum(first_row + step, first_row + diary.length[users] - 1)
        seen = self._history[users].toarray() > 0

        def law(mood: np.ndarray, previous: np.ndarray) -> np.ndarray:
            progress = step / diary.length[users]
            at = Situation(users, progress, mood, previous, diary.minute[upcoming], seen)
            return self.world.law.next_film(at)

        nothing = np.full(len(users), NO_FILM)
        habit = self.world.people.mood_habit[users].astype(np.float64)
        habit /= habit.sum(axis=1, keepdims=True)
        fresh = sum(
            habit[:, [m]] * law(np.full(len(users), m), nothing) for m in range(config.n_moods)
        )
        if self.question == "taste":
            return fresh
        stay = np.where(last < 0, 0.0, config.stay)[:, None]
        previous = np.where(last < 0, NO_FILM, self.world.behaviour.item[last])
        return stay * law(diary.mood[last], previous) + (1.0 - stay) * fresh
