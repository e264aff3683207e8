"""Start a function on several worker processes, from a notebook or a script."""

import contextlib
import json
import os
import pickle
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from rsutils.parallel.worker import TRACEBACK
from rsutils.parallel.world import HorovodMissing

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


def can_run(num_proc: int) -> bool:
    """Whether :func:`run` can start so many workers here: more than one need Horovod.

    Example:
        >>> can_run(1)
        True
    """
    return num_proc == 1 or find_spec("horovod") is not None


def run(
    func: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    num_proc: int = 2,
    timeout: float | None = None,
    output: Callable[[str], None] | None = print,
    env: Mapping[str, str] | None = None,
    pin: bool = False,
    **horovod: Any,
) -> list[Any]:
    """What ``func(*args, **kwargs)`` returns on each of ``num_proc`` workers.

    Horovod's own launcher starts them. However this call ends, it leaves no process behind.

    Args:
        func: a function of a module, which every worker imports by its name.
        args: picklable.
        kwargs: picklable.
        num_proc: workers; with one, Horovod is not needed.
        timeout: seconds until all are stopped, or None.
        output: takes each line that a worker prints, with its rank in front; None for silence.
        env: environment variables of the workers beside this process' own.
        pin: keep each worker on a core of its own.
        **horovod: further arguments of ``horovod.run``, such as ``hosts``.

    Returns:
        A result for each worker, in the order of ranks.

    Raises:
        ValueError: ``func`` cannot be imported by its name.
        HorovodMissing: several workers are asked for, and Horovod is not installed.
        WorkerError: a worker failed; the others were stopped.
        TimeoutError: they took longer than ``timeout``.

    Example:
        >>> run(os.path.basename, ["folder/file"], num_proc=1)
        ['file']
    """
    if num_proc < 1:
        raise ValueError(f"num_proc is {num_proc}; expected at least 1.")
    name = importable_name(func)
    if not can_run(num_proc):
        raise HorovodMissing(f"{num_proc} workers were asked for")
    home = Path(tempfile.mkdtemp(prefix="rsutils-job-"))
    try:
        job = {
            "function": name,
            "pin": pin,
            "local": not horovod.get("hosts") and not horovod.get("hostfile"),
            "alone": num_proc == 1,
            "horovod": {"num_proc": num_proc, **horovod},
        }
        (home / "job.json").write_text(json.dumps(job), encoding="utf-8")
        (home / "arguments.pickle").write_bytes(pickle.dumps((tuple(args), dict(kwargs or {}))))
        return Job(home, num_proc, environment(num_proc, env), output).results(timeout)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def run_elastic(
    func: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    hosts: Sequence[str] | Path = ("localhost:1", "127.0.0.1:1"),
    min_num_proc: int = 1,
    max_num_proc: int | None = None,
    **options: Any,
) -> list[Any]:
    """:func:`run`, with workers that may die or be added while it runs.

    Horovod uses no host again that lost a worker. On one machine, give each worker a host name of
    its own: all of 127.0.0.1, 127.0.0.2 and so on are this machine.

    Args:
        func: as for :func:`run`; it trains with :func:`rsutils.parallel.elastic.fit`.
        args: picklable.
        kwargs: picklable.
        hosts: ``"name:workers"`` of each host; or a file with such lines, which is read again
            every second: add a line, and a worker joins at the next commit.
        min_num_proc: workers without which training waits for more.
        max_num_proc: workers that are never exceeded; None for no limit.
        **options: ``timeout``, ``output``, ``env`` and others of :func:`run`.

    Returns:
        The results of the first ``min_num_proc`` ranks.

    Raises:
        ValueError: fewer than two hosts; Horovod cannot start an elastic job on one.
    """
    with tempfile.TemporaryDirectory(prefix="rsutils-hosts-") as folder:
        listing = Path(hosts) if isinstance(hosts, str | Path) else Path(folder) / "hosts"
        if not isinstance(hosts, str | Path):
            listing.write_text("".join(f"{host}\n" for host in hosts), encoding="utf-8")
        found = [line for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()]
        if len(found) < 2:
            raise ValueError(
                f"hosts are {found}; expected two or more, such as localhost:1 and 127.0.0.1:1."
            )
        script = Path(folder) / "discover.sh"
        script.write_text(f"#!/bin/sh\ncat {shlex.quote(str(listing.absolute()))}\n")
        script.chmod(0o700)
        workers = sum(int(line.partition(":")[2] or 1) for line in found)
        return run(
            func,
            args,
            kwargs,
            num_proc=min(workers, max_num_proc or workers),
            min_num_proc=min_num_proc,
            max_num_proc=max_num_proc,
            host_discovery_script=str(script),
            **options,
        )


def importable_name(func: Callable[..., Any]) -> str:
    """``"module:name"``, by which a worker can import ``func``.

    Raises:
        ValueError: it cannot.

    Example:
        >>> importable_name(os.path.basename)
        'posixpath:basename'
    """
    module, name = getattr(func, "__module__", None), getattr(func, "__qualname__", "")
    found = getattr(sys.modules.get(module or ""), name, None)
    if module in (None, "__main__") or found is not func:
        raise ValueError(
            f"{name or func!r} is defined in {module or 'no module'}, where worker processes cannot "
            "import it; move it to the top level of a .py file and import it from there."
        )
    return f"{module}:{name}"


def environment(num_proc: int, extra: Mapping[str, str] | None) -> dict[str, str]:
    """The workers' environment: this process' modules, and threads that fit the cores."""
    threads = str(max(1, (os.cpu_count() or 1) // num_proc))
    known = {name: value for name, value in os.environ.items() if not name.startswith("HOROVOD_")}
    return {
        "TF_NUM_INTRAOP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        **known,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path or os.getcwd() for path in sys.path)),
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
        JOB: uuid.uuid4().hex,
    }


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
            if LEFT_ALONE not in text:
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


def kill_left_over(key: str, patience: float = 2.0) -> None:
    """Kill whatever still runs after ``patience`` seconds with this job's key in its environment."""
    deadline = time.monotonic() + patience
    while left := [process for process in psutil.process_iter() if _job_of(process) == key]:
        if time.monotonic() > deadline:
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        time.sleep(0.05)


def _job_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(JOB)
    except psutil.Error:
        return None
