"""How fast: latency of one call, throughput of many.

Both time a plain call of a function. Time the thing that will run in production, not a convenience
around it: Keras' ``predict`` sets up a loop, callbacks and batches at every call.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

Clock = Callable[[], int]


@dataclass(frozen=True)
class Latency:
    """Milliseconds a call.

    Attributes:
        n: calls that were timed.
        p50_ms: half of the calls took no longer.
        p99_ms: 99% of the calls took no longer; with fewer than 100 calls this is the slowest.
        mean_ms: the mean.
        max_ms: the slowest.
    """

    n: int
    p50_ms: float
    p99_ms: float
    mean_ms: float
    max_ms: float

    def figures(self) -> dict[str, float]:
        """``p50_ms`` and ``p99_ms``, for the ledger."""
        return {"p50_ms": self.p50_ms, "p99_ms": self.p99_ms}


@dataclass(frozen=True)
class Throughput:
    """Examples a second.

    Attributes:
        examples_per_second: examples of all calls over their time.
        n: calls that were timed.
        seconds: time of all calls.
    """

    examples_per_second: float
    n: int
    seconds: float

    def figures(self) -> dict[str, float]:
        """``examples_per_second``, for the ledger."""
        return {"examples_per_second": self.examples_per_second}


def latency(
    function: Callable[..., object],
    *args: object,
    seconds: float = 1.0,
    repeats: int | None = None,
    warmup: int = 3,
    clock: Clock = time.perf_counter_ns,
) -> Latency:
    """Time ``function(*args)`` call by call; one call is one sample.

    The garbage collector is paused meanwhile. Percentiles are calls that happened (the nearest
    rank), never a value between two of them.

    Args:
        function: what to call.
        *args: what to call it with.
        seconds: go on until this much time went into timed calls, at least one call.
        repeats: make exactly this many calls instead.
        warmup: calls before that are not timed: the first ones trace, compile and fill caches.
        clock: nanoseconds that only grow.

    Raises:
        ValueError: ``seconds`` or ``repeats`` is not positive, or ``warmup`` is negative.

    Example:
        >>> latency(sum, [1, 2, 3], repeats=5).n
        5
    """
    samples = np.array(_sample(lambda: function(*args), seconds, repeats, warmup, clock)) / 1e6
    p50, p99 = np.percentile(samples, [50, 99], method="inverted_cdf")
    return Latency(
        n=len(samples),
        p50_ms=float(p50),
        p99_ms=float(p99),
        mean_ms=float(samples.mean()),
        max_ms=float(samples.max()),
    )


def throughput(
    function: Callable[..., object],
    *args: object,
    examples: int,
    seconds: float = 1.0,
    repeats: int | None = None,
    warmup: int = 1,
    clock: Clock = time.perf_counter_ns,
) -> Throughput:
    """Examples a second of ``function(*args)``, which works through ``examples`` of them a call.

    The other arguments are those of ``latency``.

    Raises:
        ValueError: ``examples``, ``seconds`` or ``repeats`` is not positive, or ``warmup`` is
            negative.

    Example:
        >>> throughput(sum, [1, 2, 3], examples=3, repeats=5).n
        5
    """
    if examples < 1:
        raise ValueError(f"examples is {examples}; expected how many one call works through.")
    samples = _sample(lambda: function(*args), seconds, repeats, warmup, clock)
    elapsed = sum(samples) / 1e9
    return Throughput(examples * len(samples) / elapsed, len(samples), elapsed)


def _sample(
    call: Callable[[], object], seconds: float, repeats: int | None, warmup: int, clock: Clock
) -> list[int]:
    """Nanoseconds of each timed call."""
    if repeats is not None and repeats < 1:
        raise ValueError(f"repeats is {repeats}; expected at least 1, or None to use `seconds`.")
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds}; expected more than 0.")
    if warmup < 0:
        raise ValueError(f"warmup is {warmup}; expected 0 or more.")
    for _ in range(warmup):
        call()
    samples: list[int] = []
    spent = 0
    with _no_garbage_collection():
        while len(samples) < repeats if repeats else spent < seconds * 1e9:
            start = clock()
            call()
            # A clock too coarse for the call would otherwise never let the loop end.
            samples.append(max(clock() - start, 1))
            spent += samples[-1]
    return samples


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
