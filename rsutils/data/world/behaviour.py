"""What people do: the film of every entry of the diary, its slot, its rating, and slates.

All people take their first step together, then their second, and so on: one matrix of people by
films a step. For the people of the panel the slates themselves are drawn until one is clicked;
which film was clicked is then already known, because its law does not depend on the slot (see
``law``). Of a watched film with taste utility x = taste · w_i::

    P(finished) = 1 / (1 + exp(-(-.3 + .5 x + .3 quality)))
    rating      = round(2.2 + leniency_u + .35 quality_i + .4 x + .75 noise), within 1..5
"""

from dataclasses import dataclass

import numpy as np

from rsutils.data.world.diary import Diary
from rsutils.data.world.law import NO_FILM, Law, Situation

SLATE_BLOCK = 16


@dataclass(frozen=True, eq=False)
class Slates:
    """Slates that the panel was shown, in order.

    Attributes:
        row: (n,) int32, the diary's entry that the slate led to; the last slate of an entry is
            the one that was clicked.
        clicked: (n,) int8, the slot that was clicked, or -1.
        films: (n, slots) int16, top slot first.
    """

    row: np.ndarray
    clicked: np.ndarray
    films: np.ndarray


@dataclass(frozen=True, eq=False)
class Behaviour:
    """What came of the diary; entry n belongs to the diary's entry n.

    Attributes:
        item: (n,) int32.
        position: (n,) int8, the slot that was clicked, 0 on top.
        finished: (n,) int8, 1 if the film was watched to its end.
        rating: (n,) int8, 1 to 5.
        slates: what the panel was shown.
    """

    item: np.ndarray
    position: np.ndarray
    finished: np.ndarray
    rating: np.ndarray
    slates: Slates


def live(law: Law, diary: Diary) -> Behaviour:
    """Let everybody live through the diary."""
    rng = np.random.default_rng([law.config.seed, 4])
    n_users, n_items = len(diary.length), len(law.films.factors)
    busiest_first = np.argsort(-diary.length, kind="stable")
    first_row = (np.cumsum(diary.length) - diary.length)[busiest_first]
    on_panel = np.zeros(n_users, bool)
    on_panel[rng.choice(n_users, min(law.config.panel, n_users), replace=False)] = True
    item = np.full(len(diary.user), NO_FILM, np.int32)
    position = np.zeros(len(diary.user), np.int8)
    seen = np.zeros((n_users, n_items), bool)
    slates: list[Slates] = []
    for step in range(int(diary.length.max())):
        rows = first_row[: np.count_nonzero(diary.length > step)] + step
        at = situation(diary, rows, item, seen[: len(rows)])
        shown, liked = law.exposure(at), law.attraction(at)
        weight = shown * liked
        item[rows] = draw(weight, rng)
        position[rows] = _slots(weight.sum(axis=1), law.examined(), rng)
        seen[np.arange(len(rows)), item[rows]] = True
        for n in np.flatnonzero(on_panel[diary.user[rows]]):
            slates.append(_slates(rows[n], item[rows[n]], shown[n], liked[n], law.examined(), rng))
            position[rows[n]] = slates[-1].clicked[-1]
    finished, rating = _verdict(law, diary, item)
    return Behaviour(item, position, finished, rating, _joined(slates))


def situation(diary: Diary, rows: np.ndarray, item: np.ndarray, seen: np.ndarray) -> Situation:
    """The situation before the diary's entries ``rows``, of which no two are one person's."""
    user, step = diary.user[rows], diary.step[rows]
    goes_on = (step > 0) & (diary.session[rows] == diary.session[rows - 1])
    return Situation(
        user=user,
        progress=step / diary.length[user],
        mood=diary.mood[rows],
        previous=np.where(goes_on, item[rows - 1], NO_FILM),
        minute=diary.minute[rows],
        seen=seen,
    )


def draw(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One column for each row, with probability ∝ its weight.

    Example:
        >>> draw(np.array([[0.0, 3.0, 0.0], [1.0, 0.0, 0.0]]), np.random.default_rng(0)).tolist()
        [1, 0]
    """
    reach = np.cumsum(weight, axis=1)
    return (reach <= rng.random(len(weight))[:, None] * reach[:, -1:]).sum(axis=1)


def _slots(click_rate: np.ndarray, examined: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Slots of the first click of slates, given that there is one: (n,)."""
    click = click_rate[:, None] * examined
    passed = np.cumprod(1.0 - click, axis=1) / (1.0 - click)
    return draw(click * passed, rng)


def _slates(
    row: int,
    film: int,
    shown: np.ndarray,
    liked: np.ndarray,
    examined: np.ndarray,
    rng: np.random.Generator,
) -> Slates:
    """Slates shown to one person until a click on ``film``."""
    reach = np.cumsum(shown)
    blocks, slot = [], NO_FILM
    while slot == NO_FILM:
        films = np.searchsorted(
            reach, reach[-1] * rng.random((SLATE_BLOCK, len(examined))), "right"
        )
        click = rng.random(films.shape) < examined * liked[films]
        hit = np.flatnonzero(click.any(axis=1))
        if len(hit):
            films = films[: hit[0] + 1]
            slot = int(np.argmax(click[hit[0]]))
            films[-1, slot] = film
        blocks.append(films)
    films = np.concatenate(blocks).astype(np.int16)
    clicked = np.full(len(films), NO_FILM, np.int8)
    clicked[-1] = slot
    return Slates(np.full(len(films), row, np.int32), clicked, films)


def _joined(slates: list[Slates]) -> Slates:
    """All slates as one table, in the diary's order."""
    row = np.concatenate([s.row for s in slates])
    order = np.argsort(row, kind="stable")
    clicked = np.concatenate([s.clicked for s in slates])
    return Slates(row[order], clicked[order], np.concatenate([s.films for s in slates])[order])


def _verdict(law: Law, diary: Diary, item: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each film was finished, and its rating."""
    rng = np.random.default_rng([law.config.seed, 5])
    taste = law.taste(diary.user, diary.step / diary.length[diary.user])
    x = (taste * law.films.factors[item]).sum(axis=1)
    quality = law.films.quality[item].astype(np.float64)
    finish = 1.0 / (1.0 + np.exp(-(-0.3 + 0.5 * x + 0.3 * quality)))
    finished = rng.random(len(item)) < finish
    leniency = law.people.leniency[diary.user].astype(np.float64)
    noise = rng.standard_normal(len(item))
    rating = np.rint(2.2 + leniency + 0.35 * quality + 0.4 * x + 0.75 * noise)
    return finished.astype(np.int8), np.clip(rating, 1, 5).astype(np.int8)
