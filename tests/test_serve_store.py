"""Values, behaviour, cached answers and the event log, without Redis."""

import json
import math
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils import settings as paths
from rsutils.serve.store import AnswerCache, Behaviour, EventLog, MemoryStore, open_store
from rsutils.serve.store import event_log as event_log_module
from rsutils.serve.store.base import by_time, earlier
from rsutils.serve.store.cached_value import CachedValue, pack, unpack, wants_renewal
from rsutils.serve.store.histories import Histories
from rsutils.serve.store.memory import OVERHEAD


class Clock:
    """Stands still until it is moved on."""

    def __init__(self, now=1_000.0):
        self.now = now

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


KEYS = st.sampled_from("abcd")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.binary(max_size=6), st.sampled_from([1, 5, 20])),
        st.tuples(st.just("claim"), KEYS, st.sampled_from([1, 5])),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("get"), KEYS),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 1, 4])),
    ),
    max_size=40,
)


class Model:
    """What a store should be: names with a value and the time when it goes."""

    def __init__(self, clock, room=10**6):
        self.clock, self.room, self.kept = clock, room, OrderedDict()

    def get(self, key):
        value, deadline = self.kept.get(key, (None, 0))
        if deadline <= self.clock():
            self.kept.pop(key, None)
            return None
        self.kept.move_to_end(key)
        return value

    def set(self, key, value, seconds):
        self.kept.pop(key, None)
        if self.size(key, value) <= self.room:
            self.kept[key] = value, self.clock() + seconds
        while sum(self.size(k, v) for k, (v, _) in self.kept.items()) > self.room:
            self.kept.popitem(last=False)

    def claim(self, key, seconds):
        free = self.get(key) is None
        if free:
            self.set(key, b"", seconds)
        return free

    @staticmethod
    def size(key, value):
        return len(key) + len(value) + OVERHEAD


@given(STEPS, st.sampled_from([2 * OVERHEAD + 10, 10**6]))
@settings(max_examples=300, deadline=None)
def test_a_store_in_memory_does_what_a_dictionary_with_times_does(steps, room):
    clock = Clock()
    store, model = MemoryStore(room, clock), Model(clock, room)
    for name, *given_ in steps:
        if name == "set":
            key, value, seconds = given_
            store.set_many({key: value}, seconds)
            model.set(key, value, seconds)
        elif name == "claim":
            assert store.claim(*given_) == model.claim(*given_)
        elif name == "delete":
            store.delete(given_)
            model.kept.pop(given_[0], None)
        elif name == "get":
            assert store.get_many(given_) == [model.get(*given_)]
        else:
            clock.sleep(*given_)
        assert store.state()["bytes"] <= room
    assert store.get_many("abcd") == [model.get(key) for key in "abcd"]


def test_what_was_not_used_longest_goes_first_and_what_is_too_large_is_not_kept():
    store = MemoryStore(max_bytes=2 * (OVERHEAD + 2))
    store.set_many({"a": b"1", "b": b"2"}, 60)
    store.get_many(["a"])
    store.set_many({"c": b"3"}, 60)
    assert store.get_many("abc") == [b"1", None, b"3"]
    store.set_many({"a": bytes(3 * OVERHEAD)}, 60)
    assert store.get_many("abc") == [None, None, b"3"]
    store.clear()
    assert store.state()["bytes"] == 0


BAD = {
    "text": (lambda s: s.set_many({"a": "text"}, 1), TypeError, "'a' is a str; expected bytes"),
    "no time": (lambda s: s.set_many({"a": b""}, 0), ValueError, "seconds is 0"),
    "for ever": (lambda s: s.set_many({"a": b""}, math.inf), ValueError, "finite number above 0"),
    "NaN": (lambda s: s.claim("a", math.nan), ValueError, "seconds is nan"),
    "no entries": (lambda s: s.behaviour(["u"], 0), ValueError, "newest is 0"),
    "no user": (lambda s: s.add_behaviour([entry(user="")]), ValueError, "user of .* is ''"),
    "NUL": (lambda s: s.add_behaviour([entry(item="a\0b")]), ValueError, "without NUL"),
    "a number": (lambda s: s.add_behaviour([entry(item=3)]), ValueError, "item of .* is 3"),
    "when": (lambda s: s.add_behaviour([entry(time=math.nan)]), ValueError, "is nan; expected sec"),
}


