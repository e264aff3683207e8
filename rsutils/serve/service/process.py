"""What a server needs of the operating system: a socket, signals, and a log of errors."""

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue

import uvicorn
from threadpoolctl import threadpool_limits

LOG = logging.getLogger("rsutils.serve")
SWITCH = 0.0005
"""Seconds after which a thread that waits for the interpreter gets it."""


def address(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """A stop by SIGTERM is a success, so the signal is not raised again after it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to :func:`signals`."""
        yield


@contextmanager
def signals(server: uvicorn.Server, look: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """SIGTERM and Ctrl-C stop, a second Ctrl-C at once; SIGHUP calls ``look`` on the loop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, running = asyncio.get_running_loop(), set()

    def begin() -> None:
        task = loop.create_task(look())
        running.add(task)
        task.add_done_callback(running.discard)

    handlers = {signal.SIGTERM: server.handle_exit, signal.SIGINT: server.handle_exit}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = lambda *_: loop.call_soon_threadsafe(begin)
    before = {each: signal.signal(each, handler) for each, handler in handlers.items()}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def error_log(level: str) -> Iterator[None]:
    """Errors go to standard error from a thread of their own."""
    records: SimpleQueue = SimpleQueue()
    handler, listener = QueueHandler(records), QueueListener(records, logging.StreamHandler())
    loggers = [LOG, logging.getLogger("uvicorn.error")]
    listener.start()
    for each in loggers:
        each.addHandler(handler)
        each.propagate = False
    LOG.setLevel(level.upper())
    loggers[1].setLevel("ERROR")
    try:
        yield
    finally:
        for each in loggers:
            each.removeHandler(handler)
            each.propagate = True
        listener.stop()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        OSError: the port is taken, or the host is not this machine's.
    """
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.create_server(where[:2], family=family, backlog=2048)


def why_not(host: str, port: int, error: OSError) -> str:
    """What to do about a socket that cannot be bound."""
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is taken; stop what listens there, or take another --port (0: a free one)."
    return f"{where} cannot be bound: {error.strerror or error}."


def share_cores(threads: int) -> None:
    """Keep the computing thread and the event loop out of each other's way.

    The loop must not wait long for the interpreter while the model's thread runs Python. And
    threads of BLAS that spin while they wait for each other take the core that the loop needs.

    Args:
        threads: that one computation may use.
    """
    sys.setswitchinterval(SWITCH)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # read by libraries that load later
    threadpool_limits(threads, "blas")


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loop: uvloop, where there is one."""
    try:
        import uvloop
    except ImportError:  # There is none for Windows.
        return None
    return uvloop.new_event_loop
