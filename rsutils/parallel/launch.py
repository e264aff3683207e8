"""Start a function on several worker processes, from a notebook or a script."""

import json
import os
import pickle
import shlex
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rsutils.parallel.job import JOB, Job
from rsutils.parallel.local_spark import require_spark
from rsutils.parallel.world import HorovodMissingError

START_SECONDS = "120"
"""How long a worker may take until it has found the others."""


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
    spark: Mapping[str, Any] | None = None,
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
        spark: for :func:`run_on_spark`.
        **horovod: further arguments of ``horovod.run``, such as ``hosts``. A host's own name has to
            stand for an address that the others reach: not for 127.0.1.1, as Debian sets it up.

    Returns:
        A result for each worker, in the order of ranks.

    Raises:
        ValueError: ``func`` cannot be imported by its name.
        HorovodMissingError: several workers are asked for, and Horovod is not installed.
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
        raise HorovodMissingError(f"{num_proc} workers were asked for")
    home = Path(tempfile.mkdtemp(prefix="rsutils-job-"))
    try:
        job = {
            "function": name,
            "pin": pin,
            "local": on_this_machine(spark, horovod),
            "alone": num_proc == 1 and spark is None,
            "spark": spark,
            "horovod": {"num_proc": num_proc, "start_timeout": int(START_SECONDS), **horovod},
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
        if isinstance(hosts, str | Path):
            listing = Path(hosts)
        else:
            listing = Path(folder) / "hosts"
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


def run_on_spark(
    func: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    num_proc: int = 2,
    master: str | None = None,
    conf: Mapping[str, str] | None = None,
    **options: Any,
) -> list[Any]:
    """:func:`run`, with each worker in a task of a Spark application, by ``horovod.spark.run``.

    The application is one of its own, beside a session that may be open here, and ends with the
    call. Workers read the data themselves; on a cluster, from a place that all machines reach.

    Args:
        func: as for :func:`run`.
        args: picklable.
        kwargs: picklable.
        num_proc: workers; Spark needs as many free cores at once.
        master: of the cluster, such as ``spark://host:7077``; None for this machine.
        conf: settings of the application, by Spark's names.
        **options: ``timeout``, ``output``, ``env`` and ``pin`` of :func:`run`.

    Returns:
        A result for each worker, in the order of ranks.

    Raises:
        SparkMissingError: pyspark or Java is missing.
        HorovodMissingError: Horovod is not installed.
        WorkerError: a worker failed; the others were stopped.
        TimeoutError: they took longer than ``timeout``.
    """
    require_spark()
    if find_spec("horovod") is None:
        raise HorovodMissingError("Workers on Spark were asked for")
    where = {"master": master or f"local[{num_proc}]", "conf": dict(conf or {})}
    return run(func, args, kwargs, num_proc, spark=where, **options)


def on_this_machine(spark: Mapping[str, Any] | None, horovod: Mapping[str, Any]) -> bool:
    """Whether all workers will be on this machine."""
    if spark is not None:
        return spark["master"].startswith("local")
    return not horovod.get("hosts") and not horovod.get("hostfile")


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
            f"{name or func!r} is defined in {module or 'no module'}, where workers cannot "
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
        # A busy machine starts one worker much later than another; Horovod allows 30 s.
        "HOROVOD_GLOO_TIMEOUT_SECONDS": START_SECONDS,
        **known,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path or str(Path.cwd()) for path in sys.path)),
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
        JOB: uuid.uuid4().hex,
    }
