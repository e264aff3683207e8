"""A log of events that are on disk before they are acknowledged."""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows has no advisory locks; there a second process is not noticed.
    fcntl = None

LOG = logging.getLogger("rsutils.serve.store")
CHUNK = 1 << 16


class EventLog:
    """A file of JSON lines to which one process appends.

    What ``append`` returned from survives a kill, and a power cut where the disk keeps its word.
    A kill in the middle of a line leaves a torn one; it was never acknowledged, and is cut off
    when the file is opened again.

    Args:
        path: of the file; it and its folder are made where they are not there.

    Raises:
        BlockingIOError: another process, or another log here, appends to the file.
        OSError: the file cannot be opened.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, EventLog(Path(folder) / "events.jsonl") as log:
        ...     log.append([{"user": "42", "item": "17"}])
        ...     list(log.read())
        [{'user': '42', 'item': '17'}]
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._file = os.open(self.path, flags, 0o644)
        self._lock, self._unacknowledged = Lock(), False
        try:
            self._claim()
            self._size = self._cut_torn_line()
        except BaseException:
            self.close()
            raise

    def append(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Write events and return when they are on disk: one write, one ``fsync``.

        Raises:
            TypeError: an event is no mapping, or holds what JSON does not know.
            ValueError: an event holds NaN or an infinity, or the log is closed.
            OSError: the disk is full or fails; nothing of this call stays in the file.
        """
        for event in events:
            if not isinstance(event, Mapping):
                raise TypeError(f"An event is {event!r}; expected a mapping.")
        lines = [
            json.dumps(dict(event), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            for event in events
        ]
        data = "".join(f"{line}\n" for line in lines).encode()
        with self._lock:
            if self._file is None:
                raise ValueError(f"{self.path} is closed; open another EventLog.")
            if data:
                self._write(data)

    def read(self) -> Iterator[dict[str, Any]]:
        """The events, oldest first, as far as they are written whole.

        Raises:
            ValueError: a line is damaged; the message names file and line.
        """
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                yield self._event(line, number)

    def close(self) -> None:
        """Close the file and let others append to it."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _claim(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(
                f"{self.path} is appended to by another process. Stop it, or give this one a log "
                "of its own."
            ) from None

    def _cut_torn_line(self) -> int:
        size = os.fstat(self._file).st_size
        with self.path.open("rb") as file:
            whole = _end_of_last_line(file, size)
        if whole < size:
            os.ftruncate(self._file, whole)
            LOG.warning("%s ended in a torn line; cut off %d bytes", self.path, size - whole)
        # The file's name is on disk before the first event is acknowledged.
        os.fsync(self._file)
        _sync_folder(self.path.parent)
        return whole

    def _write(self, data: bytes) -> None:
        self._cut_unacknowledged()
        self._unacknowledged = True
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except BaseException:
            self._cut_unacknowledged()
            raise
        self._unacknowledged = False
        self._size += len(data)

    def _cut_unacknowledged(self) -> None:
        """Cut off what a failed call left: with another line behind it, it would be damage."""
        if self._unacknowledged:
            os.ftruncate(self._file, self._size)
            self._unacknowledged = False

    def _event(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise ValueError(
                f"Line {number} of {self.path} is damaged: {line[:80]!r}; expected a JSON object. "
                "Remove the line to read the rest."
            )
        return event


def _end_of_last_line(file: BinaryIO, size: int) -> int:
    """Bytes up to and with the last line end, found from the end of the file."""
    start = size
    while start:
        start, end = max(0, start - CHUNK), start
        file.seek(start)
        place = file.read(end - start).rfind(b"\n")
        if place >= 0:
            return start + place + 1
    return 0


def _sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable, where a folder can be opened at all."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
