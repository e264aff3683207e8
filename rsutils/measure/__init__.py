"""What things cost: time, bytes, memory, and the ledger that keeps the figures."""

from rsutils.measure import ledger
from rsutils.measure.environment import processor, versions
from rsutils.measure.ledger import Ledger
from rsutils.measure.load import Load, Request, load_test
from rsutils.measure.memory import Memory, peak_memory
from rsutils.measure.results import benchmark_rows, benchmark_table
from rsutils.measure.size import bytes_on_disk, zipped_bytes
from rsutils.measure.speed import Latency, Throughput, latency, throughput

__all__ = [
    "Latency",
    "Ledger",
    "Load",
    "Memory",
    "Request",
    "Throughput",
    "benchmark_rows",
    "benchmark_table",
    "bytes_on_disk",
    "latency",
    "ledger",
    "load_test",
    "peak_memory",
    "processor",
    "throughput",
    "versions",
    "zipped_bytes",
]
