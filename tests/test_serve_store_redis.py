"""The store in Redis, and what happens when a real server dies, hangs, refuses or forgets."""

import logging
import socket
import subprocess
import sys
import threading
import time
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsutils import settings as paths
from rsutils.serve.store import (
    AnswerCache,
    Behaviour,
    MemoryStore,
    RedisStore,
    ResilientStore,
    StoreDownError,
    open_store,
)
from rsutils.serve.store.histories import Histories
from rsutils.serve.store.outbox import Outbox
from rsutils.serve.store.redis_address import public_address
from tests.redis_server import PROGRAM, REASON, RedisServer, free_port

needs_redis = pytest.mark.skipif(PROGRAM is None, reason=REASON)
CLICK = Behaviour("e1", "42", "17", "click", 5.0)


def click(id, user="42", item="17", at=5.0):
    return Behaviour(id, user, item, "click", at)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def server(tmp_path):
    """One of the test's own, to be ill-treated."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def opened():
    """Opens stores, and closes them in the end."""
    stores = []

    def open_(store):
        stores.append(store)
        return store

    yield open_
    for store in stores:
        store.close()


def own_prefix():
    return f"test-{uuid.uuid4().hex}:"


def resilient(url, primary=RedisStore, prefix="rsutils:", timeout=5.0, **given_):
    """With a time-out that a busy machine keeps, and short pauses between two looks."""
    given_ = {"interval": 0.1, "first_delay": 0.02, **given_}
    local = given_.pop("local", None) or MemoryStore()
    return ResilientStore(primary(url, prefix, timeout), local, **given_)


def wait_until(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


# What all stores have in common.

KINDS = ["memory", "redis", "resilient", "fallback"]


@pytest.fixture(params=KINDS)
def store(request, opened):
    if request.param == "memory":
        return MemoryStore()
    if request.param == "fallback":
        return opened(resilient(f"redis://127.0.0.1:{free_port()}"))
    if PROGRAM is None:
        pytest.skip(REASON)
    url = request.getfixturevalue("shared_server").url
    if request.param == "redis":
        return opened(RedisStore(url, own_prefix(), timeout=5.0))
    return opened(resilient(url, prefix=own_prefix()))


def test_values_are_kept_replaced_and_forgotten(store):
    store.set_many({"a": b"1", "é*": b"\x00\xff"}, 60)
    assert store.get_many(["a", "b", "é*", "a"]) == [b"1", None, b"\x00\xff", b"1"]
    store.set_many({"a": b""}, 60)
    store.delete(["é*", "c"])
    assert store.get_many(["a", "é*"]) == [b"", None]


def test_values_live_for_their_time(store):
    store.set_many({"short": b"1"}, 0.02)
    store.set_many({"long": b"1"}, 60)
    assert store.claim("claimed", 0.02)
    wait_until(lambda: store.get_many(["short", "claimed", "long"]) == [None, None, b"1"])
    assert store.claim("claimed", 60)


def test_a_claim_is_granted_once_until_it_is_deleted(store):
    assert store.claim_many(["a", "b", "a"], 60) == [True, True, False]
    assert not store.claim("a", 60)
    store.delete(["a"])
    assert store.claim("a", 60)
    store.set_many({"value": b"1"}, 60)
    assert not store.claim("value", 60)


def test_nothing_asked_is_nothing_done(store):
    store.set_many({}, 60)
    store.delete([])
    store.add_behaviour([])
    assert (store.get_many([]), store.claim_many([], 1), store.behaviour([])) == ([], [], [])


def test_behaviour_is_sorted_by_time_then_id_and_known_by_user_and_id(store):
    entries = [
        click("b", at=2.0),
        click("ab", at=2.0),
        click("a", at=2.0),
        click("c", at=1.0),
        click("a", user="43", at=1e-9),
        click("z", item="日本", at=1_700_000_000.123456),
    ]
    store.add_behaviour(entries[:3])
    store.add_behaviour(entries)
    assert store.behaviour(["42", "nobody", "43", "42"], 3) == [
        [entries[1], entries[0], entries[5]],
        [],
        [entries[4]],
        [entries[1], entries[0], entries[5]],
    ]
    assert [each.id for each in store.behaviour(["42"])[0]] == ["c", "a", "ab", "b", "z"]


def test_of_an_id_that_comes_twice_the_earlier_entry_stays(store):
    for order in (1, -1):
        user = f"user{order}"
        entries = [click("e", user, "b", 2.0), click("e", user, "a", 2.0), click("e", user, "c", 3)]
        for each in entries[::order]:
            store.add_behaviour([each])
        assert store.behaviour([user]) == [[click("e", user, "a", 2.0)]]


def test_the_newest_entries_of_a_user_stay(store):
    entries = [click(f"{number:04}", at=float(number)) for number in range(600)]
    store.add_behaviour(entries[::2])
    store.add_behaviour(entries[1::2])
    assert store.behaviour(["42"], 10_000) == [entries[-500:]]
    store.add_behaviour([click("old", at=0.5)])
    assert store.behaviour(["42"], 2) == [entries[-2:]]
    assert len(store.behaviour(["42"], 10_000)[0]) == 500


def test_bad_input_is_refused_alike(store):
    with pytest.raises(TypeError, match="'a' is a str; expected bytes"):
        store.set_many({"a": "1"}, 1)
    with pytest.raises(ValueError, match="seconds is 0"):
        store.set_many({"a": b""}, 0)
    with pytest.raises(ValueError, match="seconds is -1"):
        store.claim("a", -1)
    with pytest.raises(ValueError, match=r"item of .* is ''"):
        store.add_behaviour([CLICK, CLICK._replace(item="")])
    with pytest.raises(ValueError, match="newest is 0"):
        store.behaviour(["42"], 0)
    with pytest.raises(ValueError, match="surrogates not allowed"):
        store.delete(["\ud800"])
    with pytest.raises(ValueError, match=r"user of .* expected a text"):
        store.add_behaviour([CLICK._replace(user="\ud800")])
    assert store.behaviour(["42"]) == [[]]


def test_states_say_what_they_are(store, request):
    kind = request.node.callspec.params["store"]
    state = store.state()
    assert state["kind"] == ("redis" if kind == "resilient" else kind)
    assert state["up"] is (kind != "fallback")


ENTRIES = st.lists(
    st.builds(
        Behaviour,
        id=st.text("ab:é\n ", min_size=1, max_size=3),
        user=st.sampled_from(["u", "u:v", "}"]),
        item=st.sampled_from(["x", "y"]),
        kind=st.just("click"),
        time=st.sampled_from([0.0, 0.1, 1e-5, 1.7e9, 1.7e9 + 1e-6]) | st.floats(0, 1e12),
    ),
    max_size=15,
)


@needs_redis
@given(st.lists(ENTRIES, max_size=4), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_redis_and_memory_keep_the_same_behaviour(shared_server, batches, newest):
    prefix = own_prefix()
    one = RedisStore(shared_server.url, prefix, timeout=5.0, per_user=4)
    other = MemoryStore(histories=Histories(per_user=4))
    for batch in batches:
        one.add_behaviour(batch)
        other.add_behaviour(batch)
    users = ["u", "u:v", "}", "w"]
    assert one.behaviour(users, newest) == other.behaviour(users, newest)
    one.close()


# What is Redis's own.


@needs_redis
def test_every_call_is_one_round_trip(shared_server, opened):
    store = opened(RedisStore(shared_server.url, own_prefix(), timeout=5.0))
    store.get_many(["a"])
    keys = [str(number) for number in range(50)]
    entries = [click(key, user=key) for key in keys]
    calls = [
        lambda: store.set_many(dict.fromkeys(keys, b"1"), 60),
        lambda: store.get_many(keys),
        lambda: store.claim_many(keys, 60),
        lambda: store.delete(keys),
        lambda: store.add_behaviour(entries),
        lambda: store.behaviour(keys),
    ]
    with shared_server.client() as client:
        for call in calls:
            before = client.info("stats")["total_reads_processed"]
            call()
            # The look itself is read too. A long request may arrive in more than one piece, far
            # from one for each key.
            assert client.info("stats")["total_reads_processed"] - before <= 4


@needs_redis
def test_behaviour_and_values_do_not_stay_for_ever(shared_server, opened):
    prefix = own_prefix()
    store = opened(RedisStore(shared_server.url, prefix, timeout=5.0, behaviour_seconds=1_000))
    store.add_behaviour([CLICK])
    store.set_many({"a": b"1"}, 1_000)
    store.claim("b", 1_000)
    with shared_server.client() as client:
        keys = list(client.scan_iter(f"{prefix}*"))
        assert len(keys) == 4
        assert all(990 < client.ttl(key) <= 1_000 for key in keys)


@needs_redis
def test_what_others_wrote_is_no_value_and_no_entry(shared_server, opened):
    prefix = own_prefix()
    store = opened(RedisStore(shared_server.url, prefix, timeout=5.0))
    cache = AnswerCache(store)
    store.add_behaviour([click("a"), click("b", at=6.0)])
    with shared_server.client() as client:
        client.rpush(f"{prefix}value:list", "x")
        client.set(f"{prefix}value:text", "x" * 99)
        client.zadd(f"{prefix}times:42", {"no entry": 7.0, b"\xff\0a\0b": 8.0, b"\xc3\0a\0b": 9.0})
    keys = ["list", "text"]
    answers = cache.get_or_compute(keys, lambda positions: [b"1" for _ in positions])
    assert answers == [(b"1", "miss")] * 2
    assert [state for _, state in cache.get_or_compute(keys, list)] == ["hit"] * 2
    assert store.behaviour(["42"]) == [[click("a"), click("b", at=6.0)]]


@needs_redis
@pytest.mark.parametrize("lost", ["times", "known"])
def test_where_redis_threw_half_of_a_user_out_entries_can_be_added_again(
    shared_server, opened, lost
):
    prefix = own_prefix()
    store = opened(RedisStore(shared_server.url, prefix, timeout=5.0, per_user=2))
    entries = [click("a"), click("b", at=6.0)]
    store.add_behaviour(entries)
    with shared_server.client() as client:
        client.delete(f"{prefix}{lost}:42")
    store.add_behaviour(entries)
    assert store.behaviour(["42"]) == [entries]
    store.add_behaviour([click("c", at=7.0)])
    assert store.behaviour(["42"]) == [[entries[1], click("c", at=7.0)]]
    with shared_server.client() as client:
        assert sorted(client.hkeys(f"{prefix}known:42")) == ["b", "c"]


@needs_redis
def test_forgetting_values_leaves_behaviour_and_what_is_not_ours(shared_server, opened):
    prefix = f"[a-z]*{uuid.uuid4().hex}?:"
    store = opened(RedisStore(shared_server.url, prefix, timeout=5.0))
    other = opened(RedisStore(shared_server.url, prefix.replace("[a-z]*", "b"), timeout=5.0))
    for each in (store, other):
        each.set_many({str(number): b"1" for number in range(2_500)}, 60)
        each.add_behaviour([CLICK])
    store.forget_values()
    assert set(store.get_many([str(number) for number in range(2_500)])) == {None}
    assert set(other.get_many([str(number) for number in range(2_500)])) == {b"1"}
    assert store.behaviour(["42"]) == [[CLICK]]


def test_bounds_of_the_store_in_redis():
    with pytest.raises(ValueError, match="per_user is 0"):
        RedisStore("redis://localhost", per_user=0)
    with pytest.raises(ValueError, match="seconds is 0"):
        RedisStore("redis://localhost", timeout=0)


def test_addresses_are_shown_without_their_secrets():
    for url, shown in {
        "redis://:secret@localhost:6379/0": "redis://localhost:6379/0",
        "rediss://user:se%2Fcret@[::1]?ssl_cert_reqs=none": "rediss://[::1]",
        "unix://user:secret@/run/redis.sock?db=1": "unix:///run/redis.sock",
    }.items():
        assert public_address(url) == shown
        assert RedisStore(url).address == shown


@needs_redis
def test_a_password_is_used_and_never_shown(tmp_path, opened, caplog):
    caplog.set_level(logging.DEBUG)
    server = RedisServer(tmp_path, password="s3cret")
    store = opened(open_store(server.url))
    wait_until(lambda: store.state()["up"])
    store.add_behaviour([CLICK])
    with server.client() as client:
        wait_until(lambda: client.exists("rsutils:times:42"))
    wrong = opened(open_store(server.url.replace("s3cret", "wr0ng")))
    wrong.add_behaviour([CLICK])
    assert wrong.behaviour(["42"]) == [[CLICK]]
    assert wrong.state()["kind"] == "fallback"
    assert "AuthenticationError" in wrong.state()["error"]
    server.kill()
    store.get_many(["a"])
    said = caplog.text + str(store.state()) + str(wrong.state())
    assert "s3cret" not in said
    assert "wr0ng" not in said
    server.stop()


# What goes wrong.


class Counting(RedisStore):
    """Counts the calls that ask or tell Redis something; looks in the background are none."""

    calls = 0

    def get_many(self, keys):
        self.calls += 1
        return super().get_many(keys)

    def add_behaviour(self, entries):
        self.calls += 1
        super().add_behaviour(entries)


def records(caplog):
    return [each.getMessage() for each in caplog.records if each.name == "rsutils.serve.store"]


@needs_redis
def test_no_call_reaches_a_hanging_server_after_the_first(server, opened, caplog):
    counted = []

    def primary(*given_):
        counted.append(Counting(*given_))
        return counted[0]

    store = opened(resilient(server.url, primary, timeout=0.5))
    store.set_many({"a": b"1"}, 60)
    assert store.get_many(["a"]) == [b"1"]
    counted[0].calls = 0
    server.freeze()
    barrier = threading.Barrier(4)
    found = []

    def work():
        barrier.wait()
        for _ in range(20):
            found.extend(store.get_many(["a"]))
            store.add_behaviour([CLICK])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [None] * 80
    # Each thread may have been in the middle of one call when the first of them failed.
    assert 1 <= counted[0].calls <= 4
    assert store.behaviour(["42"]) == [[CLICK]]
    assert (store.state()["kind"], store.state()["up"]) == ("fallback", False)
    server.thaw()
    wait_until(lambda: store.state()["up"])
    # The value was never deleted: Redis has it still.
    assert store.get_many(["a"]) == [b"1"]
    messages = records(caplog)
    assert len(messages) == 2
    assert "TimeoutError" in messages[0]
    assert "is back after" in messages[1]


@needs_redis
def test_a_server_killed_under_load_costs_no_call_and_no_behaviour(server, opened):
    store = opened(resilient(server.url))
    cache = AnswerCache(store, seconds=0.05)
    written, errors, done = [], [], threading.Event()

    def work(name):
        number = 0
        try:
            while not done.is_set():
                number += 1
                entry = click(f"{name}-{number}", user=f"{name}-{number // 200}", at=float(number))
                store.add_behaviour([entry])
                written.append(entry)
                assert entry in store.behaviour([entry.user], 300)[0] or not store.state()["up"]
                value, _ = cache.get_or_compute([f"{number % 7}"], lambda positions: [b"answer"])[0]
                assert value == b"answer"
                store.delete([f"{number % 5}"])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()

    def wait_for_more():
        before = len(written)
        wait_until(lambda: errors or len(written) > before + 100)

    for _ in range(2):
        wait_for_more()
        server.kill()
        wait_until(lambda: not store.state()["up"])
        wait_for_more()
        server.start()
        wait_until(lambda: store.state()["up"])
    wait_for_more()
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []
    wait_until(lambda: store.state()["pending"] == 0)
    users = sorted({each.user for each in written})
    fresh = opened(RedisStore(server.url, timeout=5.0))
    found = {each for entries in fresh.behaviour(users, 500) for each in entries}
    assert found == set(written)
    assert store.state()["lost"] == 0


@needs_redis
def test_what_was_deleted_while_the_server_was_away_does_not_come_back(server, opened):
    store = opened(resilient(server.url))
    store.set_many({"dropped": b"stale", "other": b"1"}, 60)
    server.stop(keep=True)
    store.delete(["dropped"])
    assert store.get_many(["dropped", "other"]) == [None, None]
    assert store.state()["pending"] == 1
    server.start(keep=True)
    wait_until(lambda: store.state()["up"])
    assert store.get_many(["dropped", "other"]) == [None, b"1"]
    with server.client() as client:
        assert not client.exists("rsutils:value:dropped")


@needs_redis
def test_where_too_much_was_deleted_all_values_go_and_lost_behaviour_is_counted(
    server, opened, caplog
):
    store = opened(resilient(server.url, max_pending=500, local=MemoryStore()))
    store.set_many({str(number): b"1" for number in range(600)}, 60)
    store.add_behaviour([click("before", "before")])
    server.stop(keep=True)
    for number in range(501):
        store.delete([f"x{number}"])
    for number in range(502):
        store.add_behaviour([click("e", f"user{number}")])
    assert (store.state()["pending"], store.state()["lost"]) == (501, 2)
    assert sum("are lost to it" in each for each in records(caplog)) == 1
    server.start(keep=True)
    wait_until(lambda: store.state()["up"])
    assert set(store.get_many([str(number) for number in range(600)])) == {None}
    assert store.behaviour(["before", "user501"]) == [
        [click("before", "before")],
        [click("e", "user501")],
    ]


@needs_redis
@pytest.mark.parametrize("loss", ["restarted between two calls", "emptied"])
def test_a_server_that_forgot_is_told_again_what_this_process_knows(server, opened, loss):
    store = opened(resilient(server.url))
    entries = [click(f"{number}", user=f"{number % 3}") for number in range(1_200)]
    store.add_behaviour(entries)
    if loss == "emptied":
        with server.client() as client:
            client.flushall()
    else:
        server.kill()
        server.start()
    fresh = opened(RedisStore(server.url, timeout=5.0))

    def all_back():
        return sum(map(len, fresh.behaviour(["0", "1", "2"], 500))) == len(entries)

    wait_until(all_back)


class Gated(RedisStore):
    """Takes no behaviour while its gate is closed."""

    gate = threading.Event()

    def add_behaviour(self, entries):
        assert self.gate.wait(20)
        super().add_behaviour(entries)


@needs_redis
def test_what_is_not_handed_over_yet_is_read_beside_what_redis_has(server, opened):
    Gated.gate.set()
    store = opened(resilient(server.url, Gated))
    mine = [click("a", at=1.0), click("c", at=3.0)]
    store.add_behaviour(mine)
    Gated.gate.clear()
    with server.client() as client:
        client.flushall()
    wait_until(lambda: store.state()["pending"] == 2)
    assert store.state()["up"]
    theirs = [click("b", at=2.0), click("c", at=9.0)]
    opened(RedisStore(server.url, timeout=5.0)).add_behaviour(theirs)
    assert store.behaviour(["42", "43"]) == [[mine[0], theirs[0], mine[1]], []]
    assert store.behaviour(["42"], 2) == [[theirs[0], mine[1]]]
    Gated.gate.set()
    wait_until(lambda: store.state()["pending"] == 0)
    assert store.behaviour(["42"]) == [[mine[0], theirs[0], mine[1]]]


@pytest.mark.parametrize("deleted", [1, 501])
def test_what_could_not_be_handed_over_waits_on(opened, deleted):
    nobody = opened(RedisStore(f"redis://127.0.0.1:{free_port()}"))
    outbox = Outbox(500)
    outbox.note_deleted(str(number) for number in range(deleted))
    assert len(outbox) == 1
    for _ in range(2):
        with pytest.raises(StoreDownError):
            outbox.hand_over(nobody)
        assert len(outbox) == 1
    outbox.note_behaviour([CLICK])
    with pytest.raises(StoreDownError):
        outbox.hand_over(nobody)
    assert (len(outbox), outbox.entries) == (2, 1)


@needs_redis
@pytest.mark.parametrize("name", ["read-only", "out of memory"])
def test_a_server_that_refuses_writes_is_not_used_until_it_takes_them(server, opened, caplog, name):
    store = opened(resilient(server.url))
    wait_until(lambda: store.state()["up"])
    refuse, mend, word = {
        "read-only": (
            ("REPLICAOF", "127.0.0.1", str(free_port())),
            ("REPLICAOF", "NO", "ONE"),
            "ReadOnlyError",
        ),
        "out of memory": (
            ("CONFIG", "SET", "maxmemory", "1"),
            ("CONFIG", "SET", "maxmemory", "0"),
            "OutOfMemoryError",
        ),
    }[name]
    with server.client() as client:
        client.execute_command(*refuse)
        # Nothing waits to be handed over: to look whether Redis answers would not be enough.
        store.set_many({"a": b"1"}, 60)
        failures = store.state()["failures"]
        wait_until(lambda: store.state()["failures"] > failures + 3)
        store.add_behaviour([CLICK])
        assert not store.state()["up"]
        assert len(records(caplog)) == 1
        assert word in store.state()["error"]
        assert store.behaviour(["42"]) == [[CLICK]]
        assert client.exists("rsutils:times:42") == 0
        client.execute_command(*mend)
        wait_until(lambda: store.state()["up"])
        assert client.exists("rsutils:times:42") == 1
    assert len(records(caplog)) == 2


@needs_redis
def test_a_service_may_start_before_its_server(tmp_path, opened, caplog):
    server = RedisServer(tmp_path)
    server.kill()
    store = opened(resilient(server.url))
    assert store.state()["kind"] == "fallback"
    assert len(records(caplog)) == 1
    assert f"redis://127.0.0.1:{server.port}/0" in records(caplog)[0]
    store.add_behaviour([CLICK])
    server.start()
    wait_until(lambda: store.state()["up"])
    assert opened(RedisStore(server.url, timeout=5.0)).behaviour(["42"]) == [[CLICK]]
    server.stop()


@needs_redis
def test_values_of_one_absence_are_not_given_in_the_next(server, opened):
    store = opened(resilient(server.url))
    for value in (b"1", None):
        server.kill()
        if value:
            store.set_many({"a": value}, 60)
        assert store.get_many(["a"]) == [value]
        server.start()
        wait_until(lambda: store.state()["up"])


def test_behaviour_that_never_came_to_redis_is_told_of_in_the_end(caplog):
    store = resilient(f"redis://127.0.0.1:{free_port()}")
    store.add_behaviour([CLICK])
    store.close()
    assert "1 entries of behaviour never came to Redis" in records(caplog)[-1]


@pytest.mark.parametrize(
    "said", [b"-LOADING Redis is loading the dataset in memory\r\n", b"", b"HTTP/1.1 400\r\n", None]
)
def test_whatever_a_server_says_that_is_no_answer_it_is_asked_once(opened, said):
    connections, done = [], threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    if done.is_set():
                        return
                    continue
                connections.append(connection)
                if said is not None:
                    connection.settimeout(5)
                    connection.recv(1 << 16)
                    connection.sendall(said)
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0?retry_on_timeout=yes"
        store = opened(RedisStore(url, timeout=0.1 if said is None else 5.0))
        for _ in range(2):
            with pytest.raises(StoreDownError, match=r"Redis at redis://127\.0\.0\.1"):
                store.get_many(["a"])
        done.set()
        thread.join()
    assert len(connections) == 2
    for connection in connections:
        connection.close()


# Several processes.

COMPUTES = """
import sys, time
import redis
from rsutils.serve.store import AnswerCache, RedisStore
url, port, name = sys.argv[1:]
client = redis.Redis(port=int(port))
cache = AnswerCache(RedisStore(url, timeout=5.0), longest_wait=30.0)
def compute(positions):
    client.incr("computed")
    time.sleep(0.1)
    return [b"by one"]
