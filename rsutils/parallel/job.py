"""The launcher process of one job: its output, its end, and what went wrong in it."""

import contextlib
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from rsutils.parallel.worker import TRACEBACK

JOB = "RSUTILS_JOB"
"""The environment variable by which the processes of a job are known."""
GRACE_SECONDS = 12.0
"""How long the launcher may take to end its workers; Horovod itself waits for them for 5 s."""
LINE = re.compile(r"^\[(\d+)\]<(?:stdout|stderr)>:(.*)$")
ENDED = re.compile(r"^Process (\d+) exit with status code (\d+)")
LEFT_ALONE = "Horovod has been shut down"
"""What Horovod tells workers that wait for one which has ended."""
LAST_LINES = 12


class WorkerError(RuntimeError):
    """A worker failed; the message holds its traceback."""


class Job:
    """The launcher process of one call of :func:`run`.

    Args:
        home: the folder through which it and its workers are told what to do.
        num_proc: workers.
        environment: theirs.
        output: takes each line.
    """

    def __init__(
        self,
        home: Path,
        num_proc: int,
        environment: Mapping[str, str],
        output: Callable[[str], None] | None,
    ) -> None:
        self.home = home
        self.num_proc = num_proc
        self.key = environment[JOB]
        self.output = output
        self.last: list[str] = []
        self.launchers: list[str] = []
        self.ended: dict[str, str] = {}
        self.tracebacks: dict[str, list[str]] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rsutils.parallel.launcher", str(home)],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def results(self, timeout: float | None) -> list[Any]:
        """Wait, pass on what is printed, and return the results."""
        late = threading.Event()
        clock = threading.Timer(timeout or 0, lambda: (late.set(), self.stop()))
        clock.daemon = True
        if timeout is not None:
            clock.start()
        try:
            for line in self.process.stdout:
                self._show(line.rstrip("\r\n"))
            self.process.wait()
        finally:
            clock.cancel()
            self.stop()
        if late.is_set():
            shown = "\n".join(self.last) or "nothing"
            raise TimeoutError(
                f"{self.num_proc} workers were not done after {timeout:g} s and were stopped. They "
                f"printed last:\n{shown}"
            )
        self._raise_failure()
        return pickle.loads((self.home / "results.pickle").read_bytes())

    def _show(self, line: str) -> None:
        found = LINE.match(line)
        rank, text = (found[1], found[2]) if found else ("0", line)
        if text.startswith(TRACEBACK):
            self.tracebacks.setdefault(rank, []).append(text.removeprefix(TRACEBACK))
        elif found or self.num_proc == 1:
            shown = f"[{rank}] {text}" if found else text
            self.last = [*self.last, shown][-LAST_LINES:]
            if self.output:
                self.output(shown)
        else:
            # What the launcher itself prints tells nothing while all goes well.
            self.launchers = [*self.launchers, line][-LAST_LINES:]
            if ended := ENDED.match(line):
                self.ended.setdefault(ended[1], ended[2])

    def _raise_failure(self) -> None:
        if (self.home / "results.pickle").exists():
            return
        texts = {rank: "\n".join(lines) for rank, lines in self.tracebacks.items()}
        for rank, text in texts.items():
            if LEFT_ALONE not in text and is_whole(text):
                raise WorkerError(f"Worker {rank} of {self.num_proc} failed:\n{text}")
        printed = "\n".join(self.last or self.launchers)
        for rank, status in self.ended.items():
            if rank not in texts:
                raise WorkerError(
                    f"Worker {rank} of {self.num_proc} ended with status {status} and without a "
                    "traceback: killed (137 is SIGKILL, often for want of memory), or a crash of "
                    f"native code. The workers printed last:\n{printed}"
                )
        for rank, text in texts.items():
            raise WorkerError(
                f"Worker {rank} of {self.num_proc} waited for others that had ended:\n{text}"
            )
        raise WorkerError(f"The workers could not be started:\n{printed}")

    def stop(self) -> None:
        """End the launcher and every process of the job that is left."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdin.close()
        kill_left_over(self.key)


def is_whole(traceback: str) -> bool:
    r"""Whether a traceback got as far as its exception: a worker may be stopped while it prints.

    Example:
        >>> is_whole("Traceback (most recent call last):\n  File ...\nValueError: no")
        True
        >>> is_whole("Traceback (most recent call last):Terminated")
        False
    """
    return any(line and not line.startswith(" ") for line in traceback.splitlines()[1:])


def kill_left_over(key: str, patience: float = 2.0) -> None:
    """Kill what still runs after ``patience`` seconds with this job's key in its environment."""
    deadline = time.monotonic() + patience
    while left := [process for process in psutil.process_iter() if job_of(process) == key]:
        if time.monotonic() > deadline:
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        time.sleep(0.05)


def job_of(process: psutil.Process) -> str | None:
    """The key of the job that a process belongs to, or None."""
    try:
        return process.environ().get(JOB)
    except psutil.Error:
        return None
