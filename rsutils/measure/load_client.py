"""The process that sends requests: many connections, one clock, nothing else.

Runs as ``python -m rsutils.measure.load_client``: the plan comes as JSON on standard input, what
was seen goes as JSON to standard output.
"""

import asyncio
import gc
import json
import sys
import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import httptools
import numpy as np

NO_ANSWER = 0
"""Status of a request whose connection broke or whose answer did not come in time."""


class Connection(asyncio.Protocol):
    """Sends one request at a time and tells when its answer is complete.

    Args:
        done: called with this connection, the number of the request, its status and the moment.
    """

    def __init__(self, done: Any) -> None:
        self._done = done
        self.request: int | None = None
        self.transport: Any = None
        self.open = False

    def connection_made(self, transport: Any) -> None:
        """Ready to send."""
        self.transport, self.open = transport, True

    def send(self, number: int, content: bytes) -> None:
        """Send a request."""
        self.request = number
        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(content)

    def data_received(self, data: bytes) -> None:
        """Read what came of the answer."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        number, self.request = self.request, None
        self.open = self._parser.should_keep_alive()
        self._done(self, number, self._parser.get_status_code(), time.perf_counter())

    def connection_lost(self, error: Exception | None) -> None:
        """The other side is gone; a request that was under way got no answer."""
        self.open = False
        if self.request is not None:
            number, self.request = self.request, None
            self._done(self, number, NO_ANSWER, time.perf_counter())


class Client:
    """Sends requests at given times, or as fast as answers come.

    Args:
        plan: see ``load_test``.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        url = urlsplit(plan["url"])
        self.host, self.port = url.hostname, url.port
        self.contents = [_content(url.netloc, *each) for each in plan["requests"]]
        self.connections = plan["connections"]
        self.timeout = plan["timeout"]
        self.times = plan["times"]
        self.seconds = plan["seconds"]
        self.rows: list[tuple[int, int, float, float]] = []
        self.waiting: deque[int] = deque()
        self.free: list[Connection] = []
        self.due: dict[int, float] = {}
        self.next = 0
        self.connecting: set[asyncio.Future] = set()

    async def run(self) -> dict[str, Any]:
        """Open the connections, send everything, wait for the last answer."""
        await asyncio.gather(*[self._connect() for _ in range(self.connections)])
        gc.disable()
        self.start = time.perf_counter() + 0.05
        await (self._open_loop() if self.times is not None else self._closed_loop())
        end = time.perf_counter() + self.timeout
        while (self.due or self.waiting) and time.perf_counter() < end:
            await asyncio.sleep(0.005)
        for number in [*self.due, *self.waiting]:
            self.rows.append((number % len(self.contents), NO_ANSWER, self._due_at(number), np.nan))
        columns = ("request", "status", "due", "took")
        return dict(zip(columns, map(list, zip(*self.rows, strict=True)), strict=True))

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self._done), self.host, self.port
        )
        self.free.append(connection)
        self._send_waiting()

    async def _open_loop(self) -> None:
        """Every request is due at its own time, whether or not earlier ones were answered."""
        for number, due in enumerate(self.times):
            delay = self.start + due - time.perf_counter()
            if delay > 0:
                await asyncio.sleep(delay)
            elif number % 64 == 0:
                await asyncio.sleep(0)
            self.waiting.append(number)
            self._send_waiting()

    async def _closed_loop(self) -> None:
        """Each connection sends its next request when it has its answer."""
        await asyncio.sleep(self.start - time.perf_counter())
        for _ in range(self.connections):
            self._send_another()
        await asyncio.sleep(self.seconds)
        self.seconds = -1.0

    def _send_another(self) -> None:
        if time.perf_counter() - self.start < self.seconds:
            self.waiting.append(self.next)
            self.next += 1
            self._send_waiting()

    def _send_waiting(self) -> None:
        while self.waiting and self.free:
            connection = self.free.pop()
            if not connection.open:
                self._reconnect()
                continue
            number = self.waiting.popleft()
            self.due[number] = self._due_at(number)
            connection.send(number, self.contents[number % len(self.contents)])

    def _due_at(self, number: int) -> float:
        """When a request should have been sent, in seconds from the start."""
        now = time.perf_counter() - self.start
        # A timer may go off a little early: such a request is due when it is sent.
        return now if self.times is None else min(self.times[number], now)

    def _done(self, connection: Connection, number: int, status: int, now: float) -> None:
        due = self.due.pop(number)
        took = now - self.start - due
        self.rows.append((number % len(self.contents), status, due, took))
        if connection.open:
            self.free.append(connection)
        else:
            self._reconnect()
        if self.times is None:
            self._send_another()
        else:
            self._send_waiting()

    def _reconnect(self) -> None:
        task = asyncio.ensure_future(self._connect_again())
        self.connecting.add(task)
        task.add_done_callback(self.connecting.discard)

    async def _connect_again(self) -> None:
        try:
            await self._connect()
        except OSError:
            await asyncio.sleep(0.05)
            await self._connect_again()


def _content(host: str, method: str, path: str, body: str | None) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n"
    data = b"" if body is None else body.encode()
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    return (head + "\r\n").encode() + data


def main() -> None:
    """Read a plan, carry it out, and tell what was seen."""
    plan = json.load(sys.stdin)
    try:
        import uvloop

        new_loop = uvloop.new_event_loop
    except ImportError:
        new_loop = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=new_loop) as runner:
        seen = runner.run(Client(plan).run())
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
