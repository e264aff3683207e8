"""A store in Redis, which several processes share."""

import math
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from rsutils.serve.store.base import (
    BEHAVIOUR_SECONDS,
    PER_USER,
    Behaviour,
    Store,
    StoreDownError,
    checked_entries,
    checked_newest,
    checked_seconds,
    checked_values,
)
from rsutils.serve.store.redis_address import connect, public_address
from rsutils.serve.store.redis_scripts import ADD, NEWEST


class RedisStore(Store):
    """Values and behaviour in Redis, each call one round trip.

    Nothing is tried twice: what to do when Redis does not answer is up to the caller, such as
    ``ResilientStore``. Every method raises ``StoreDownError`` then. A call that timed out may have
    had its effect all the same; it does no harm to make it again.

    Args:
        url: ``redis://``, ``rediss://`` (TLS) or ``unix://``.
        prefix: of all keys, so that others may use the same Redis.
        timeout: seconds to wait for a connection or for an answer.
        per_user: how many entries of behaviour are kept of one user, the newest.
        behaviour_seconds: time to live of a user's behaviour after the last entry.

    Attributes:
        address: the URL without user, password and options, fit to be shown.

    Raises:
        ValueError: the URL is none of Redis, or a bound is not sensible.
    """

    def __init__(
        self,
        url: str,
        prefix: str = "rsutils:",
        timeout: float = 0.05,
        per_user: int = PER_USER,
        behaviour_seconds: float = BEHAVIOUR_SECONDS,
    ) -> None:
        if per_user < 1:
            raise ValueError(f"per_user is {per_user}; expected at least 1.")
        self.address = public_address(url)
        self._client = connect(url, checked_seconds(timeout))
        self._prefix, self._per_user = prefix, per_user
        self._behaviour_milliseconds = _milliseconds(behaviour_seconds)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, or None; None as well where another program's list stands."""
        if not keys:
            return []
        with self._failures():
            return self._client.mget(self._names(keys))

    def set_many(self, values: Mapping[str, bytes], seconds: float) -> None:
        """Keep values for so many seconds."""
        checked_values(values)
        milliseconds = _milliseconds(seconds)
        with self._failures(), self._client.pipeline(transaction=False) as pipeline:
            for name, value in zip(self._names(values), values.values(), strict=True):
                pipeline.set(name, value, px=milliseconds)
            pipeline.execute()

    def delete(self, keys: Sequence[str]) -> None:
        """Forget values and claims."""
        if keys:
            with self._failures():
                self._client.unlink(*self._names(keys))

    def forget_values(self) -> None:
        """Forget all values and claims, of all processes; behaviour stays. Many round trips."""
        escaped = "".join(f"\\{each}" if each in "*?[]\\" else each for each in self._prefix)
        cursor = -1
        while cursor != 0:
            with self._failures():
                found = self._client.scan(max(cursor, 0), match=f"{escaped}value:*", count=1_000)
                cursor, names = found
                if names:
                    self._client.unlink(*names)

    def claim_many(self, keys: Sequence[str], seconds: float) -> list[bool]:
        """Which keys this caller is the first to claim."""
        milliseconds = _milliseconds(seconds)
        with self._failures(), self._client.pipeline(transaction=False) as pipeline:
            for name in self._names(keys):
                pipeline.set(name, b"", px=milliseconds, nx=True)
            return [bool(granted) for granted in pipeline.execute()]

    def add_behaviour(self, entries: Sequence[Behaviour]) -> None:
        """Keep what users did; entries that are known already change nothing."""
        by_user: dict[str, list[Behaviour]] = {}
        for entry in checked_entries(entries):
            by_user.setdefault(entry.user, []).append(entry)
        if not by_user:
            return
        arguments: list[str | int] = [self._per_user, self._behaviour_milliseconds]
        for of_user in by_user.values():
            arguments.append(len(of_user))
            for entry in of_user:
                arguments += entry.id, repr(float(entry.time)), f"{entry.item}\0{entry.kind}"
        keys = self._behaviour_names(by_user)
        with self._failures():
            self._client.eval(ADD, len(keys), *keys, *arguments)

    def behaviour(self, users: Sequence[str], newest: int = 100) -> list[list[Behaviour]]:
        """The newest entries of each user, oldest first."""
        checked_newest(newest)
        if not users:
            return []
        keys = self._behaviour_names(users, ["times"])
        with self._failures():
            found = self._client.eval(NEWEST, len(keys), *keys, newest)
        return [
            [entry for each in joined.split(b"\xff") if (entry := _entry(user, each))]
            for user, joined in zip(users, found, strict=True)
        ]

    def identity(self) -> str:
        """What stays the same until Redis is restarted, is emptied, or gives way to another one.

        It is also the question whether Redis can be written to: a marker is, where there is none.

        Raises:
            StoreDownError: Redis does not answer, or cannot be written to.
        """
        name = f"{self._prefix}marker"
        with self._failures(), self._client.pipeline(transaction=False) as pipeline:
            pipeline.set(name, secrets.token_hex(8), nx=True)
            pipeline.get(name)
            pipeline.info("server")
            written, marker, server = pipeline.execute(raise_on_error=False)
            for answer in (written, marker):
                if isinstance(answer, Exception):
                    raise answer
        # A provider may forbid INFO; the marker alone then tells an emptied Redis.
        run = "" if isinstance(server, Exception) else server.get("run_id", "")
        return f"{run} {marker!r}"

    def state(self) -> Mapping[str, Any]:
        """Whether Redis answers; this asks it."""
        try:
            self.identity()
        except StoreDownError as error:
            return {"kind": "redis", "up": False, "address": self.address, "error": str(error)}
        return {"kind": "redis", "up": True, "address": self.address}

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
        self._client.connection_pool.disconnect()

    def _names(self, keys: Sequence[str] | Mapping[str, bytes]) -> list[str]:
        return [f"{self._prefix}value:{key}" for key in keys]

    def _behaviour_names(
        self, users: Iterable[str], kinds: Sequence[str] = ("times", "known")
    ) -> list[str]:
        return [f"{self._prefix}{kind}:{user}" for user in users for kind in kinds]

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, OSError) as error:
            text = f"Redis at {self.address} failed: {type(error).__name__}: {error}"
            raise StoreDownError(text) from error


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(checked_seconds(seconds) * 1_000))


def _entry(user: str, joined: bytes) -> Behaviour | None:
    """The entry, or None where there is none, or another program wrote it."""
    try:
        name, item, kind, at = joined.decode().split("\0")
        entry = Behaviour(name, user, item, kind, float(at))
    except ValueError:
        return None
    return entry if all(entry[:-1]) else None