client.incr("ready")
while not client.exists("go"):
    time.sleep(0.001)
value, freshness = cache.get_or_compute(["a"], compute)[0]
print(value.decode(), freshness)
"""


@needs_redis
def test_of_several_processes_one_computes(server):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COMPUTES, server.url, str(server.port), str(number)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=paths.REPOSITORY,
        )
        for number in range(3)
    ]
    with server.client() as client:
        wait_until(lambda: client.get("ready") == "3", 60)
        client.set("go", "1")
        said = [process.communicate(timeout=60)[0].strip() for process in processes]
        assert sorted(said) == ["by one hit", "by one hit", "by one miss"]
        assert client.get("computed") == "1"


@needs_redis
def test_of_several_caches_at_once_one_computes_each_answer(shared_server, opened):
    prefix, computed, barrier = own_prefix(), [], threading.Barrier(6)

    def work():
        store = opened(RedisStore(shared_server.url, prefix, timeout=5.0))
        barrier.wait()
        for number in range(20):
            # A cache that computed before would wait for others no longer than that took.
            cache = AnswerCache(store, longest_wait=30.0)

            def compute(positions, number=number):
                computed.append(number)
                time.sleep(0.002)
                return [b"%d" % number]

            assert cache.get_or_compute([str(number)], compute)[0][0] == b"%d" % number

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed == [*range(20)]
