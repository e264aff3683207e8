"""What the launcher process does when workers are to run in the tasks of a Spark application."""

import os
import shutil
import socketserver
import sys
from collections.abc import Callable, Iterator, Mapping
from encodings.utf_8 import StreamReader
from typing import Any

from rsutils.parallel.local_spark import LOOPBACK, open_session


def run(
    function: Callable[[], Any],
    num_proc: int,
    start_timeout: int,
    master: str,
    conf: Mapping[str, str],
) -> list[Any]:
    """Run ``function`` by ``horovod.spark.run``, in a session that ends with it.

    Args:
        function: without arguments.
        num_proc: workers.
        start_timeout: seconds until Spark must have started them.
        master: Spark's.
        conf: settings of the session.
    """
    with open_session(master, conf):
        import horovod.spark

        show_lines_at_once()
        local = master.startswith("local")
        if local:
            bind_tasks_to_loopback()
        return horovod.spark.run(
            function,
            num_proc=num_proc,
            start_timeout=start_timeout,
            use_gloo=True,
            env=dict(os.environ),
            stdout=sys.stdout,
            stderr=sys.stderr,
            nics={"lo"} if local else None,
            verbose=0,
        )


def show_lines_at_once() -> None:
    """Have what a worker prints arrive line by line; Horovod waits for 64 KB or for its end."""
    from horovod.runner.common.util import network

    class Copying:
        @staticmethod
        def copyfileobj(source: Any, target: Any) -> None:
            if isinstance(source, StreamReader):
                for line in iter(source.stream.readline, b""):
                    target.write(line.decode("utf-8", errors="replace"))
            else:
                shutil.copyfileobj(source, target)

    network.shutil = Copying


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