def entry(id="e1", user="42", item="17", kind="click", time=5.0):
    return Behaviour(id, user, item, kind, time)


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_kept_is_refused(name):
    call, kind, message = BAD[name]
    store = MemoryStore()
    with pytest.raises(kind, match=message):
        call(store)
    assert (store.state()["values"], store.state()["behaviour"]) == (0, 0)


def test_bounds_without_room_are_refused():
    with pytest.raises(ValueError, match="max_bytes is 10"):
        MemoryStore(max_bytes=10)
    with pytest.raises(ValueError, match="per_user is 5 and most is 4"):
        Histories(per_user=5, most=4)


def test_threads_do_not_disturb_the_count_of_bytes():
    store = MemoryStore(max_bytes=5 * OVERHEAD)

    def work(seed):
        random = Random(seed)
        for _ in range(2_000):
            key = random.choice("abcdefgh")
            store.set_many({key: bytes(random.randrange(50))}, 60)
            store.delete([random.choice("abcdefgh")])
            store.add_behaviour([entry(id=str(random.randrange(99)), user=key)])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 <= store.state()["bytes"] <= 5 * OVERHEAD
    store.delete("abcdefgh")
    assert store.state()["bytes"] == 0
    kept = sum(len(entries) for entries in store.behaviour("abcdefgh", 500))
    assert store.state()["behaviour"] == kept


ENTRIES = st.lists(
    st.builds(
        Behaviour,
        id=st.sampled_from(["a", "ab", "b", "c"]),
        user=st.sampled_from("uv"),
        item=st.sampled_from("xy"),
        kind=st.just("click"),
        time=st.sampled_from([1.0, 2.0, 2.5]),
    ),
    max_size=12,
)


def expected(entries, user):
    """Of each id the earliest entry, by time."""
    kept = {}
    for each in entries:
        if each.user == user:
            kept[each.id] = earlier(kept.get(each.id, each), each)
    return sorted(kept.values(), key=by_time)


@given(ENTRIES, st.randoms(), st.integers(1, 5))
@settings(max_examples=300, deadline=None)
def test_entries_may_come_twice_and_in_any_order(entries, random, newest):
    again = [*entries, *entries[::2]]
    random.shuffle(again)
    store = MemoryStore()
    for each in again:
        store.add_behaviour([each])
    assert store.behaviour("uvw", newest) == [
        *(expected(entries, user)[-newest:] for user in "uv"),
        [],
    ]
    assert store.state()["behaviour"] == sum(len(expected(entries, user)) for user in "uv")


def test_behaviour_is_bounded_by_user_in_all_and_in_time():
    clock = Clock()
    histories = Histories(per_user=2, most=4, seconds=10, clock=clock)
    assert histories.add(entry(id=str(time), time=time) for time in (3.0, 1.0, 2.0)) == 0
    assert [each.time for each in histories.newest(["42"], 9)[0]] == [2.0, 3.0]
    histories.add([entry("a", "43"), entry("b", "43")])
    histories.newest(["42"], 1)
    # The user goes of whom nothing was asked for longest.
    assert histories.add([entry("c", "44")]) == 2
    assert [len(found) for found in histories.newest(["42", "43", "44"], 9)] == [2, 0, 1]
    clock.sleep(9)
    histories.add([entry("d", "44")])
    clock.sleep(1)
    assert [each.user for each in histories.first(9)] == ["44", "44"]
    assert [len(found) for found in histories.newest(["42", "44"], 9)] == [0, 2]
    assert len(histories) == 2


def test_only_what_is_unchanged_is_removed():
    histories = Histories()
    histories.add([entry(time=5.0), entry("e2")])
    histories.add([entry(time=4.0)])
    histories.remove([entry(time=5.0), entry("e2"), entry("e3")])
    assert histories.first(9) == [entry(time=4.0)]


# Cached answers.


