"""One JSON line for each request, written off the event loop, and without anything personal.

A line says when, which route, with what outcome and how fast. It has no ids of users or items, no
query, no address and no body. The loop only appends to a list; a thread turns it into text a few
times a second, so that logging costs a request about a microsecond.
"""

import json
import logging
import sys
import threading
import time
import traceback
from collections import deque
from typing import Any, NamedTuple, TextIO

INTERVAL = 0.25
"""Seconds from one write to the next."""

LARGEST_BACKLOG = 20_000
"""Lines that wait for a slow reader; the oldest are dropped beyond."""


class Line(NamedTuple):
    """What is known of a finished request.

    Attributes:
        time: seconds since 1970.
        route: template of the path, such as ``/users/{user}/history``.
        status: of HTTP; 499 where the client went away.
        ms: milliseconds from arrival to the answer's end.
        request: id, also in the header ``X-Request-ID``.
        batch: how many were computed together, or None.
        cache: ``"hit"``, ``"miss"``, ``"stale"`` or None.
        model: that answered, or None.
        variant: of its ranker, or None.
    """

    time: float
    route: str
    status: int
    ms: float
    request: str
    batch: int | None = None
    cache: str | None = None
    model: str | None = None
    variant: str | None = None


class RequestLog:
    """Writes lines to a stream from a thread of its own.

    Args:
        stream: where to; standard output by default.
        level: ``"debug"`` and ``"info"`` write every request, ``"warning"`` those that failed
            (status 500 and above), ``"error"`` those that failed for a fault of the service (500).

    Example:
        >>> import io
        >>> stream = io.StringIO()
        >>> log = RequestLog(stream)
        >>> log.add(Line(0.0, "/health", 200, 0.25, "a-1"))
        >>> log.close()
        >>> print(stream.getvalue(), end="")
        {"time": 0.0, "route": "/health", "status": 200, "ms": 0.25, "request": "a-1"}
    """

    def __init__(self, stream: TextIO | None = None, level: str = "info") -> None:
        self._stream = stream or sys.stdout
        self._lowest = {"debug": 0, "info": 0, "warning": 500}.get(level, 500)
        self._highest = 599 if level != "error" else 500
        self._lines: deque[Line] = deque(maxlen=LARGEST_BACKLOG)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="request log", daemon=True)
        self._thread.start()

    def add(self, line: Line) -> None:
        """Keep a line for the next write."""
        if self._lowest <= line.status <= self._highest:
            self._lines.append(line)

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._stop.set()
        self._thread.join()

    def _write_on(self) -> None:
        while not self._stop.wait(INTERVAL):
            self._write()
        self._write()

    def _write(self) -> None:
        lines = []
        while self._lines:
            lines.append(as_json(self._lines.popleft()))
        if lines:
            try:
                self._stream.write("".join(lines))
                self._stream.flush()
            except (OSError, ValueError):
                # Whoever read the log has gone; the service goes on without one.
                self._lowest, self._highest = 1, 0


def as_json(line: Line) -> str:
    """The line's text, with its end; what is not known is left out."""
    found = {name: value for name, value in line._asdict().items() if value is not None}
    return json.dumps(found, ensure_ascii=False) + "\n"


def log_failure(log: logging.Logger, what: str, error: BaseException, **more: Any) -> None:
    """Log an error by its kind and where it arose, without its text, which may name a user."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames[-4:]]
    log.error(
        "%s",
        json.dumps(
            {
                "time": time.time(),
                "error": what,
                "kind": type(error).__name__,
                "where": where,
                **more,
            },
            ensure_ascii=False,
        ),
    )
