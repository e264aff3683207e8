"""The address of Redis: what of it may be shown, and a client for it."""

from urllib.parse import SplitResult, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def public_address(url: str) -> str:
    """``url`` without user, password and options.

    Raises:
        ValueError: it is no address of Redis. The message shows no more than the beginning, for
            the rest may hold a password.

    Example:
        >>> public_address("redis://user:secret@localhost:6379/0?protocol=2")
        'redis://localhost:6379/0'
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts = None
    if parts is None or not _well_formed(parts):
        scheme, separator, _ = url.partition("://")
        shown = f"{scheme}://..." if separator else "no URL"
        raise ValueError(
            f"The address of Redis is {shown}; expected redis://HOST:PORT/NUMBER, the same with "
            "rediss:// for TLS, or unix:///PATH, and a password percent-encoded. Set REDIS_URL, "
            "or unset it to do without Redis."
        ) from None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _well_formed(parts: SplitResult) -> bool:
    """Whether nothing of a password that was not percent-encoded got into another part."""
    if parts.fragment or (parts.query and "=" not in parts.query):
        return False
    if parts.scheme == "unix":
        return parts.path.startswith("/")
    numbered = parts.path.strip("/").isdecimal() or not parts.path.strip("/")
    return parts.scheme in ("redis", "rediss") and bool(parts.hostname) and numbered


def connect(url: str, timeout: float) -> redis.Redis:
    """A client that connects when it is first used, and tries nothing twice.

    Args:
        url: of Redis.
        timeout: seconds to wait for a connection or for an answer.

    Raises:
        ValueError: the URL has an option that redis-py does not take.
    """
    try:
        # Protocol 2 costs a new connection one round trip less.
        pool = redis.ConnectionPool.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout, protocol=2
        )
        # Whatever the URL says: values are bytes, and who retries makes its caller wait longer.
        pool.connection_kwargs |= {"decode_responses": False, "retry": Retry(NoBackoff(), 0)}
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError, redis.RedisError) as error:
        detail = f"{error} " if str(error).startswith("Invalid value for") else ""
        raise ValueError(
            f"The address {public_address(url)} has an option that redis-py does not take. "
            f"{detail}See its documentation of ConnectionPool.from_url."
        ) from None
    return redis.Redis(connection_pool=pool)
