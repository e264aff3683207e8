"""What the launcher process does when workers are to run in the tasks of a Spark application."""

import os
import socketserver
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rsutils.parallel.spark_session import LOOPBACK, open_session


def run(function: Callable[[], Any], job: dict[str, Any]) -> list[Any]:
    """Run ``function`` by ``horovod.spark.run``, in a session that ends with it.

    Args:
        function: without arguments.
        job: ``num_proc``, ``start_timeout``, ``master`` and ``conf``.
    """
    with open_session(job["master"], job["conf"]):
        import horovod.spark

        local = job["master"].startswith("local")
        if local:
            bind_tasks_to_loopback()
        return horovod.spark.run(
            function,
            num_proc=job["num_proc"],
            start_timeout=job["start_timeout"],
            use_gloo=True,
            env=dict(os.environ),
            stdout=sys.stdout,
            stderr=sys.stderr,
            nics={"lo"} if local else None,
            verbose=0,
        )


def bind_services_to_loopback() -> None:
    """Have Horovod's services of this process listen on this machine alone."""
    from horovod.runner.common.util import network

    class Server(socketserver.ThreadingTCPServer):
        def __init__(self, address: tuple[str, int], handler: type) -> None:
            super().__init__((LOOPBACK, address[1]), handler)

    class Servers:
        ThreadingTCPServer = Server
        StreamRequestHandler = socketserver.StreamRequestHandler

    network.socketserver = Servers


def bind_tasks_to_loopback() -> None:
    """The same for this process and for those in which Spark's tasks run."""
    from horovod.spark import runner

    bind_services_to_loopback()
    make = runner._make_mapper

    def make_mapper(*arguments: Any) -> Callable[[int, Any], Iterator[Any]]:
        mapper = make(*arguments)

        def bound(index: int, rows: Any) -> Iterator[Any]:
            bind_services_to_loopback()
            yield from mapper(index, rows)

        return bound

    runner._make_mapper = make_mapper
