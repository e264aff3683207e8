"""Events on disk before they are acknowledged: what got a 202 survives a kill.

Writing to disk takes milliseconds, however much is written. Events that arrive during one write
share the next (group commit), so that their number does not multiply the time.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, Protocol

from rsutils.serve.answers import Event, UnknownNameError
from rsutils.serve.service.limits import RefusedError
from rsutils.serve.service.request_log import log_failure
from rsutils.serve.service.schema import EventBody

LOG = logging.getLogger("rsutils.serve")
ROOM = 1024
"""Calls that may wait for the disk."""

REPLAYED_AT_ONCE = 500


class Log(Protocol):
    """What keeps events: :class:`rsutils.serve.store.EventLog`."""

    def append(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Return when all are on disk."""

    def read(self) -> Iterable[Mapping[str, Any]]:
        """All events, oldest first."""


class EventWriter:
    """Takes events on the event loop and writes them on a thread.

    Args:
        log: the file of events.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._pending: list[tuple[Any, Sequence[Event], asyncio.Future]] = []
        self._writing: asyncio.Task | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="events")

    async def keep(self, engine: Any, events: Sequence[Event]) -> None:
        """Write events and tell the engine; returns when they are on disk.

        Raises:
            UnknownNameError: an item is unknown; none of these events is kept.
            RefusedError: (503) the disk takes no more, or too many calls wait for it.
        """
        if len(self._pending) >= ROOM:
            raise RefusedError(503, "Too many events wait for the disk.", "events", 1)
        future = asyncio.get_running_loop().create_future()
        self._pending.append((engine, events, future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_on())
        await future

    def close(self) -> None:
        """End the thread, once it has written what it was given."""
        self._thread.shutdown()

    async def _write_on(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            taken, self._pending = self._pending, []
            errors = await loop.run_in_executor(self._thread, self._write, taken)
            for (*_, future), error in zip(taken, errors, strict=True):
                if future.done():
                    continue
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)
        self._writing = None

    def _write(self, taken: Sequence[tuple[Any, Sequence[Event], Any]]) -> list[Exception | None]:
        errors: list[Exception | None] = [_check(engine, events) for engine, events, _ in taken]
        good = [each for each, error in zip(taken, errors, strict=True) if error is None]
        if not good:
            return errors
        try:
            self._log.append([asdict(event) for _, events, _ in good for event in events])
        except Exception as error:
            log_failure(LOG, "Events cannot be written", error)
            refused = RefusedError(503, "The events cannot be written; send them again.", "disk", 1)
            return [error or refused for error in errors]
        for engine, events, _ in good:
            try:
                engine.record(events)
            except Exception as error:
                # They are on disk, and are read from there at the next start.
                log_failure(LOG, "Events are on disk, but not in the histories", error)
        return errors


def _check(engine: Any, events: Sequence[Event]) -> Exception | None:
    try:
        engine.check_events(events)
    except UnknownNameError as error:
        return error
    except Exception as error:
        log_failure(LOG, "Events cannot be checked", error)
        return RefusedError(503, "The events cannot be checked; send them again.", "events", 1)
    return None


def as_events(bodies: Iterable[EventBody]) -> list[Event]:
    """Events with an id and a time, where the client gave none."""
    moment = time.time()
    return [
        Event(each.user, each.item, each.kind, each.id or uuid.uuid4().hex, moment)
        for each in bodies
    ]


def replay(log: Log, engine: Any) -> tuple[int, int]:
    """Tell the engine all events of the log again; a repeat counts once, by its id.

    Returns:
        How many the engine took, and how many name items that it does not have.
    """
    taken = unknown = 0
    chunk: list[Event] = []
    for each in log.read():
        chunk.append(Event(**each))
        if len(chunk) == REPLAYED_AT_ONCE:
            done = _replay(engine, chunk)
            taken, unknown, chunk = taken + done, unknown + len(chunk) - done, []
    done = _replay(engine, chunk)
    return taken + done, unknown + len(chunk) - done


def _replay(engine: Any, events: Sequence[Event]) -> int:
    try:
        if events:
            engine.record(events)
        return len(events)
    except UnknownNameError:
        if len(events) == 1:
            return 0
    return sum(_replay(engine, [event]) for event in events)
