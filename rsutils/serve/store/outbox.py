"""What waits to be handed over to Redis: behaviour and deletions."""

from collections.abc import Iterable, Sequence
from threading import Lock

from rsutils.serve.store.base import Behaviour
from rsutils.serve.store.histories import MOST, Histories
from rsutils.serve.store.redis_store import RedisStore

CHUNK = 500
"""Entries, or deletions, that are handed over in one round trip."""


class Outbox:
    """Entries and deletions by number bounded. All methods may be called from any thread.

    Args:
        most: entries, and deletions, that are kept. Beyond, entries of some users are thrown out,
            and in place of single deletions all cached values are to be deleted.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._behaviour = Histories(most=most)
        self._deleted: dict[str, None] = {}
        self._everything = False
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._behaviour) + len(self._deleted) + self._everything

    @property
    def entries(self) -> int:
        """How many entries of behaviour wait."""
        return len(self._behaviour)

    def note_behaviour(self, entries: Iterable[Behaviour]) -> int:
        """Keep entries; how many others were thrown out to make room."""
        return self._behaviour.add(entries)

    def note_deleted(self, keys: Iterable[str]) -> None:
        """Keep deletions."""
        with self._lock:
            if not self._everything:
                self._deleted.update(dict.fromkeys(keys))
            if len(self._deleted) > self._most:
                self._deleted, self._everything = {}, True

    def newest(self, users: Sequence[str], newest: int) -> list[list[Behaviour]]:
        """The newest waiting entries of each user, oldest first."""
        if not len(self._behaviour):
            return [[] for _ in users]
        return self._behaviour.newest(users, newest)

    def hand_over(self, primary: RedisStore) -> int:
        """Hand over one chunk of what waits; how much that was.

        Raises:
            StoreDownError: the primary failed; what it did not take waits on.
        """
        entries = self._behaviour.first(CHUNK)
        if entries:
            primary.add_behaviour(entries)
            self._behaviour.remove(entries)
        with self._lock:
            # Taken out first: a key that is deleted again meanwhile has to wait again.
            everything, self._everything = self._everything, False
            deleted = [*self._deleted][:CHUNK]
            for key in deleted:
                del self._deleted[key]
        try:
            if everything:
                primary.forget_values()
            primary.delete(deleted)
        except BaseException:
            self._everything |= everything
            self.note_deleted(deleted)
            raise
        return len(entries) + len(deleted) + everything
