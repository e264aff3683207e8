"""The process between :func:`rsutils.parallel.run` and its workers: it calls Horovod's launcher.

It is a process of its own because Horovod's launcher takes over the signals of whoever calls it,
and so that everything can be ended by ending it.
"""

import json
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rsutils.parallel import on_spark, worker
from rsutils.parallel.local_spark import LOOPBACK

ALL_LOOPBACK = {f"127.0.0.{number}" for number in range(1, 255)}
"""Each reaches this machine, but Horovod knows the first alone and would use ssh for the others."""


def bind_to_loopback() -> None:
    """Have Horovod's servers listen on this machine alone; by default they listen everywhere."""
    from horovod.runner.driver import driver_service
    from horovod.runner.http import http_server
    from horovod.runner.util import network

    def find_port(server: Callable[[tuple[str, int]], Any]) -> tuple[Any, int]:
        return network.find_port(lambda address: server((LOOPBACK, address[1])))

    http_server.find_port = find_port
    known = network.get_local_host_addresses
    network.get_local_host_addresses = lambda: known() | ALL_LOOPBACK
    driver_service.get_common_interfaces = lambda *arguments: {"lo"}


def leave_defaults_alone() -> None:
    """Keep ``horovod.run`` from setting two options that nobody asked for.

    It passes on ``(None,)`` for the cycle time and the size of the cache, which Horovod reads as 0:
    its thread then never sleeps, and workers agree anew on tensors that they knew.
    """
    from horovod import runner

    class Arguments(runner._HorovodArgs):
        def __init__(self) -> None:
            super().__init__()
            self.cycle_time_ms = self.cache_capacity = None

    runner._HorovodArgs = Arguments


def look_for_gloo() -> None:
    """Keep Horovod from importing TensorFlow in a process of its own to learn how it was built.

    That takes seconds at each start. A library that was built with Gloo names Gloo's classes.
    """
    from horovod.runner import launch

    folder = Path(launch.__file__).parents[1] / "tensorflow"
    if any(b"N4gloo" in library.read_bytes() for library in folder.glob("mpi_lib*.so")):
        launch.gloo_built = lambda verbose=False: True


def end_with_parent() -> None:
    """Stop everything when whoever started this process is gone: its end of the pipe closes."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


def run_horovod(function: Callable[[], Any], job: dict[str, Any]) -> list[Any]:
    """What ``function`` returns on each worker."""
    import horovod

    look_for_gloo()
    leave_defaults_alone()
    if job["local"]:
        bind_to_loopback()
    if job["spark"]:
        return on_spark.run(function, **job["horovod"], **job["spark"])
    return horovod.run(function, use_gloo=True, disable_cache=True, **job["horovod"])


def main(folder: str) -> None:
    """Run the job of ``folder`` and leave the workers' results there."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    home = Path(folder)
    job = json.loads((home / "job.json").read_text(encoding="utf-8"))
    arguments = (home / "arguments.pickle").read_bytes()
    function = partial(worker.call, job["function"], arguments, job["pin"])
    results = [function()] if job["alone"] else run_horovod(function, job)
    partial_file = home / "results.partial"
    partial_file.write_bytes(pickle.dumps(results))
    partial_file.replace(home / "results.pickle")


if __name__ == "__main__":
    main(sys.argv[1])
