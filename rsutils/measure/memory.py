"""How much memory: the peak of this process while a block runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

MEGABYTE = 1_000_000


@dataclass
class Memory:
    """Resident memory of the whole process, in megabytes of 1,000,000 bytes.

    Attributes:
        before_mb: when the block began.
        peak_mb: the most that was seen; final once the block has ended.
    """

    before_mb: float
    peak_mb: float

    @property
    def added_mb(self) -> float:
        """How far the peak rose above the start."""
        return self.peak_mb - self.before_mb

    def figures(self) -> dict[str, float]:
        """``peak_mb``, for the ledger."""
        return {"peak_mb": self.peak_mb}


def resident_bytes() -> int:
    """Bytes of physical memory that this process holds now, libraries included."""
    return psutil.Process().memory_info().rss


@contextmanager
def peak_memory(
    every: float = 0.01, resident: Callable[[], int] = resident_bytes
) -> Iterator[Memory]:
    """Watch the memory of this process while the block runs.

    A thread looks every ``every`` seconds, so a shorter peak can slip through, as can one inside a
    call that holds Python's global lock. Memory of a GPU and of other processes is not counted.
    Memory that was freed to Python but not to the system still counts: measure in a fresh process
    what has to be exact.

    Args:
        every: seconds between two looks.
        resident: gives the bytes held now.

    Raises:
        ValueError: ``every`` is not positive.

    Example:
        >>> with peak_memory() as memory:
        ...     block = bytearray(50_000_000)
        >>> memory.peak_mb >= memory.before_mb
        True
    """
    if not every > 0:
        raise ValueError(f"every is {every}; expected more than 0 seconds.")
    now = resident() / MEGABYTE
    memory = Memory(before_mb=now, peak_mb=now)
    done = threading.Event()

    def look() -> None:
        memory.peak_mb = max(memory.peak_mb, resident() / MEGABYTE)

    def watch() -> None:
        while not done.wait(every):
            look()

    thread = threading.Thread(target=watch, daemon=True, name="peak_memory")
    thread.start()
    try:
        yield memory
    finally:
        done.set()
        thread.join()
        look()