class Calls:
    """A computation that notes for which positions it was asked."""

    def __init__(self, answers=None, seconds=0.0, clock=None):
        self.seen, self.answers, self.seconds, self.clock = [], answers, seconds, clock

    def __call__(self, positions):
        self.seen.append([*positions])
        if self.clock:
            self.clock.sleep(self.seconds)
        if self.answers is not None:
            return self.answers
        return [b"%d" % position for position in positions]


def make_cache(clock, store=None, **given_):
    store = store or MemoryStore(clock=clock)
    given_ = {"seconds": 10, "random": Random(0), **given_}
    return AnswerCache(store, clock=clock, timer=clock, sleep=clock.sleep, **given_)


def test_equal_keys_are_computed_once_and_counted_each():
    cache, compute = make_cache(Clock()), Calls()
    assert cache.get_or_compute(["a", "b", "a"], compute) == [
        (b"0", "miss"),
        (b"1", "miss"),
        (b"0", "miss"),
    ]
    assert cache.get_or_compute(["c", "b"], compute) == [(b"0", "miss"), (b"1", "hit")]
    assert compute.seen == [[0, 1], [0]]
    assert (cache.hits, cache.misses, cache.stale) == (1, 4, 0)
    assert cache.get_or_compute([], compute) == []


def test_none_is_given_on_and_not_kept():
    cache = make_cache(Clock())
    assert cache.get_or_compute(["a", "b"], Calls([None, b"1"])) == [(None, "miss"), (b"1", "miss")]
    assert cache.get_or_compute(["a", "b"], Calls([b"2"])) == [(b"2", "miss"), (b"1", "hit")]


def test_an_older_answer_is_better_than_none_as_long_as_it_may_be_given():
    clock = Clock()
    cache = make_cache(clock)
    cache.get_or_compute(["a"], Calls([b"old"]))
    clock.sleep(11)
    assert cache.get_or_compute(["a"], Calls([None])) == [(b"old", "stale")]
    slow = Calls([None], seconds=9, clock=clock)
    assert cache.get_or_compute(["a"], slow) == [(None, "miss")]


@pytest.mark.parametrize("known", [False, True])
def test_an_error_is_the_callers_and_leaves_neither_value_nor_claim(known):
    clock = Clock()
    store = MemoryStore(clock=clock)
    cache = make_cache(clock, store)
    if known:
        cache.get_or_compute(["a"], Calls([b"old"]))
        clock.sleep(11)
    for wrong, kind in [(lambda positions: 1 / 0, ZeroDivisionError), (Calls([]), ValueError)]:
        with pytest.raises(kind):
            cache.get_or_compute(["a"], wrong)
    assert store.claim("claim:a", 1)
    store.delete(["claim:a"])
    assert cache.get_or_compute(["a"], Calls([b"new"])) == [(b"new", "miss")]


def test_what_is_computed_elsewhere_is_given_stale_meanwhile():
    clock = Clock()
    store = MemoryStore(clock=clock)
    one, other = make_cache(clock, store), make_cache(clock, store)
    one.get_or_compute(["a"], Calls([b"old"]))
    clock.sleep(11)

    def compute(positions):
        assert other.get_or_compute(["a"], Calls()) == [(b"old", "stale")]
        return [b"new"]

    assert one.get_or_compute(["a"], compute) == [(b"new", "miss")]
    assert other.get_or_compute(["a"], Calls()) == [(b"new", "hit")]
    assert (other.stale, other.hits, other.misses) == (1, 1, 0)


class Meanwhile(Clock):
    """A clock that does something when somebody sleeps for the third time."""

    def __init__(self):
        super().__init__()
        self.naps, self.action = 0, lambda: None

    def sleep(self, seconds):
        super().sleep(seconds)
        self.naps += 1
        if self.naps == 3:
            self.action()


