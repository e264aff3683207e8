"""What every store can do, and what users did as it is kept there."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

PER_USER = 500
"""Entries of behaviour kept of one user, the newest."""

BEHAVIOUR_SECONDS = 90 * 86_400.0
"""How long a user's behaviour is kept after the last entry: 90 days."""

FIT = re.compile("[^\0\ud800-\udfff]+")
"""What an id may be: NUL separates texts in Redis, and UTF-8 knows no single surrogate."""


class StoreDownError(ConnectionError):
    """The store cannot be reached, or does not do what it is asked to."""


class Behaviour(NamedTuple):
    """One thing that a user did.

    Attributes:
        id: tells entries of a user apart; an id that comes twice is one entry.
        user: who did it.
        item: with what.
        kind: what it was, such as ``"click"``.
        time: seconds since 1970.
    """

    id: str
    user: str
    item: str
    kind: str
    time: float


class Store(ABC):
    """Bytes by name, and what users did. All methods may be called from any thread.

    Values may vanish at any time, for a store has bounds: what is kept here can be computed again.
    Behaviour is bounded as well: the newest entries of each user, for as long as the user comes
    back. Entries are known by ``(user, id)``. Where an id comes twice, the entry of the earlier
    time stays, since a repeat that a client sends has a later one; so entries may be added again
    and in any order, and the outcome is the same. Only an entry that was thrown out already, being
    older than the newest ones, is taken for another one where its id comes again.
    """

    @abstractmethod
    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, or None, in one round trip."""

    @abstractmethod
    def set_many(self, values: Mapping[str, bytes], seconds: float) -> None:
        """Keep values for so many seconds, in one round trip.

        Raises:
            ValueError: the seconds are not above 0.
            TypeError: a value is not bytes.
        """

    @abstractmethod
    def delete(self, keys: Sequence[str]) -> None:
        """Forget values and claims; a key that is not there is none to complain about."""

    @abstractmethod
    def claim_many(self, keys: Sequence[str], seconds: float) -> list[bool]:
        """Which keys this caller is the first to claim, in one round trip.

        A claim is a value: it is there until it expires or is deleted, and where a value is, no
        claim is granted.

        Raises:
            ValueError: the seconds are not above 0.
        """

    def claim(self, key: str, seconds: float) -> bool:
        """Whether this caller is the first to claim ``key``."""
        return self.claim_many([key], seconds)[0]

    @abstractmethod
    def add_behaviour(self, entries: Sequence[Behaviour]) -> None:
        """Keep what users did, in one round trip; entries that are known already change nothing.

        Raises:
            ValueError: an entry has an empty text, one with a NUL, or a time that is not finite.
        """

    @abstractmethod
    def behaviour(self, users: Sequence[str], newest: int = 100) -> list[list[Behaviour]]:
        """The newest entries of each user, oldest first, in one round trip.

        Entries of equal time are sorted by their id.

        Raises:
            ValueError: fewer than one entry is asked for.
        """

    @abstractmethod
    def state(self) -> Mapping[str, Any]:
        """How the store is: ``"kind"``, whether it is ``"up"``, and what else there is to say."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections and threads; the store is not used afterwards."""


def checked_values(values: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """``values``, found to be bytes.

    Raises:
        TypeError: one is not.
    """
    for key, value in values.items():
        if not isinstance(value, bytes):
            raise TypeError(f"The value of {key!r} is a {type(value).__name__}; expected bytes.")
    return values


def checked_keys(keys: Sequence[str]) -> Sequence[str]:
    """``keys``, found to be texts that UTF-8 knows.

    Raises:
        UnicodeEncodeError: one has half of a surrogate pair.
    """
    for key in keys:
        key.encode()
    return keys


def checked_seconds(seconds: float) -> float:
    """``seconds``, found to be a time to live.

    Raises:
        ValueError: they are not above 0, or not finite.
    """
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds is {seconds}; expected a finite number above 0.")
    return seconds


def checked_newest(newest: int) -> int:
    """``newest``, found to be a number of entries.

    Raises:
        ValueError: it is below 1.
    """
    if newest < 1:
        raise ValueError(f"newest is {newest}; expected at least 1 entry.")
    return newest


def checked_entries(entries: Iterable[Behaviour]) -> list[Behaviour]:
    """``entries``, found fit to be kept.

    Raises:
        ValueError: one has an empty text, one with a NUL, or a time that is not finite.
    """
    entries = list(entries)
    for entry in entries:
        for name, text in zip(entry._fields[:-1], entry[:-1], strict=True):
            if not isinstance(text, str) or not FIT.fullmatch(text):
                raise ValueError(
                    f"{name} of {entry} is {text!r}; expected a text, without NUL and surrogates."
                )
        if not math.isfinite(entry.time):
            raise ValueError(f"time of {entry} is {entry.time}; expected seconds since 1970.")
    return entries


def earlier(one: Behaviour, other: Behaviour) -> Behaviour:
    """Which of two entries of the same user and id stays, whatever came first.

    Example:
        >>> first = Behaviour("e1", "42", "17", "click", 5.0)
        >>> earlier(first._replace(time=6.0), first).time
        5.0
    """
    return min(one, other, key=lambda entry: (entry.time, entry.item, entry.kind))


def by_time(entry: Behaviour) -> tuple[float, str]:
    """The key by which a user's entries are sorted."""
    return entry.time, entry.id
