"""What users did, in the memory of this process: bounded by user and in all."""

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock

from rsutils.serve.store.base import (
    BEHAVIOUR_SECONDS,
    PER_USER,
    Behaviour,
    by_time,
    earlier,
)

MOST = 200_000
"""Entries kept of all users by default."""


@dataclass
class _User:
    deadline: float = 0.0
    entries: dict[str, Behaviour] = field(default_factory=dict)


class Histories:
    """Entries by user. All methods may be called from any thread.

    Args:
        per_user: how many entries of one user are kept, the newest.
        most: how many entries are kept of all users; beyond, the users go of whom nothing was
            added or asked for longest.
        seconds: time to live of a user after the last entry.
        clock: seconds of any origin.

    Raises:
        ValueError: one user's entries could be more than all.

    Example:
        >>> histories = Histories()
        >>> entry = Behaviour("e1", "42", "17", "click", 5.0)
        >>> histories.add([entry, entry])
        0
        >>> [[known.item for known in user] for user in histories.newest(["42", "43"], 10)]
        [['17'], []]
    """

    def __init__(
        self,
        per_user: int = PER_USER,
        most: int = MOST,
        seconds: float = BEHAVIOUR_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 1 <= per_user <= most:
            raise ValueError(
                f"per_user is {per_user} and most is {most}; expected 1 <= per_user <= most."
            )
        self._per_user, self._most = per_user, most
        self._seconds, self._clock = seconds, clock
        self._users: OrderedDict[str, _User] = OrderedDict()
        self._count = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return self._count

    @property
    def users(self) -> int:
        """Of how many users something is kept."""
        return len(self._users)

    def add(self, entries: Iterable[Behaviour]) -> int:
        """Keep entries; those known already change nothing.

        Returns:
            How many entries of other users were thrown out to make room.
        """
        with self._lock:
            now = self._clock()
            for user in {self._add(entry, now) for entry in entries}:
                self._trim(self._users[user].entries)
            thrown_out = 0
            while self._count > self._most:
                thrown_out += self._forget(next(iter(self._users)))
            return thrown_out

    def newest(self, users: Sequence[str], newest: int) -> list[list[Behaviour]]:
        """The newest entries of each user, oldest first."""
        with self._lock:
            now = self._clock()
            return [sorted(self._entries(user, now), key=by_time)[-newest:] for user in users]

    def remove(self, entries: Iterable[Behaviour]) -> None:
        """Forget entries, those that are still what they are here."""
        with self._lock:
            for entry in entries:
                user = self._users.get(entry.user)
                if user and user.entries.get(entry.id) == entry:
                    del user.entries[entry.id]
                    self._count -= 1
                    if not user.entries:
                        del self._users[entry.user]

    def first(self, most: int) -> list[Behaviour]:
        """At most so many entries, of those users who would be thrown out first."""
        with self._lock:
            now = self._clock()
            found: list[Behaviour] = []
            for user in self._users.values():
                if user.deadline > now:
                    found.extend(user.entries.values())
                if len(found) >= most:
                    break
            return found[:most]

    def _add(self, entry: Behaviour, now: float) -> str:
        self._entries(entry.user, now)  # forgets what expired
        user = self._users.setdefault(entry.user, _User())
        user.deadline = now + self._seconds
        known = user.entries.get(entry.id)
        user.entries[entry.id] = earlier(known, entry) if known else entry
        self._count += known is None
        return entry.user

    def _trim(self, entries: dict[str, Behaviour]) -> None:
        beyond = max(0, len(entries) - self._per_user)
        for entry in heapq.nsmallest(beyond, entries.values(), key=by_time):
            del entries[entry.id]
        self._count -= beyond

    def _entries(self, name: str, now: float) -> Iterable[Behaviour]:
        user = self._users.get(name)
        if user is None:
            return ()
        if user.deadline <= now:
            self._forget(name)
            return ()
        self._users.move_to_end(name)
        return user.entries.values()

    def _forget(self, name: str) -> int:
        gone = len(self._users.pop(name).entries)
        self._count -= gone
        return gone
