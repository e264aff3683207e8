"""What a service is asked and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

EVENT_KINDS = ("click", "finish", "like", "dislike")
"""What a user can have done with an item."""


class UnknownNameError(ValueError):
    """A query names an item, a category or a variant that the served system does not have."""


@dataclass(frozen=True)
class Query:
    """One request for recommendations.

    Attributes:
        user: id outside of the system, or None where nobody is known.
        history: items given with the request, newest last, beside what is known of the user.
        k: how many items are wanted.
        categories: only items that have one of these; () for all.
        blocked: items never to show.
        variant: of the ranker, such as ``"int8"``; None for the default one.
    """

    user: str | None = None
    history: tuple[str, ...] = ()
    k: int = 10
    categories: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    variant: str | None = None


@dataclass(frozen=True)
class Reason:
    """Why an item is shown.

    Attributes:
        kind: ``"because"`` of an item in the history, ``"similar"`` to the item asked about, or
            ``"popular"``.
        item: the item of which it is, or None.
        title: its title.
    """

    kind: str
    item: str | None = None
    title: str | None = None


@dataclass(frozen=True)
class Recommended:
    """One item of an answer.

    Attributes:
        item: id outside of the system.
        title: what to show.
        categories: those of the item.
        score: by which the list is sorted, descending; its unit is the model's.
        reason: why it is here.
    """

    item: str
    title: str
    categories: tuple[str, ...]
    score: float
    reason: Reason


@dataclass(frozen=True)
class Answer:
    """What a query got.

    Attributes:
        items: best first, at most k.
        source: ``"model"`` or ``"popularity"``, the last resort.
        cache: ``"hit"``, ``"miss"``, or ``"stale"`` where another process renews it.
        model: name of the system that answered.
        variant: of its ranker.
        stages: milliseconds of each stage that ran, shared with the other queries of its batch.
    """

    items: tuple[Recommended, ...]
    source: str
    cache: str
    model: str
    variant: str
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something a user did.

    Attributes:
        user: id outside of the system.
        item: id outside of the system.
        kind: one of ``EVENT_KINDS``.
        id: given by the client, so that a repeat counts once; made where it is empty.
        time: seconds since 1970; 0 for now.
    """

    user: str
    item: str
    kind: str = "click"
    id: str = ""
    time: float = 0.0
