"""The logic of timing, with a clock that the test moves."""

import gc

import pytest

from rsutils.measure import latency, throughput


class Clock:
    """Nanoseconds that pass only while ``work`` is called."""

    def __init__(self, *milliseconds):
        self.now, self.calls, self.milliseconds = 0, 0, milliseconds

    def __call__(self):
        return self.now

    def work(self):
        self.now += self.milliseconds[self.calls % len(self.milliseconds)] * 1_000_000
        self.calls += 1


def test_percentiles_are_calls_that_happened():
    clock = Clock(*range(1, 201))
    taken = latency(clock.work, repeats=200, warmup=0, clock=clock)
    assert (taken.n, taken.p50_ms, taken.p99_ms, taken.max_ms) == (200, 100.0, 198.0, 200.0)
    assert taken.mean_ms == pytest.approx(100.5)
    assert taken.figures() == {"p50_ms": 100.0, "p99_ms": 198.0}


def test_warm_up_is_not_timed():
    clock = Clock(1000, 1000, 2)
    taken = latency(clock.work, repeats=1, warmup=2, clock=clock)
    assert clock.calls == 3
    assert (taken.n, taken.max_ms) == (1, 2.0)


def test_few_calls_show_the_slowest_as_p99():
    clock = Clock(1, 1, 50)
    assert latency(clock.work, repeats=3, warmup=0, clock=clock).p99_ms == 50.0


def test_it_goes_on_until_the_time_is_spent():
    clock = Clock(300)
    assert latency(clock.work, seconds=1.0, warmup=0, clock=clock).n == 4


def test_a_clock_that_stands_still_ends_all_the_same():
    assert latency(lambda: None, seconds=1e-6, warmup=0, clock=lambda: 0).n == 1000


def test_throughput_is_examples_over_time():
    clock = Clock(250)
    done = throughput(clock.work, examples=100, repeats=4, warmup=0, clock=clock)
    assert (done.n, done.seconds) == (4, 1.0)
    assert done.figures() == {"examples_per_second": 400.0}


def test_arguments_are_passed_on():
    seen = []
    latency(lambda *args: seen.append(args), 1, 2, repeats=1, warmup=1)
    throughput(lambda *args: seen.append(args), 3, examples=1, repeats=1, warmup=0)
    assert seen == [(1, 2), (1, 2), (3,)]


def test_the_garbage_collector_rests_meanwhile_and_comes_back():
    states = []
    latency(lambda: states.append(gc.isenabled()), repeats=2, warmup=1)
    assert states == [True, False, False]
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        latency(lambda: 1 / 0, repeats=1, warmup=0)
    assert gc.isenabled()
    gc.disable()
    try:
        latency(lambda: None, repeats=1)
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"repeats": 0}, "repeats is 0"),
        ({"seconds": 0}, "seconds is 0"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"warmup": -1}, "warmup is -1"),
        ({"examples": 0}, "examples is 0"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        throughput(lambda: None, **{"examples": 1} | arguments)