def test_what_another_finished_between_look_up_and_claim_is_not_computed_again():
    class Interrupted(MemoryStore):
        def claim_many(self, keys, seconds):
            if pending:
                pending.pop()()
            return super().claim_many(keys, seconds)

    clock, compute = Clock(), Calls()
    store = Interrupted(clock=clock)
    one, other = make_cache(clock, store), make_cache(clock, store)
    for expected_, wait in [(b"first", 0), (b"second", 11)]:
        clock.sleep(wait)
        theirs = Calls([expected_])
        pending = [lambda theirs=theirs: other.get_or_compute(["a"], theirs)]
        assert one.get_or_compute(["a"], compute) == [(expected_, "hit")]
        assert store.claim("claim:a", 1)
        store.delete(["claim:a"])
    assert compute.seen == []


def test_an_answer_that_comes_while_waiting_is_taken():
    clock = Meanwhile()
    store = MemoryStore(clock=clock)
    store.claim("claim:a", 5)
    late = pack(CachedValue(b"theirs", clock() + 10, clock() + 20, 0.01))
    clock.action = lambda: store.set_many({"a": late}, 20)
    compute = Calls()
    cache = make_cache(clock, store)
    assert cache.get_or_compute(["a", "b"], compute) == [(b"theirs", "hit"), (b"1", "miss")]
    assert compute.seen == [[1]]
    assert clock.naps == 3


def test_a_claim_that_is_let_go_is_taken_over_without_more_waiting():
    clock = Meanwhile()
    store = MemoryStore(clock=clock)
    store.claim("claim:a", 5)
    clock.action = lambda: store.delete(["claim:a"])
    cache = make_cache(clock, store)
    assert cache.get_or_compute(["a"], Calls()) == [(b"0", "miss")]
    assert clock.naps == 3
    assert cache.get_or_compute(["a"], Calls()) == [(b"0", "hit")]


def test_who_waited_in_vain_computes_and_the_next_time_waits_no_longer_than_twice_that():
    clock = Clock()
    store = MemoryStore(clock=clock)
    for key in "ab":
        store.claim(f"claim:{key}", 5)
    cache = make_cache(clock, store, longest_wait=0.05)
    start = clock()
    compute = Calls(seconds=0.01, clock=clock)
    assert cache.get_or_compute(["a"], compute) == [(b"0", "miss")]
    assert 0.06 <= clock() - start < 0.07
    start = clock()
    assert cache.get_or_compute(["b"], compute) == [(b"0", "miss")]
    assert 0.03 <= clock() - start < 0.04


def test_what_was_dropped_while_it_was_computed_is_not_kept():
    cache = make_cache(Clock())

    def compute(positions):
        cache.drop(["a"])
        return [b"of old behaviour", b"other"]

    (value, _), _ = cache.get_or_compute(["a", "b"], compute)
    assert value == b"of old behaviour"
    assert cache.get_or_compute(["a", "b"], Calls([b"new"])) == [
        (b"new", "miss"),
        (b"other", "hit"),
    ]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 30), st.booleans()), max_size=20),
    st.floats(0, 4),
    st.integers(0, 99),
)
@settings(max_examples=200, deadline=None)
def test_no_answer_is_given_after_its_hard_expiry(steps, took, seed):
    """Even where the store keeps values for too long, and where somebody else claimed the key."""
    clock = Clock()
    store = MemoryStore(clock=lambda: 0.0)
    cache = make_cache(clock, store, stale_seconds=5, random=Random(seed), beta=2.0)

    def compute(positions):
        clock.sleep(took)
        return [b"%r" % clock() for _ in positions]

    for key, pause, claimed_elsewhere in steps:
        clock.sleep(pause)
        if claimed_elsewhere:
            store.claim(f"claim:{key}", 1)
        [(value, freshness)] = cache.get_or_compute([key], compute)
        store.delete([f"claim:{key}"])
        age = clock() - float(value)
        assert 0 <= age < 15 or math.isclose(age, 15)
        assert freshness != "miss" or age == 0


def test_early_renewals_are_exponentially_distributed():
    """Of evenly spread random numbers, exp(-gap / (beta * delta)) renew before the expiry."""
    cached = CachedValue(b"", soft=100.0, hard=200.0, delta=0.5)
    n = 10_000
    for gap in (0.1, 0.5, 2.0):
        for beta in (0.5, 1.0, 2.0):
            early = sum(
                wants_renewal(cached, 100.0 - gap, beta, (place + 0.5) / n) for place in range(n)
            )
            assert early / n == pytest.approx(math.exp(-gap / (beta * 0.5)), abs=1 / n)
    assert not wants_renewal(cached, 99.999, 0.0, 1e-300)
    assert wants_renewal(cached, 100.0, 0.0, 1.0)


