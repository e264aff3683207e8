"""What things cost: time, bytes, memory, and the ledger that keeps the figures.

Each name is loaded when it is first used: a process that sends requests has no need of pandas.
"""

from rsutils import lazy

_MODULE_OF = {
    "Latency": "speed",
    "Ledger": "ledger",
    "Load": "load",
    "Memory": "memory",
    "Request": "load",
    "Throughput": "speed",
    "benchmark_rows": "results",
    "benchmark_table": "results",
    "bytes_on_disk": "size",
    "latency": "speed",
    "load_test": "load",
    "peak_memory": "memory",
    "processor": "environment",
    "throughput": "speed",
    "versions": "environment",
    "zipped_bytes": "size",
}
_MODULES = ("ledger",)

__all__ = [*_MODULE_OF, *_MODULES]

__getattr__, __dir__ = lazy.names(__name__, _MODULE_OF, _MODULES)
