"""A service in a process of its own, for as long as a block of code runs."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

COMMAND = (sys.executable, "-m", "rsutils", "serve")
SHOWN = 4000
"""Characters of a failed child's output that the error repeats."""


@dataclass(frozen=True, eq=False)
class Running:
    """A running service.

    Attributes:
        url: such as ``http://127.0.0.1:40123``.
        process: of the operating system.
        log: file with all that it printed.
    """

    url: str
    process: subprocess.Popen
    log: Path

    @property
    def port(self) -> int:
        """On which it listens."""
        return urlsplit(self.url).port

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def output(self) -> str:
        """All that it printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self, seconds: float = 30.0) -> int:
        """Let it finish what it began, and end; returns its exit code.

        Args:
            seconds: after which it is killed.
        """
        return _stop(self.process, seconds)


@contextmanager
def running(
    models: Path | str,
    command: Sequence[str] = COMMAND,
    env: Mapping[str, str] | None = None,
    start_seconds: float = 120.0,
    **options: object,
) -> Iterator[Running]:
    """A service on a free port of this machine; it ends with the block, and leaves nothing.

    Args:
        models: a system folder, or a folder of such folders.
        command: starts the service; options are appended.
        env: environment variables beside this process' own.
        start_seconds: after which a start has failed.
        **options: of the command line, such as ``deadline_ms=500`` for ``--deadline-ms 500``.
            Without ``events`` they go to a temporary file.

    Yields:
        A :class:`Running` that answers ``/ready`` with 200.

    Raises:
        RuntimeError: it ended while it started; the message has what it printed.
        TimeoutError: it is not ready in time; likewise.
    """
    with tempfile.TemporaryDirectory(prefix="rsutils-service-") as folder:
        home = Path(folder)
        given = {"port": 0, "ready_file": home / "ready", "events": home / "events.jsonl"}
        given |= options
        call = [*command, str(models)]
        for name, value in given.items():
            call += [f"--{name.replace('_', '-')}", str(value)]
        log = home / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                call,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            )
        try:
            url = _wait(process, Path(str(given["ready_file"])), log, start_seconds)
            yield Running(url, process, log)
        finally:
            _stop(process, 30.0)


def _wait(process: subprocess.Popen, ready: Path, log: Path, seconds: float) -> str:
    """The address, which the service writes once it answers."""
    due = time.monotonic() + seconds
    while not ready.exists():
        ended = process.poll() is not None
        if ended or time.monotonic() > due:
            printed = log.read_text(encoding="utf-8", errors="replace")[-SHOWN:]
            if ended:
                code = process.returncode
                raise RuntimeError(f"The service ended at once with exit code {code}:\n{printed}")
            raise TimeoutError(f"The service is not ready after {seconds:g} seconds:\n{printed}")
        time.sleep(0.02)
    return ready.read_text(encoding="utf-8").strip()


def _stop(process: subprocess.Popen, seconds: float) -> int:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()
