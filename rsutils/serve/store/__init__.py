"""What a service remembers: cached answers, what users did, and the log of events."""

from rsutils import lazy

_MODULE_OF = {
    "AnswerCache": "cache",
    "Behaviour": "base",
    "EventLog": "event_log",
    "MemoryStore": "memory",
    "RedisStore": "redis_store",
    "ResilientStore": "resilient",
    "Store": "base",
    "StoreDownError": "base",
    "open_store": "opening",
}

__all__ = [*_MODULE_OF]

__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF)
