"""Sample items that a user has not interacted with."""

import numpy as np

from rsutils.data.interactions import Interactions

ROUNDS = 30
"""After so many rejections a user's list is filled from what is left, listed one by one."""


def sample_negatives(
    interactions: Interactions,
    users: np.ndarray,
    n: int,
    seed: int,
    popularity_power: float = 0.0,
    distinct: bool = False,
) -> np.ndarray:
    """Draw ``n`` items for each of ``users``, never one that the user has in ``interactions``.

    An item is drawn with probability proportional to ``count ** popularity_power``: 0 draws all
    items alike, 1 by popularity, 0.75 as word2vec does (Mikolov et al. 2013, arXiv:1310.4546,
    section 2.2). With a power above 0, items that nobody has are never drawn.

    Args:
        interactions: the positives; for evaluation pass all of them, test rows included.
        users: (m,) user ids; an id may occur several times and gets a list each time.
        n: negatives a list.
        seed: the same seed gives the same lists.
        popularity_power: 0 or more.
        distinct: no item twice in one list, as evaluation wants.

    Returns:
        (m, n) int32.

    Raises:
        ValueError: ``n`` or the power is out of range, or a user has too few items left.
        IndexError: a user is outside the table.

    Example:
        >>> log = Interactions.of(user=[0, 0, 1], item=[0, 1, 3], n_items=4)
        >>> np.sort(sample_negatives(log, users=[0, 1], n=2, seed=1, distinct=True))[0]
        array([2, 3], dtype=int32)
    """
    users = np.asarray(users, np.int64)
    weight = _weights(interactions, n, popularity_power)
    positives = np.unique(interactions.pair_keys())
    _refuse_the_sated(interactions, positives, users, weight, n if distinct else min(n, 1))
    rng = np.random.default_rng(seed)
    uniform, edges = popularity_power == 0, np.cumsum(weight) / max(weight.sum(), 1)

    drawn = np.full((len(users), n), -1, np.int32)
    open_rows = np.arange(len(users) if n else 0)
    for _ in range(ROUNDS):
        block = drawn[open_rows]
        row, column = np.nonzero(block < 0)
        block[row, column] = (
            rng.integers(interactions.n_items, size=len(row))
            if uniform
            else np.searchsorted(edges, rng.random(len(row)), side="right")
        )
        keys = _keys(users[open_rows[row]], block[row, column], interactions.n_items)
        wrong = np.zeros(block.shape, bool)
        wrong[row, column] = _contains(positives, keys)
        if distinct:
            wrong |= _repeats(block)
        block[wrong] = -1
        drawn[open_rows] = block
        open_rows = open_rows[wrong.any(axis=1)]
        if not len(open_rows):
            return drawn
    for row in open_rows:
        _fill(drawn[row], users[row], positives, weight, rng, distinct)
    return drawn


def _keys(user: np.ndarray, item: np.ndarray, n_items: int) -> np.ndarray:
    """One int64 a pair, so that membership is a look-up in a sorted array."""
    return np.asarray(user, np.int64) * n_items + item


def _contains(ordered: np.ndarray, keys: np.ndarray) -> np.ndarray:
    if not len(ordered):
        return np.zeros(len(keys), bool)
    place = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return ordered[place] == keys


def _weights(interactions: Interactions, n: int, power: float) -> np.ndarray:
    if n < 0:
        raise ValueError(f"n is {n}; expected 0 or more negatives a user.")
    if not (0 <= power < np.inf):
        raise ValueError(f"popularity_power is {power}; expected a number from 0.")
    count = np.bincount(interactions.item, minlength=interactions.n_items)
    return count.astype(np.float64) ** power


def _refuse_the_sated(
    interactions: Interactions,
    positives: np.ndarray,
    users: np.ndarray,
    weight: np.ndarray,
    needed: int,
) -> None:
    outside = (users < 0) | (users >= interactions.n_users)
    if outside.any():
        raise IndexError(
            f"user {users[outside][0]} is unknown; expected 0 to {interactions.n_users - 1}."
        )
    seen = np.bincount(positives // max(interactions.n_items, 1), minlength=interactions.n_users)
    left = np.count_nonzero(weight) - seen[users]
    if len(left) and left.min() < needed:
        user = users[left.argmin()]
        raise ValueError(
            f"user {user} has {left.min()} items left to draw from; {needed} are needed. Ask for "
            "fewer negatives, or leave this user out."
        )


def _repeats(block: np.ndarray) -> np.ndarray:
    """Where an entry repeats one to its left."""
    order = np.argsort(block, axis=1, kind="stable")
    ordered = np.take_along_axis(block, order, axis=1)
    again = np.zeros(block.shape, bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    repeats = np.empty_like(again)
    np.put_along_axis(repeats, order, again, axis=1)
    return repeats


def _fill(
    row: np.ndarray,
    user: int,
    positives: np.ndarray,
    weight: np.ndarray,
    rng: np.random.Generator,
    distinct: bool,
) -> None:
    """Fill a row's open places from the list of what its user has left."""
    free = weight > 0
    start, stop = np.searchsorted(positives, [user * len(weight), (user + 1) * len(weight)])
    free[positives[start:stop] - user * len(weight)] = False
    if distinct:
        free[row[row >= 0]] = False
    pool = np.flatnonzero(free)
    chance = weight[pool] / weight[pool].sum()
    row[row < 0] = rng.choice(pool, np.count_nonzero(row < 0), replace=not distinct, p=chance)
