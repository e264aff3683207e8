"""Batches without waiting: all that arrives while one batch is computed makes up the next.

One thread computes. Where it is idle a request starts at once, so that the batch's size follows the
load by itself: 1 when there is little, more when requests come faster than one by one would allow.
A request that cannot be answered by its deadline is refused, and never computed: it has to begin
while there is still time for a batch, even one that takes longer than most.
"""

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rsutils.serve.service.batch_cost import BatchCost
from rsutils.serve.service.computing import Outcome, Work, compute
from rsutils.serve.service.limits import QueueSettings, RefusedError

BUSIER = 8
"""A request waits so many times as long for the event loop as a batch that has ended.

Where a batch ends, the thread leaves the interpreter to the loop; while it computes they share it.
"""


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


@dataclass(eq=False, slots=True)
class _Waiting:
    work: Work
    arrived: float
    future: asyncio.Future
    gone: Callable[[], bool]


class Batcher:
    """Collects requests on the event loop and computes them on a thread.

    Made and used on the event loop's thread.

    Args:
        lease: gives what holds the engine as ``.engine``, for one batch.
        release: takes it back.
        settings: deadline, queue, largest batch.
        on_batch: is told the size and the seconds of each batch.
        clock: seconds.
    """

    def __init__(
        self,
        lease: Callable[[], Any],
        release: Callable[[Any], None],
        settings: QueueSettings,
        on_batch: Callable[[int, float], None] = lambda size, seconds: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._lease, self._release, self._on_batch = lease, release, on_batch
        self._settings, self._clock = settings, clock
        self._waiting: deque[_Waiting] = deque()
        self._begun: float | None = None
        self._size, self._cost = 0, BatchCost()
        # A wait for the loop is as a batch of one: no part of it grows with a size.
        self._lag = BatchCost()
        self._planned = self._closed = False
        self._alarm: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._batches: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="answers", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def expected_wait(self) -> float:
        """Seconds until a request that came now would be begun; 0 where the thread is idle."""
        if self._begun is None and not self._waiting:
            return 0.0
        running = 0.0
        if self._begun is not None:
            due = self._begun + self._cost.seconds(self._size)
            running = max(0.0, due - self._clock())
        largest = self._largest()
        return running + self._cost.seconds(largest) * (len(self._waiting) // largest)

    def refusal(self, arrived: float) -> RefusedError | None:
        """Why a request should be refused at once, or None; costs microseconds."""
        wait = self.expected_wait()
        if len(self._waiting) >= self._settings.queue:
            return _busy("queue", "all places in the queue are taken", wait)
        if self._clock() + wait > arrived + self._patience():
            return _busy("late", "it could not be answered in time", wait)
        return None

    async def compute(
        self, work: Work, arrived: float, gone: Callable[[], bool] = lambda: False
    ) -> Outcome:
        """Wait for a place in a batch and for its result.

        Args:
            work: a query, or a function of the engine.
            arrived: when the request did, by the clock.
            gone: whether its client went away; asked when its batch begins.

        Raises:
            RefusedError: (503) the queue is full or the deadline passed.
            ClientGoneError: the client went away first.
            UnknownNameError: the work names something unknown.
        """
        if self._closed:
            raise _busy("stopping", "the service stops", 1.0)
        if refused := self.refusal(arrived):
            raise refused
        future = self._loop.create_future()
        self._waiting.append(_Waiting(work, arrived, future, gone))
        if self._begun is None:
            if not self._planned:
                # Requests that arrived in the same turn of the loop share the batch.
                self._planned = True
                self._loop.call_soon(self._begin)
        elif self._alarm is None:
            self._set_alarm()
        return await future

    async def close(self) -> None:
        """Finish the running batch and end the thread; what still waits is refused."""
        self._closed = True
        while self._waiting:
            _settle(self._waiting.popleft(), _busy("stopping", "the service stops", 1.0))
        if self._alarm:
            self._alarm.cancel()
        self._batches.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _begin(self) -> None:
        """Hand the next batch to the thread, if it is idle and something waits."""
        self._planned = False
        if self._begun is not None:
            return
        self._drop_late()
        batch: list[_Waiting] = []
        largest = self._largest()
        while self._waiting and len(batch) < largest:
            first = self._waiting.popleft()
            if first.gone():
                _settle(first, ClientGoneError())
            elif not first.future.done():
                batch.append(first)
        if batch:
            self._begun, self._size = self._clock(), len(batch)
            self._batches.put((self._lease(), batch))
        if self._waiting:
            self._set_alarm()

    def _largest(self) -> int:
        """A batch takes half the deadline at most, since whoever comes next waits for its end."""
        return self._cost.largest(self._settings.deadline / 2, self._settings.batch)

    def _patience(self) -> float:
        """Seconds from its arrival within which a request has to begin, to end by its deadline.

        At least half of the deadline, so that a model that takes longer than all of it still
        answers those that come one by one. Less what the loop may keep it waiting: a quarter of
        the deadline at most, since only batches that are computed tell how quick the loop is.
        """
        deadline = self._settings.deadline
        batch = self._cost.at_most(self._largest())
        loop = min(BUSIER * self._lag.at_most(1), deadline / 4)
        return max(deadline - batch, deadline / 2) - loop

    def _drop_late(self) -> None:
        late = self._clock() - self._patience()
        while self._waiting and self._waiting[0].arrived < late:
            _settle(
                self._waiting.popleft(),
                _busy("deadline", "it could not be answered in time", self.expected_wait()),
            )

    def _set_alarm(self) -> None:
        """A batch that takes long must not keep others past their deadline without a word."""
        if self._alarm is None and self._waiting:
            due = self._waiting[0].arrived + self._patience()
            self._alarm = self._loop.call_later(max(0.0, due - self._clock()) + 0.001, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._drop_late()
        self._set_alarm()

    def _work(self) -> None:
        while (job := self._batches.get()) is not None:
            serving, batch = job
            begun = self._clock()
            results = compute(serving.engine, [each.work for each in batch])
            ended = self._clock()
            self._loop.call_soon_threadsafe(self._finish, serving, batch, results, begun, ended)

    def _finish(
        self,
        serving: Any,
        batch: Sequence[_Waiting],
        results: Iterable[Any],
        begun: float,
        ended: float,
    ) -> None:
        # On its way to the thread and back a batch waits for the interpreter and for the loop.
        finished = self._clock()
        self._cost.add(len(batch), finished - self._begun)
        self._lag.add(1, finished - ended)
        self._begun = None
        self._begin()
        for each, result in zip(batch, results, strict=True):
            _settle(each, result)
        self._release(serving)
        self._on_batch(len(batch), ended - begun)


def _settle(waiting: _Waiting, result: Outcome | Exception) -> None:
    if waiting.future.done():
        return
    if isinstance(result, Exception):
        waiting.future.set_exception(result)
    else:
        waiting.future.set_result(result)


def _busy(why: str, because: str, wait: float) -> RefusedError:
    return RefusedError(
        503, f"The request is refused, because {because}. Try again later.", why, wait
    )
