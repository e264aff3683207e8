"""The outermost layer: lets a request in or refuses it before anything is spent on it.

Under overload, reading requests costs more than the model. So a request that could not be begun in
time is refused here, by two comparisons and a prepared answer, and its connection stays open.
"""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from typing import Any

from rsutils.serve.service.answer_schema import dump
from rsutils.serve.service.batching import Batcher
from rsutils.serve.service.guard import Guard
from rsutils.serve.service.limits import ARRIVED, FACTS, Receive, RefusedError, Scope
from rsutils.serve.service.metrics import Metrics
from rsutils.serve.service.request_log import Line, RequestLog, log_failure

LOG = logging.getLogger("rsutils.serve")
COMPUTED = ("/recommend", "/similar")
"""Paths of requests that wait for the model."""

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
POLICY_HEADER = (b"content-security-policy", POLICY.encode())

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Door:
    """An ASGI app around the app: admission, request ids, headers, metrics and the request log.

    Args:
        app: answers what is let in.
        batcher: tells how long requests wait.
        guard: tells who may enter.
        metrics: counts.
        log: takes a line a request.
    """

    def __init__(
        self, app: App, batcher: Batcher, guard: Guard, metrics: Metrics, log: RequestLog
    ) -> None:
        self._app, self._batcher, self._guard = app, batcher, guard
        self._metrics, self._log = metrics, log
        self._prefix, self._numbers = secrets.token_hex(4), count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"The scope is {scope['type']!r}; expected 'http'.")
        arrived = scope.setdefault(ARRIVED, time.perf_counter())
        request = f"{self._prefix}-{next(self._numbers):x}"
        facts = scope[FACTS] = {}
        status = 499

        async def send_on(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = [*message.get("headers", ()), *SECURITY]
                headers.append((b"x-request-id", request.encode()))
                if not any(name == b"content-security-policy" for name, _ in headers):
                    headers.append(POLICY_HEADER)
            await send(message)

        refused = self._guard.check(scope)
        if refused is None and scope["path"] in COMPUTED:
            refused = self._batcher.refusal(arrived)
        try:
            if refused is None:
                await self._app(scope, receive, send_on)
            else:
                await respond(send_on, refused)
        except Exception as error:
            log_failure(LOG, "A request failed", error, request=request)
            self._metrics.failed("request")
            if status == 499:
                await respond(send_on, RefusedError(500, f"The service failed; see {request}."))
        finally:
            if refused is not None and refused.why:
                self._metrics.refused(refused.why)
            if facts.get("gone"):
                status = 499
            self._finish(scope, status, arrived, request, facts)

    def _finish(
        self, scope: Scope, status: int, arrived: float, request: str, facts: dict[str, Any]
    ) -> None:
        route = scope.get("route")
        path = scope["path"] if scope["path"] in COMPUTED else getattr(route, "path", "other")
        seconds = time.perf_counter() - arrived
        self._metrics.request(path, status, seconds)
        self._log.add(
            Line(
                time.time(),
                path,
                status,
                round(seconds * 1000, 3),
                request,
                facts.get("batch"),
                facts.get("cache"),
                facts.get("model"),
                facts.get("variant"),
            )
        )


def error_headers(refused: RefusedError) -> list[tuple[bytes, bytes]]:
    """What an error says beside its body."""
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if refused.retry_after is not None:
        headers.append((b"retry-after", str(refused.retry_after).encode()))
    if refused.close:
        headers.append((b"connection", b"close"))
    return headers


async def respond(send: Send, refused: RefusedError) -> None:
    """Send an error."""
    body = dump({"detail": refused.detail})
    headers = [*error_headers(refused), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
