"""The service as a process: start, signals, stop."""

import asyncio
import gc
import logging
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from rsutils import settings
from rsutils.serve.service.app import create_app
from rsutils.serve.service.batching import Batcher
from rsutils.serve.service.endpoints import Service
from rsutils.serve.service.events import EventWriter, replay
from rsutils.serve.service.guard import Guard
from rsutils.serve.service.limits import QueueSettings
from rsutils.serve.service.metrics import Metrics
from rsutils.serve.service.models import DamagedModelError, Hub, Systems, UnknownModelError
from rsutils.serve.service.process import (
    Server,
    address,
    error_log,
    listen,
    loop_factory,
    share_cores,
    signals,
    why_not,
)
from rsutils.serve.service.protocol import Protocol
from rsutils.serve.service.request_log import RequestLog
from rsutils.serve.store import EventLog, Store, open_store

LOG = logging.getLogger("rsutils.serve")
LEVELS = ("debug", "info", "warning", "error")
KEEP_ALIVE = 30
"""Seconds that a connection may be idle."""


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        models: a system folder, or a folder of such folders.
        model: name of the system that answers first; None for the newest.
        host: to bind to.
        port: to bind to; 0 for a free one.
        deadline_ms: milliseconds from a request's arrival until it should be answered.
        queue: requests that may wait.
        batch: requests that are computed at once.
        grace: seconds that running requests get when the service stops.
        events: file of events; None for one in the build folder.
        threads: that one computation may use.
        log_level: ``"debug"``, ``"info"``, ``"warning"`` or ``"error"``.
        ready_file: gets the address once requests are answered; None for no file.

    Raises:
        ValueError: a value is out of range.
    """

    models: Path
    model: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    deadline_ms: float = 100.0
    queue: int = 256
    batch: int = 32
    grace: float = 10.0
    events: Path | None = None
    threads: int = 1
    log_level: str = "info"
    ready_file: Path | None = None

    def __post_init__(self) -> None:
        if not self.models.is_dir():
            raise ValueError(f"{self.models} is no folder; expected a folder of systems.")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port is {self.port}; expected 0 to 65535.")
        if not 0 < self.deadline_ms <= 60_000:
            raise ValueError(f"deadline-ms is {self.deadline_ms:g}; expected up to 60000, above 0.")
        if not 0 <= self.grace <= 3600:
            raise ValueError(f"grace is {self.grace:g}; expected 0 to 3600 seconds.")
        for name in ("queue", "batch", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1.")
        if self.log_level not in LEVELS:
            raise ValueError(f"log-level is {self.log_level!r}; expected {', '.join(LEVELS)}.")


def open_engine(folder: Path, store: Store, threads: int) -> Any:
    """Load and verify a system.

    Args:
        folder: of the system.
        store: of histories and cached answers.
        threads: that one computation may use.
    """
    from rsutils.serve.engine import Engine

    return Engine(folder, store, threads)


def serve(options: Options) -> int:
    """Run the service until it is told to stop; returns the exit code of the process.

    Returns:
        0 after a stop by SIGTERM or Ctrl-C; 1 where the port is taken or the system is damaged;
        2 where there is no such system.
    """
    try:
        listener = listen(options.host, options.port)
    except OSError as error:
        print(why_not(options.host, options.port, error), file=sys.stderr)
        return 1
    share_cores(options.threads)
    with listener, error_log(options.log_level):
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(_run(options, listener))
        except UnknownModelError as error:
            print(error, file=sys.stderr)
            return 2
        except (DamagedModelError, ValueError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


async def _run(options: Options, listener: socket.socket) -> None:
    store = open_store()
    try:
        systems = Systems(options.models)
        opener = partial(open_engine, store=store, threads=options.threads)
        hub = Hub(systems, opener, options.model)
        path = options.events or settings.BUILD / "events" / f"{systems.folder.name}.jsonl"
        with EventLog(path) as log:
            taken, unknown = replay(log, hub.active.engine)
            if unknown:
                LOG.warning("%d of %d events name unknown items", unknown, taken + unknown)
            service = make_service(options, hub, EventWriter(log), store.state)
            try:
                await _serve(options, listener, service)
            finally:
                await service.close()
    finally:
        store.close()


def make_service(
    options: Options,
    hub: Hub,
    events: EventWriter,
    store_state: Callable[[], Any],
    log: RequestLog | None = None,
) -> Service:
    """The parts of a service, put together; called on the event loop.

    Args:
        options: of the command line.
        hub: which system answers.
        events: keeps events.
        store_state: what the store says of itself.
        log: takes a line a request; None for standard output.
    """
    limits = QueueSettings(options.deadline_ms / 1000, options.queue, options.batch, options.grace)
    metrics = Metrics(lambda: batcher.waiting, store_state)
    batcher = Batcher(hub.lease, hub.release, limits, metrics.batch)
    metrics.serves(hub.active.name)
    hub.on_swap = metrics.serves
    guard = Guard(options.host, os.environ.get("RSUTILS_ADMIN_TOKEN") or None)
    log = log or RequestLog(level=options.log_level)
    return Service(hub, batcher, events, guard, metrics, log, limits, store_state)


async def _serve(options: Options, listener: socket.socket, service: Service) -> None:
    server = Server(
        uvicorn.Config(
            create_app(service),
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=max(1, round(options.grace)),
        )
    )
    with signals(server, service.hub.activate_newest):
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        announcing = asyncio.create_task(_announce(options, listener, service, server))
        try:
            await serving
            await announcing
        finally:
            if options.ready_file:
                options.ready_file.unlink(missing_ok=True)


async def _announce(
    options: Options, listener: socket.socket, service: Service, server: uvicorn.Server
) -> None:
    """Warm the model, and say where it answers."""
    url = address(listener)
    try:
        await service.hub.warm_up()
    except Exception as error:
        server.should_exit = True
        name = service.hub.active.name
        raise DamagedModelError(f"The model {name!r} fails when it is warmed up.") from error
    if server.should_exit:
        return
    # What was loaded stays; the garbage collector need not look through it again.
    gc.collect()
    gc.freeze()
    if options.ready_file:
        part = options.ready_file.with_name(options.ready_file.name + ".part")
        part.write_text(f"{url}\n", encoding="utf-8")
        part.replace(options.ready_file)
    print(f"{service.hub.active.name} answers at {url}", flush=True)
