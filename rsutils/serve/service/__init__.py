"""The HTTP service: admission, batches, hot swap, metrics, and the command line behind it."""

from rsutils import lazy

_MODULE_OF = {
    "Options": "run",
    "Running": "child",
    "running": "child",
    "serve": "run",
}

__all__ = [*_MODULE_OF]

__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF)
