"""The store that a service is configured for."""

from rsutils import settings
from rsutils.serve.store.base import Store
from rsutils.serve.store.memory import MemoryStore


def open_store(url: str | None = None) -> Store:
    """The store at ``url``, else at ``$REDIS_URL``, else in the memory of this process.

    A Redis that does not answer is no error: the service answers from memory until it does, and
    logs it.

    Args:
        url: ``redis://``, ``rediss://`` (TLS) or ``unix://``.

    Raises:
        ValueError: the URL is none of Redis.
        ImportError: a URL is given, and redis-py is not installed.

    Example:
        >>> store = open_store("redis://127.0.0.1:1/0")
        >>> store.state()["kind"]
        'fallback'
        >>> store.close()
    """
    url = settings.redis_url() if url is None else url
    if url is None:
        return MemoryStore()
    try:
        from rsutils.serve.store.redis_store import RedisStore
        from rsutils.serve.store.resilient import ResilientStore
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise ImportError(
            "REDIS_URL needs redis-py, which is not installed. Get it with pip install "
            "'redis>=6.4'; make setup brings it along."
        ) from None
    return ResilientStore(RedisStore(url), MemoryStore())