@given(st.binary(max_size=40), st.data())
@settings(max_examples=100, deadline=None)
def test_a_value_with_any_byte_changed_is_no_value(value, data):
    cached = CachedValue(value, 10.0, 20.0, 0.5)
    packed = pack(cached)
    assert unpack(packed) == cached
    place = data.draw(st.integers(0, len(packed) - 1))
    changed = bytearray(packed)
    changed[place] ^= data.draw(st.integers(1, 255))
    assert unpack(bytes(changed)) is None
    assert unpack(packed[:place]) is None


@pytest.mark.parametrize("foreign", [b"", b"x", bytes(100), pack(CachedValue(b"", 1, 2, 0))[:-1]])
def test_foreign_values_are_a_miss_and_replaced(foreign):
    clock = Clock()
    store = MemoryStore(clock=clock)
    store.set_many({"a": foreign}, 60)
    cache = make_cache(clock, store)
    assert cache.get_or_compute(["a"], Calls()) == [(b"0", "miss")]
    assert cache.get_or_compute(["a"], Calls()) == [(b"0", "hit")]


def test_a_cache_without_sense_is_refused():
    for given_, message in [
        ({"seconds": 0}, "seconds is 0"),
        ({"beta": -1}, "beta is -1"),
        ({"claim_seconds": math.nan}, "seconds is nan"),
    ]:
        with pytest.raises(ValueError, match=message):
            make_cache(Clock(), **given_)


# The event log.


EVENTS = [{"user": "42", "item": "17"}, {"user": "é\n", "n": 1.5}, {}]


def test_events_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "logs" / "events.jsonl"
    with EventLog(path) as log:
        log.append(EVENTS[:2])
        assert [*log.read()] == EVENTS[:2]
    with EventLog(path) as log:
        log.append(EVENTS[2:])
        log.append([])
        assert [*log.read()] == EVENTS
    with pytest.raises(ValueError, match=r"events.jsonl is closed"):
        log.append(EVENTS)


def test_a_line_torn_anywhere_is_cut_off_when_the_log_is_opened(tmp_path, caplog):
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.append(EVENTS)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        kept = whole[:size].count(b"\n")
        caplog.clear()
        with EventLog(path) as log:
            assert [*log.read()] == EVENTS[:kept]
            assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:kept])
            assert len(caplog.records) == (not whole[:size].endswith(b"\n") and size > 0)
            log.append([{"after": size}])
            assert [*log.read()][-1] == {"after": size}
    assert first < len(whole)


def test_a_long_torn_line_is_cut_off_where_it_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(event_log_module, "CHUNK", 8)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"a": 1}\n' + bytes(100))
    with EventLog(path) as log:
        assert [*log.read()] == [{"a": 1}]
    path.write_bytes(bytes(100))
    with EventLog(path) as log:
        assert [*log.read()] == []
    assert path.stat().st_size == 0


@pytest.mark.parametrize("damage", [b"\0\0", b"[1]", b'{"a": 1', b"\xff{}", b""])
def test_a_damaged_line_in_the_middle_is_named(tmp_path, damage):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"a": 1}\n' + damage + b'\n{"b": 2}\n')
    with EventLog(path) as log:
        events = log.read()
        assert next(events) == {"a": 1}
        with pytest.raises(ValueError, match=r"Line 2 of .*events.jsonl is damaged"):
            next(events)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [({"a": math.nan}, ValueError), ({"a": {1}}, TypeError), ("text", TypeError)],
)
def test_what_is_no_event_is_refused_before_anything_is_written(tmp_path, wrong, kind):
    with EventLog(tmp_path / "events.jsonl") as log:
        with pytest.raises(kind):
            log.append([{"a": 1}, wrong])
        assert [*log.read()] == []


