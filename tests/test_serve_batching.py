"""How long a request may wait: for batches of uneven length, and for a loop that is busy."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsutils.serve.answers import Query
from rsutils.serve.service.batch_cost import BatchCost
from rsutils.serve.service.batching import BUSIER, Batcher
from rsutils.serve.service.limits import QueueSettings
from rsutils.serve.service.models import Serving

DEADLINE = 0.1


class Simulated:
    """A batcher whose batches take given seconds of a clock that nothing else moves.

    The loop hears of the end of a batch ``lag`` seconds later.
    """

    def __init__(self, lag=0.0):
        self.now, self.lag, self.seconds = 100.0, lag, 0.0
        self.loops = threading.current_thread()
        serving = Serving("one", self, True)
        limits = QueueSettings(deadline=DEADLINE)
        self.batcher = Batcher(lambda: serving, lambda _: None, limits, clock=self.clock)

    def clock(self):
        return self.now + (self.lag if threading.current_thread() is self.loops else 0.0)

    def answer(self, queries):
        self.now += self.seconds
        return list(queries)

    async def compute(self, *seconds):
        """Batches of one request, one after the other."""
        for each in seconds:
            self.seconds = each
            await self.batcher.compute(Query("1"), self.clock())

    def takes(self, age):
        """Whether a request is let in that arrived ``age`` seconds ago, while nothing runs."""
        refused = self.batcher.refusal(self.clock() - age)
        assert refused is None or refused.why == "late"
        return refused is None


def simulate(scenario, lag=0.0):
    async def whole():
        simulated = Simulated(lag)
        try:
            await scenario(simulated)
        finally:
            await simulated.batcher.close()

    asyncio.run(whole())


def test_a_request_may_wait_as_long_as_there_is_time_for_a_batch():
    async def scenario(simulated):
        assert simulated.takes(0.099)
        await simulated.compute(*[0.02] * 10)
        assert simulated.takes(0.079)
        assert not simulated.takes(0.081)

    simulate(scenario)


def test_batches_of_uneven_length_leave_less_time_to_wait():
    async def scenario(simulated):
        await simulated.compute(*[0.015, 0.025] * 10)
        # One that takes as long as the longest so far would end in time.
        assert not simulated.takes(0.075)
        assert simulated.takes(0.05)

    simulate(scenario)


@pytest.mark.parametrize("lag", [0.001, 0.003])
def test_a_busy_loop_leaves_less_time_to_wait(lag):
    async def scenario(simulated):
        await simulated.compute(*[0.02] * 10)
        assert simulated.takes(0.079 - BUSIER * lag)
        assert not simulated.takes(0.081 - BUSIER * lag)

    simulate(scenario, lag)


@pytest.mark.parametrize(("lag", "waits"), [(0.0, 0.05), (1.0, 0.025)])
def test_a_model_slower_than_the_deadline_answers_what_comes_one_by_one(lag, waits):
    async def scenario(simulated):
        await simulated.compute(*[0.5, 2.0] * 5)
        assert simulated.takes(waits - 0.001)
        assert not simulated.takes(waits + 0.001)

    simulate(scenario, lag)


def test_after_a_standstill_the_service_comes_back():
    async def scenario(simulated):
        await simulated.compute(*[0.01] * 5)
        simulated.lag = 10.0
        await simulated.compute(10.0)
        simulated.lag = 0.0
        assert not simulated.takes(0.08)
        await simulated.compute(*[0.01] * 60)
        assert simulated.takes(0.08)

    simulate(scenario)


def test_hardly_any_batch_exceeds_what_batches_take_at_most():
    cost = BatchCost()
    for number in range(50):
        cost.add(1 + number % 8, 0.01 + (0.002 if number % 3 else -0.002))
    assert cost.seconds(4) < 0.012 < cost.at_most(4)


def test_batches_are_smaller_where_they_are_of_uneven_length():
    even, uneven = BatchCost(), BatchCost()
    for number in range(60):
        size = 1 + number % 7
        even.add(size, 0.002 * size)
        uneven.add(size, 0.002 * size * (1.3 if number % 2 else 0.7))
    assert even.largest(0.05, 32) == 25
    assert 1 < uneven.largest(0.05, 32) < 25


@given(
    st.lists(st.tuples(st.integers(1, 32), st.floats(1e-6, 10)), min_size=1, max_size=30),
    st.floats(1e-3, 10),
)
def test_the_largest_batch_ends_in_the_time_or_is_no_longer_than_twice_the_fixed_part(
    batches, seconds
):
    cost = BatchCost()
    for size, took in batches:
        cost.add(size, took)
    largest = cost.largest(seconds, 32)
    assert cost.at_most(largest) >= cost.seconds(largest)
    assert (
        largest == 1
        or cost.at_most(largest) <= seconds * (1 + 1e-6)
        or cost.seconds(largest) <= 2 * cost.seconds(0) * (1 + 1e-6)
    )
