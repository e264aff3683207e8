"""Uvicorn's HTTP protocol, with the moment of arrival, and without endless headers.

Requests wait in a connection and in the loop before the application is called. Their deadline
counts from the first byte, so it is noted where that is read.
"""

import time
from asyncio import Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rsutils.serve.service.answer_schema import dump
from rsutils.serve.service.limits import ARRIVED, GONE, LARGEST_HEAD, PATIENCE


def _answer(status: str, detail: str) -> bytes:
    body = dump({"detail": detail})
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    ).encode() + body


TOO_LARGE = _answer(
    "431 Request Header Fields Too Large", f"The headers have over {LARGEST_HEAD} bytes."
)
NO_HTTP = _answer("400 Bad Request", "This is no HTTP request; expected HTTP/1.1.")


class Protocol(HttpToolsProtocol):
    """Puts into each scope when the request arrived and how to ask whether its client went away."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0
        self._patience: Any = None

    def connection_made(self, transport: Transport) -> None:  # noqa: D102
        super().connection_made(transport)
        self._patience = self.loop.call_later(PATIENCE, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._be_patient()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self._head >= 0:
            self._head += len(data)
        super().data_received(data)
        if self._head > LARGEST_HEAD and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: D102
        self.transport.write(NO_HTTP)
        self.transport.close()

    def on_message_begin(self) -> None:  # noqa: D102
        super().on_message_begin()
        self.scope[ARRIVED] = time.perf_counter()
        self.scope[GONE] = self.transport.is_closing
        if self._head < 0:
            self._head = 0
            self._patience = self.loop.call_later(PATIENCE, self._too_slow)

    def on_headers_complete(self) -> None:  # noqa: D102
        self._head = -1
        self._be_patient()
        super().on_headers_complete()

    def _be_patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _too_slow(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            self.transport.close()
