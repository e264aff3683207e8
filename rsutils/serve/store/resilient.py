"""A store that goes on in its own memory while Redis is away."""

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from rsutils.serve.store.base import (
    Behaviour,
    Store,
    StoreDownError,
    by_time,
    checked_entries,
    checked_newest,
    checked_seconds,
    checked_values,
    earlier,
)
from rsutils.serve.store.histories import MOST
from rsutils.serve.store.memory import MemoryStore
from rsutils.serve.store.outbox import CHUNK, Outbox
from rsutils.serve.store.redis_store import RedisStore

LOG = logging.getLogger("rsutils.serve.store")
T = TypeVar("T")


class ResilientStore(Store):
    """Redis while it answers, and this process's memory while it does not.

    The first call that fails is the last one that waits: from then on, calls are answered from
    memory, and a thread asks in the background whether Redis is back. When it is, what must not be
    lost is handed over before Redis is read again:

    - Behaviour that was written meanwhile. Should Redis have been restarted, even between two
      calls, all behaviour that this process still knows is handed over again, for Redis may have
      come back empty or with an older copy. It does no harm where it was there.
    - Deletions, so that an answer that was dropped meanwhile does not come back.

    Values that were set meanwhile are not handed over; they can be computed again. While Redis is
    away, this process knows of users what came through itself only.

    Args:
        primary: used while it answers.
        local: used while it does not; keeps a copy of the behaviour written through this process.
        interval: seconds between two looks at the primary while it answers, and the most between
            two while it does not.
        first_delay: seconds until the first look after a failure; it doubles from look to look.
        max_pending: entries of behaviour, and deletions, that can wait for the primary. Beyond,
            the entries of some users are lost to Redis, which is logged and counted, and in place
            of single deletions all cached values are deleted.
        clock: seconds since 1970, for ``state``.
    """

    def __init__(
        self,
        primary: RedisStore,
        local: MemoryStore,
        *,
        interval: float = 1.0,
        first_delay: float = 0.05,
        max_pending: int = MOST,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._primary, self._local = primary, local
        self._interval = checked_seconds(interval)
        self._first_delay = self._delay = checked_seconds(first_delay)
        self._max_pending, self._clock = max_pending, clock
        self._outbox = Outbox(max_pending)
        self._identity: str | None = None
        self._error: str | None = None
        self._failures = self._lost = 0
        self._up, self._since = True, clock()
        self._lock, self._wake, self._closed = Lock(), Event(), False
        self._probe()
        self._thread = Thread(target=self._watch, name="rsutils-store", daemon=True)
        self._thread.start()

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, or None."""
        return self._ask(lambda store: store.get_many(keys))

    def set_many(self, values: Mapping[str, bytes], seconds: float) -> None:
        """Keep values for so many seconds."""
        checked_values(values)
        checked_seconds(seconds)
        self._ask(lambda store: store.set_many(values, seconds))

    def claim_many(self, keys: Sequence[str], seconds: float) -> list[bool]:
        """Which keys this caller is the first to claim; of this process only, while down."""
        checked_seconds(seconds)
        return self._ask(lambda store: store.claim_many(keys, seconds))

    def delete(self, keys: Sequence[str]) -> None:
        """Forget values and claims."""
        self._local.delete(keys)
        self._tell(lambda: self._primary.delete(keys), lambda: self._outbox.note_deleted(keys))

    def add_behaviour(self, entries: Sequence[Behaviour]) -> None:
        """Keep what users did; entries that are known already change nothing."""
        entries = checked_entries(entries)
        # First here: were Redis emptied right after it took them, they would be known to nobody.
        self._local.add_behaviour(entries)
        self._tell(
            lambda: self._primary.add_behaviour(entries), lambda: self._note_pending(entries)
        )

    def behaviour(self, users: Sequence[str], newest: int = 100) -> list[list[Behaviour]]:
        """The newest entries of each user, oldest first."""
        checked_newest(newest)
        # Before Redis is asked: what is handed over meanwhile would be in neither.
        waiting = self._outbox.newest(users, newest)
        found = self._ask(lambda store: store.behaviour(users, newest))
        return [
            _union(known, more)[-newest:] if more else known
            for known, more in zip(found, waiting, strict=True)
        ]

    def state(self) -> Mapping[str, Any]:
        """How the store is, without asking Redis.

        Returns:
            ``"kind"`` ``"redis"`` or ``"fallback"``, ``"up"``, ``"since"`` (seconds since 1970),
            ``"address"``, ``"error"`` (the last one while down), ``"failures"`` (calls and looks
            that failed), ``"pending"`` (what waits to be handed over) and ``"lost"`` (entries for
            which there was no room).
        """
        with self._lock:
            return {
                "kind": "redis" if self._up else "fallback",
                "up": self._up,
                "since": self._since,
                "address": self._primary.address,
                "error": self._error,
                "failures": self._failures,
                "pending": len(self._outbox),
                "lost": self._lost,
            }

    def close(self) -> None:
        """Stop the thread and close both stores."""
        self._closed = True
        self._wake.set()
        self._thread.join(timeout=5)
        if waiting := self._outbox.entries:
            LOG.warning("%d entries of behaviour never came to Redis", waiting)
        self._primary.close()
        self._local.close()

    def _ask(self, call: Callable[[Store], T]) -> T:
        if self._up:
            try:
                return call(self._primary)
            except StoreDownError as error:
                with self._lock:
                    self._fall_back(error)
        return call(self._local)

    def _tell(self, call: Callable[[], None], note: Callable[[], None]) -> None:
        """Tell the primary, or note for later; under the lock, so that no note comes too late."""
        with self._lock:
            if not self._up:
                note()
                return
        try:
            call()
        except StoreDownError as error:
            with self._lock:
                self._fall_back(error)
                note()

    def _note_pending(self, entries: Sequence[Behaviour]) -> None:
        lost = self._outbox.note_behaviour(entries)
        if lost and not self._lost:
            LOG.error(
                "More than %d entries of behaviour wait for Redis; the first are lost to it",
                self._max_pending,
            )
        self._lost += lost

    def _fall_back(self, error: StoreDownError) -> None:
        self._failures += 1
        self._error = str(error)
        if not self._up:
            return
        LOG.warning("%s. Answering from memory until it is back.", str(error).rstrip("."))
        # What is left from the last time may have been deleted in Redis since.
        self._local.clear()
        self._up, self._since, self._delay = False, self._clock(), self._first_delay
        self._wake.set()

    def _watch(self) -> None:
        while not self._closed:
            # Processes that lost Redis at the same time do not all come back at the same time.
            delay = self._interval if self._up else self._delay * random.uniform(0.5, 1.0)
            if self._wake.wait(delay):
                self._wake.clear()
            else:
                self._probe()

    def _probe(self) -> None:
        """Look whether the primary is there, and hand over what waits for it."""
        try:
            identity = self._primary.identity()
            if identity != self._identity:
                known = self._local.histories.first(len(self._local.histories))
                for start in range(0, len(known), CHUNK):
                    with self._lock:
                        self._note_pending(known[start : start + CHUNK])
                self._identity = identity
            self._hand_over()
        except StoreDownError as error:
            with self._lock:
                self._fall_back(error)
                self._delay = min(self._interval, 2 * self._delay)

    def _hand_over(self) -> None:
        handed_over = 0
        while True:
            with self._lock:
                # Empty and up in one step: what is noted after it finds the primary in use.
                if not len(self._outbox):
                    self._come_back(handed_over)
                    return
            handed_over += self._outbox.hand_over(self._primary)

    def _come_back(self, handed_over: int) -> None:
        if handed_over or not self._up:
            now = self._clock()
            LOG.warning(
                "Redis at %s is %s; %d entries and deletions handed over",
                self._primary.address,
                "in use, and was restarted"
                if self._up
                else f"back after {now - self._since:.1f} s",
                handed_over,
            )
        if not self._up:
            self._up, self._since, self._error = True, self._clock(), None


def _union(some: Sequence[Behaviour], more: Sequence[Behaviour]) -> list[Behaviour]:
    """Entries of one user that are in either, by time."""
    entries = {entry.id: entry for entry in some}
    for entry in more:
        known = entries.get(entry.id)
        entries[entry.id] = earlier(known, entry) if known else entry
    return sorted(entries.values(), key=by_time)
