"""What the service takes at most, and how it says no."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple

LARGEST_BODY = 256 << 10
"""Bytes of a request's body."""

LARGEST_HEAD = 64 << 10
"""Bytes of a request's line and headers together."""

LARGEST_K = 100
LARGEST_HISTORY = 500
LARGEST_BLOCKED = 1000
LARGEST_CATEGORIES = 20
LARGEST_EVENTS = 100
LARGEST_TEXT = 200
"""Characters of a search for titles."""

LARGEST_NEIGHBOURS = 64
"""Edges of an item in a layer of a graph: four bytes each, and twice as many in the lowest."""

LARGEST_EXPANSION = 4096
"""Candidates of a walk through a graph."""

LARGEST_LISTS = 16_384
"""Lists of an index; k-means compares each vector that it learns from with each centroid."""

LARGEST_PARTS = 1024
"""Bytes of a compressed vector."""

LARGEST_CANDIDATES = 10_000
"""Vectors that one search scores again in full; a whole batch of them is in memory."""

LARGEST_SEED = 2**31 - 1

PATIENCE = 10.0
"""Seconds in which a client must have sent its headers, and again its body."""

ARRIVED = "rsutils.arrived"
"""Where a scope says when its request arrived, by ``time.perf_counter``."""

GONE = "rsutils.gone"
"""Where a scope has a function that tells whether its client went away."""

FACTS = "rsutils.facts"
"""Where a scope takes what is to stand in the request's log line."""

Headers = Iterable[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Scope = MutableMapping[str, Any]


class QueueSettings(NamedTuple):
    """How much waits, and for how long.

    Attributes:
        deadline: seconds from a request's arrival until its answer should be made.
        queue: requests that may wait.
        batch: requests that are computed at once.
        grace: seconds that running requests get when the service stops.
    """

    deadline: float = 0.1
    queue: int = 256
    batch: int = 32
    grace: float = 10.0


class RefusedError(Exception):
    """A request is answered with an error that says why.

    Attributes:
        status: of HTTP.
        detail: a sentence for whoever sent the request.
        why: a word for the metrics, or None where the request itself is wrong.
        retry_after: seconds after which it may be tried again, or None.
        close: whether the connection ends, because more of the body is still to come.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        why: str | None = None,
        retry_after: float | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.why = status, detail, why
        self.retry_after = None if retry_after is None else max(1, math.ceil(retry_after))
        self.close = close


def header(headers: Headers, name: bytes) -> str | None:
    """The first value of a header; ``name`` in small letters.

    Example:
        >>> header([(b"host", b"127.0.0.1:8000")], b"host")
        '127.0.0.1:8000'
    """
    for each, value in headers:
        if each == name:
            return value.decode("latin-1")
    return None


async def read_json(scope: Scope, receive: Receive) -> bytes:
    """The body of a request that says it is JSON.

    Raises:
        RefusedError: it says that it is something else (415), is too large (413) or does not
            arrive (408).
    """
    kind = header(scope["headers"], b"content-type")
    name, _, more = (kind or "").lower().partition(";")
    charset = more.partition("charset=")[2].strip(' "') or "utf-8"
    if name.strip() != "application/json" or charset not in ("utf-8", "us-ascii"):
        raise RefusedError(415, f"Content-Type is {kind!r}; expected 'application/json' in UTF-8.")
    length = header(scope["headers"], b"content-length")
    # The server in front has checked that it is a number.
    if length is not None and int(length) > LARGEST_BODY:
        raise _too_large(int(length))
    try:
        async with asyncio.timeout(PATIENCE):
            return await _whole_body(receive)
    except TimeoutError:
        raise RefusedError(
            408, f"The body did not arrive within {PATIENCE:g} seconds.", close=True
        ) from None


async def _whole_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "The client went away before the body was complete.")
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise _too_large(len(body))
        if not message.get("more_body"):
            return body


def _too_large(length: int) -> RefusedError:
    return RefusedError(
        413, f"The body has {length} or more bytes; at most {LARGEST_BODY} are taken.", close=True
    )
