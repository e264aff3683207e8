"""A whole world: its films, its people, what they did, and the law behind it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from rsutils.data.interactions import Interactions
from rsutils.data.world.behaviour import Behaviour, live
from rsutils.data.world.catalogue import Catalogue, make_catalogue
from rsutils.data.world.config import WorldConfig
from rsutils.data.world.diary import Diary, keep_diaries
from rsutils.data.world.law import Law
from rsutils.data.world.people import People, make_people

EPOCH = 1_577_836_800
"""Second of minute 0 of the log: 2020-01-01, 00:00 UTC."""


@dataclass(frozen=True, eq=False)
class World:
    """Everything about a world, the hidden truth included.

    Attributes:
        config: sizes and strengths.
        films: the films.
        people: the people.
        diary: when they watch, by person, then in order.
        behaviour: what they watch; entry n belongs to the diary's entry n.

    Example:
        >>> world = generate(WorldConfig(n_users=20, n_items=700, panel=2))
        >>> world.interactions().n_items
        700
    """

    config: WorldConfig
    films: Catalogue
    people: People
    diary: Diary
    behaviour: Behaviour

    @cached_property
    def law(self) -> Law:
        """The law of the next film."""
        return Law(self.config, self.films, self.people)

    def interactions(self) -> Interactions:
        """What was watched, as the table that every lesson takes; by person, then in order."""
        return Interactions.of(
            user=self.diary.user,
            item=self.behaviour.item,
            rating=self.behaviour.rating,
            timestamp=EPOCH + 60 * self.diary.minute.astype(np.int64),
            n_users=self.config.n_users,
            n_items=self.config.n_items,
        )

    def log(self) -> pd.DataFrame:
        """One row a film that was watched: user, item, rating, minute, session, position, finished.

        The ratings' table has the same rows in the same order.
        """
        return pd.DataFrame(
            {
                "user": self.diary.user,
                "item": self.behaviour.item,
                "rating": self.behaviour.rating,
                "minute": self.diary.minute,
                "session": self.diary.session,
                "position": self.behaviour.position,
                "finished": self.behaviour.finished,
            }
        )


def generate(config: WorldConfig | None = None) -> World:
    """Make a world; the same configuration makes the same world.

    Args:
        config: sizes and strengths; the committed demo world's where None.

    Raises:
        ValueError: nobody could live in such a world, for example with fewer films than a person
            may watch.

    Example:
        >>> world = generate(WorldConfig(n_users=20, n_items=700, panel=2))
        >>> bool((world.log()["rating"] <= 5).all())
        True
    """
    config = config or WorldConfig()
    films, people = make_catalogue(config), make_people(config)
    diary = keep_diaries(people.mood_habit, config)
    return World(config, films, people, diary, live(Law(config, films, people), diary))