def test_each_call_is_on_disk_by_one_sync(tmp_path, monkeypatch):
    synced = []
    with EventLog(tmp_path / "events.jsonl") as log:
        monkeypatch.setattr(os, "fsync", lambda file: synced.append(log.path.read_bytes()))
        log.append(EVENTS)
    assert [content.count(b"\n") for content in synced] == [len(EVENTS)]


@pytest.mark.parametrize("names", [["write"], ["fsync"], ["write", "ftruncate"]])
def test_a_disk_that_fails_leaves_no_half_event(tmp_path, monkeypatch, names):
    real, left = os.write, [5]

    def write(file, data):
        if not left:
            raise OSError(28, "No space left on device")
        return real(file, data[: left.pop()])

    def fail(*given_):
        raise OSError(5, "Input/output error")

    with EventLog(tmp_path / "events.jsonl") as log:
        log.append(EVENTS[:1])
        with monkeypatch.context() as patch:
            for name in names:
                patch.setattr(os, name, write if name == "write" else fail)
            with pytest.raises(OSError, match=r"No space|Input/output"):
                log.append(EVENTS)
        assert [*log.read()] == EVENTS[:1]
        log.append(EVENTS[1:2])
        assert [*log.read()] == EVENTS[:2]


APPENDS_UNTIL_KILLED = """
import sys
from rsutils.serve.store import EventLog
with EventLog(sys.argv[1]) as log:
    for number in range(10**9):
        log.append([{"number": number, "part": part, "fill": "x" * 5000} for part in range(3)])
        print(number, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    path = tmp_path / "events.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-c", APPENDS_UNTIL_KILLED, path],
        stdout=subprocess.PIPE,
        text=True,
        cwd=paths.REPOSITORY,
    )
    acknowledged = [int(process.stdout.readline()) for _ in range(30)]
    if event_log_module.fcntl:
        with pytest.raises(BlockingIOError, match=r"events.jsonl is appended to by another"):
            EventLog(path)
    process.kill()
    acknowledged += [int(line) for line in process.communicate()[0].split()]
    with EventLog(path) as log:
        kept = [event["number"] for event in log.read()]
    assert acknowledged == [*range(len(acknowledged))]
    assert set(acknowledged) <= {number for number in kept if kept.count(number) == 3}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no advisory locks")
def test_a_second_log_on_the_file_is_refused_until_the_first_is_closed(tmp_path):
    path = tmp_path / "events.jsonl"
    with EventLog(path), pytest.raises(BlockingIOError, match="a log of its own"):
        EventLog(path)
    EventLog(path).close()


def test_lines_are_plain_json(tmp_path):
    with EventLog(tmp_path / "events.jsonl") as log:
        log.append(EVENTS)
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").split("\n")
    assert [json.loads(line) for line in lines[:-1]] == EVENTS
    assert "é" in lines[1]


# What a service is configured for.


def test_without_an_address_the_store_is_in_memory(monkeypatch):
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert open_store().state()["kind"] == "memory"
    monkeypatch.setenv("REDIS_URL", "")
    assert open_store().state()["kind"] == "memory"


WRONG_ADDRESSES = [
    "",
    "localhost:6379",
    "http://:secret@localhost",
    "redis://",
    "redis://:secret@",
    "redis://:sec/ret@localhost:6379/0",
    "redis://user:12/secret@localhost",
    "redis://user:12#secret@localhost",
    "redis://user:12?secret@localhost",
    "redis://localhost:secret/0",
    "redis://localhost:6379/secret",
    "redis://localhost:6379/0?password=x&unknown=secret",
    "redis://localhost:6379/0?socket_timeout=secret",
    "unix://secret",
]


@pytest.mark.parametrize("url", WRONG_ADDRESSES)
def test_an_address_of_wrong_form_is_refused_without_showing_its_password(monkeypatch, url):
    with pytest.raises(
        ValueError, match=r"redis://HOST:PORT/NUMBER|redis-py does not take"
    ) as told:
        open_store(url)
    assert "secret" not in str(told.value)
    assert told.value.__suppress_context__


def test_redis_py_is_asked_for_where_it_is_not_installed(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("rsutils.serve.store.redis_")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("rsutils.serve.store.res")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match="pip install 'redis"):
        open_store("redis://localhost")
