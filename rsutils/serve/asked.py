"""A query in the numbers of a served system, with what is known of its user."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rsutils.serve.answers import Event, Query, UnknownNameError
from rsutils.serve.store import Behaviour
from rsutils.serve.system import System

DISLIKED = "dislike"
"""The kind of event after which an item is blocked and says nothing for others."""
TICK = 1e-6
"""Seconds between events of one call, so that a store keeps their order."""


@dataclass(frozen=True)
class Asked:
    """What to answer.

    Attributes:
        user: number, or None for somebody that the system has not learnt from.
        history: (h,) int64 item numbers, oldest first, each once: where it came last.
        blocked: (b,) int64 items that are not shown either.
        k: how many items are wanted.
        categories: only items that have one of these, sorted.
        allowed: (n_items,) bool, which items these are; None for all.
        variant: of the ranker.
    """

    user: int | None
    history: np.ndarray
    blocked: np.ndarray
    k: int
    categories: tuple[str, ...]
    allowed: np.ndarray | None
    variant: str

    def key(self) -> tuple[object, ...]:
        """All that an answer depends on."""
        lists = (self.history.tolist(), sorted(self.blocked.tolist()))
        return self.user, *lists, self.k, self.categories, self.variant


def read_query(
    query: Query,
    system: System,
    variants: Sequence[str],
    behaviour: Sequence[Behaviour] | None,
) -> Asked:
    """The query in numbers.

    The history is what the system was made with, then what the store knows, then what the query
    brings along.

    Args:
        query: from outside.
        system: that answers.
        variants: that it has, the default one first.
        behaviour: of the query's user, oldest first; items that another system knew are skipped.

    Raises:
        UnknownNameError: the query names an item, a category or a variant that there is not.
    """
    catalogue = system.catalogue
    variant = variants[0] if query.variant is None else query.variant
    if variant not in variants:
        known = ", ".join(variants)
        raise UnknownNameError(f"There is no variant {variant!r}; there are: {known}.")
    allowed = catalogue.mask(query.categories)
    user = catalogue.user_at(query.user)
    entries = behaviour or ()
    disliked = [entry.item for entry in entries if entry.kind == DISLIKED]
    taken = [entry.item for entry in entries if entry.kind != DISLIKED]
    parts = [
        np.array([], np.int64) if user is None else np.asarray(system.histories[user], np.int64),
        catalogue.items_at(taken, among_known=True),
        catalogue.items_at(query.history),
    ]
    blocked = np.concatenate(
        [catalogue.items_at(disliked, among_known=True), catalogue.items_at(query.blocked)]
    )
    history = last_of_each(np.concatenate(parts))
    return Asked(
        user,
        history[~np.isin(history, blocked)],
        np.unique(blocked),
        query.k,
        tuple(sorted(set(query.categories))),
        allowed,
        variant,
    )


def behaviour_of(events: Sequence[Event], now: float) -> list[Behaviour]:
    """Events as the store keeps them.

    Args:
        events: what happened, in its order.
        now: seconds since 1970, for events without a time.
    """
    return [
        Behaviour(
            each.id or uuid.uuid4().hex,
            each.user,
            each.item,
            each.kind,
            each.time or now + place * TICK,
        )
        for place, each in enumerate(events)
    ]


def last_of_each(items: np.ndarray) -> np.ndarray:
    """Each item once, where it comes last.

    Example:
        >>> last_of_each(np.array([3, 5, 3, 7])).tolist()
        [5, 3, 7]
    """
    _, from_end = np.unique(items[::-1], return_index=True)
    return items[np.sort(len(items) - 1 - from_end)]
