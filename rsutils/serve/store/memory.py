"""A store in the memory of this process."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

from rsutils.serve.store.base import (
    Behaviour,
    Store,
    checked_entries,
    checked_keys,
    checked_newest,
    checked_seconds,
    checked_values,
)
from rsutils.serve.store.histories import Histories

OVERHEAD = 256
"""Bytes counted for each value beside its key and itself: about what Python needs for it."""


class _Kept(NamedTuple):
    value: bytes
    deadline: float


class MemoryStore(Store):
    """Values and behaviour that live as long as this process.

    Values that were not used longest go first where the bytes run out. Behaviour is bounded in all
    as well as by user: of users who were not seen for long it may be dropped. Who must not lose it
    keeps it elsewhere too, in Redis or in an ``EventLog``.

    Args:
        max_bytes: of keys and values, with ``OVERHEAD`` for each. A larger value is not kept.
        clock: seconds of any origin. A monotonic one: a wall clock that is set would make values
            live longer or shorter, and nothing here is read by another process.
        histories: where behaviour is kept; None for one with the default bounds.

    Raises:
        ValueError: there is room for nothing.

    Example:
        >>> store = MemoryStore()
        >>> store.set_many({"a": b"1"}, seconds=60)
        >>> store.get_many(["a", "b"])
        [b'1', None]
    """

    def __init__(
        self,
        max_bytes: int = 256 << 20,
        clock: Callable[[], float] = time.monotonic,
        histories: Histories | None = None,
    ) -> None:
        if max_bytes <= OVERHEAD:
            raise ValueError(f"max_bytes is {max_bytes}; expected more than {OVERHEAD}.")
        self.histories = Histories(clock=clock) if histories is None else histories
        self._max_bytes, self._clock = max_bytes, clock
        self._values: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, or None."""
        with self._lock:
            now = self._clock()
            return [self._get(key, now) for key in keys]

    def set_many(self, values: Mapping[str, bytes], seconds: float) -> None:
        """Keep values for so many seconds."""
        checked_values(values)
        checked_seconds(seconds)
        with self._lock:
            deadline = self._clock() + seconds
            for key, value in values.items():
                self._set(key, value, deadline)

    def delete(self, keys: Sequence[str]) -> None:
        """Forget values and claims."""
        with self._lock:
            for key in checked_keys(keys):
                self._pop(key)

    def clear(self) -> None:
        """Forget all values and claims; behaviour stays."""
        with self._lock:
            self._values.clear()
            self._bytes = 0

    def claim_many(self, keys: Sequence[str], seconds: float) -> list[bool]:
        """Which keys this caller is the first to claim."""
        checked_seconds(seconds)
        with self._lock:
            now = self._clock()
            granted = []
            for key in keys:
                granted.append(self._get(key, now) is None)
                if granted[-1]:
                    self._set(key, b"", now + seconds)
            return granted

    def add_behaviour(self, entries: Sequence[Behaviour]) -> None:
        """Keep what users did; entries that are known already change nothing."""
        self.histories.add(checked_entries(entries))

    def behaviour(self, users: Sequence[str], newest: int = 100) -> list[list[Behaviour]]:
        """The newest entries of each user, oldest first."""
        return self.histories.newest(users, checked_newest(newest))

    def state(self) -> Mapping[str, Any]:
        """What is kept: always up."""
        with self._lock:
            return {
                "kind": "memory",
                "up": True,
                "values": len(self._values),
                "bytes": self._bytes,
                "behaviour": len(self.histories),
            }

    def close(self) -> None:
        """Nothing to let go of."""

    def _get(self, key: str, now: float) -> bytes | None:
        kept = self._values.get(key)
        if kept is None:
            return None
        if kept.deadline <= now:
            self._pop(key)
            return None
        self._values.move_to_end(key)
        return kept.value

    def _set(self, key: str, value: bytes, deadline: float) -> None:
        self._pop(key)
        size = _size(key, value)
        if size > self._max_bytes:
            return
        self._values[key] = _Kept(value, deadline)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._pop(next(iter(self._values)))

    def _pop(self, key: str) -> None:
        if kept := self._values.pop(key, None):
            self._bytes -= _size(key, kept.value)


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + OVERHEAD
