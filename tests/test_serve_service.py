"""Batches, admission, hot swap, and the addresses of the service over an engine without a model."""

import asyncio
import inspect
import json
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsutils.serve.answers import Event, Query, UnknownNameError
from rsutils.serve.retrieval.building import KINDS
from rsutils.serve.service import events, guard, run, schema
from rsutils.serve.service.batch_cost import ENOUGH, BatchCost
from rsutils.serve.service.batching import Batcher, ClientGoneError
from rsutils.serve.service.computing import compute
from rsutils.serve.service.limits import QueueSettings, RefusedError
from rsutils.serve.service.models import (
    DamagedModelError,
    Hub,
    Serving,
    Systems,
    UnknownModelError,
)
from tests.fake_engine import FakeEngine, served, write_system


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    write_system(folder / "one", "2026-01-01")
    write_system(folder / "two", "2026-02-01")
    return folder


class Held:
    """A batcher whose engine computes only while ``gate`` is set, and whose clock stands still."""

    def __init__(self, folder, **settings):
        self.engine, self.now, self.gate = FakeEngine(folder), 100.0, threading.Event()
        self.begun, answer = threading.Event(), self.engine.answer

        def answer_later(queries):
            self.begun.set()
            assert self.gate.wait(20)
            return answer(queries)

        self.engine.answer = answer_later
        serving = Serving("one", self.engine, True)
        limits = QueueSettings(**{"deadline": 1.0, "queue": 8, "batch": 4, **settings})
        self.batcher = Batcher(lambda: serving, lambda _: None, limits, clock=lambda: self.now)

    async def begin(self, user):
        """Start a request and wait until its batch is being computed."""
        self.begun.clear()
        task = self.add(user)
        await asyncio.to_thread(self.begun.wait, 20)
        return task

    def add(self, user, gone=lambda: False):
        return asyncio.ensure_future(self.batcher.compute(Query(user), self.now, gone))


def in_loop(scenario):
    """Run a scenario with a held batcher, and end its thread."""

    def run_it(folder, **settings):
        async def whole():
            held = Held(folder, **settings)
            try:
                return await scenario(held)
            finally:
                held.gate.set()
                await held.batcher.close()

        return asyncio.run(whole())

    return run_it


def test_what_arrives_during_a_batch_makes_up_the_next_in_order(models):
    @in_loop
    async def scenario(held):
        first = await held.begin("a")
        others = [held.add(user) for user in "bcdefg"]
        await asyncio.sleep(0)
        assert held.batcher.waiting == 6
        held.gate.set()
        outcomes = await asyncio.gather(first, *others)
        return held.engine.batches, [each.batch for each in outcomes]

    batches, sizes = scenario(models / "one")
    assert batches == [["a"], ["b", "c", "d", "e"], ["f", "g"]]
    assert sizes == [1, 4, 4, 4, 4, 2, 2]


def test_requests_of_one_turn_of_the_loop_share_a_batch(models):
    @in_loop
    async def scenario(held):
        held.gate.set()
        await asyncio.gather(*[held.add(user) for user in "abc"])
        return held.engine.batches

    assert scenario(models / "one") == [["a", "b", "c"]]


def test_an_error_of_one_does_not_touch_the_others(models):
    engine = FakeEngine(models / "one")
    good, unknown, broken, other = compute(
        engine,
        [Query("1"), Query("2", history=("no-film",)), Query("broken"), lambda engine: engine.name],
    )
    assert (good.value.source, good.fallback) == ("model", False)
    assert isinstance(unknown, UnknownNameError)
    assert (broken.value.source, broken.fallback) == ("popularity", True)
    assert other.value == "one"
    assert engine.batches == [["1", "2", "broken"]]


def test_where_the_model_fails_as_a_whole_popularity_answers_and_names_are_checked(tmp_path):
    engine = FakeEngine(write_system(tmp_path / "broken", broken=True))
    answered, unknown = compute(engine, [Query("1"), Query("2", variant="fp99")])
    assert answered.value.source == "popularity"
    assert isinstance(unknown, UnknownNameError)
    engine.popular = lambda query: 1 / 0
    assert isinstance(compute(engine, [Query("1")])[0], ZeroDivisionError)


def test_too_few_answers_are_no_answers(models):
    engine = FakeEngine(models / "one")
    engine.answer = lambda queries: []
    assert [each.fallback for each in compute(engine, [Query("1"), Query("2")])] == [True, True]


def test_a_request_past_its_deadline_is_refused_and_never_computed(models):
    @in_loop
    async def scenario(held):
        first = await held.begin("a")
        late = held.add("late")
        await asyncio.sleep(0)
        held.now += 1.5
        fresh = held.add("fresh")
        await asyncio.sleep(0)
        held.gate.set()
        await asyncio.gather(first, fresh)
        with pytest.raises(RefusedError, match="could not be answered in time") as refused:
            await late
        return held.engine.batches, refused.value

    batches, refused = scenario(models / "one")
    assert batches == [["a"], ["fresh"]]
    assert (refused.status, refused.why, refused.retry_after) == (503, "deadline", 1)


def test_a_batch_that_hangs_does_not_keep_others_waiting(models):
    @in_loop
    async def scenario(held):
        first = await held.begin("a")
        held.batcher._clock = asyncio.get_running_loop().time
        held.now = held.batcher._clock()
        with pytest.raises(RefusedError, match="could not be answered in time"):
            await asyncio.wait_for(held.add("b"), 20)
        assert not first.done()

    scenario(models / "one", deadline=0.05)


def test_a_full_queue_refuses_at_once(models):
    @in_loop
    async def scenario(held):
        await held.begin("a")
        for number in range(8):
            held.add(str(number))
        await asyncio.sleep(0)
        assert held.batcher.refusal(held.now).why == "queue"
        with pytest.raises(RefusedError, match="all places in the queue are taken"):
            await held.add("9")

    scenario(models / "one")


def test_what_could_not_begin_in_time_is_refused_early_but_never_when_idle(models):
    @in_loop
    async def scenario(held):
        first = await held.begin("a")
        held.now += 30
        held.gate.set()
        await first
        assert held.batcher.expected_wait() == 0
        assert held.batcher.refusal(held.now) is None
        held.gate.clear()
        second = await held.begin("b")
        refused = held.batcher.refusal(held.now)
        assert (refused.why, refused.retry_after) == ("late", 30)
        held.now += 29.5
        assert held.batcher.refusal(held.now) is None
        held.gate.set()
        await second

    scenario(models / "one")


def test_requests_whose_clients_went_away_are_dropped(models):
    @in_loop
    async def scenario(held):
        first = await held.begin("a")
        gone, there = held.add("gone", lambda: True), held.add("there")
        cancelled = held.add("cancelled")
        await asyncio.sleep(0)
        cancelled.cancel()
        held.gate.set()
        await asyncio.gather(first, there)
        with pytest.raises(ClientGoneError):
            await gone
        return held.engine.batches

    assert scenario(models / "one") == [["a"], ["there"]]


def test_a_stopping_batcher_finishes_its_batch_and_refuses_the_rest(models):
    async def scenario():
        held = Held(models / "one")
        first = await held.begin("a")
        second = held.add("b")
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(held.batcher.close())
        await asyncio.sleep(0)
        held.gate.set()
        await closing
        assert (await first).value.source == "model"
        for task in (second, held.add("c")):
            with pytest.raises(RefusedError, match="the service stops"):
                await task

    asyncio.run(scenario())


def test_a_batch_takes_half_the_deadline_at_most(models):
    @in_loop
    async def scenario(held):
        answer = held.engine.answer

        def answer_slowly(queries):
            held.now += len(queries)
            return answer(queries)

        held.engine.answer = answer_slowly
        held.gate.set()
        await held.add("a")
        await asyncio.gather(*[held.add(user) for user in "bcd"])
        held.gate.clear()
        first = await held.begin("e")
        others = [held.add(user) for user in "fghijk"]
        await asyncio.sleep(0)
        # One is computed, and the first five of those who wait.
        assert held.batcher.expected_wait() == pytest.approx(5)
        held.gate.set()
        await asyncio.gather(first, *others)
        return [len(batch) for batch in held.engine.batches]

    assert scenario(models / "one", deadline=10.0, batch=32) == [1, 3, 1, 5, 1]


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.lists(st.integers(1, 32), min_size=2, max_size=30).filter(lambda sizes: len({*sizes}) > 1),
)
def test_the_cost_of_batches_is_found_where_it_is_a_line(fixed, each, sizes):
    cost = BatchCost()
    for size in sizes:
        cost.add(size, fixed + each * size)
    # Long after the last different size a line through one point may be flatter or steeper.
    if cost._variance > ENOUGH:
        assert cost.seconds(16) == pytest.approx(fixed + each * 16, abs=1e-6)


def test_batches_stay_large_where_small_ones_would_be_hardly_faster():
    cost = BatchCost()
    for size in (1, 8, 4, 2):
        cost.add(size, 0.060 + 0.002 * size)
    assert cost.largest(0.050, 64) == 30
    assert cost.largest(0.160, 64) == 50
    assert cost.largest(0.500, 64) == 64


@given(
    st.lists(st.tuples(st.integers(1, 32), st.floats(0, 100)), max_size=30),
    st.floats(1e-4, 10),
    st.integers(1, 64),
)
def test_whatever_batches_took_the_next_has_a_size_and_no_negative_time(batches, seconds, most):
    cost = BatchCost()
    for size, took in batches:
        cost.add(size, took)
    assert 1 <= cost.largest(seconds, most) <= most
    assert all(cost.seconds(size) >= -1e-9 for size in (1, 8, 32, 64))


@given(st.floats(0, 1e6))
def test_retry_after_is_whole_seconds_from_one(wait):
    after = RefusedError(503, "busy", "queue", wait).retry_after
    assert isinstance(after, int)
    assert max(1, wait) <= after < max(1, wait) + 1


def test_only_sealed_folders_inside_are_systems(models, tmp_path):
    write_system(tmp_path / "outside")
    (models / "linked").symlink_to(tmp_path / "outside")
    write_system(models / "half.part")
    write_system(models / ".hidden")
    (models / "empty").mkdir()
    (models / "file").write_text("")
    systems = Systems(models)
    assert systems.names() == ["one", "two"]
    assert systems.newest() == "two"
    for name in (
        "../outside",
        str(tmp_path / "outside"),
        "linked",
        "one/",
        "one\0",
        "x" * 5000,
        "",
    ):
        with pytest.raises(UnknownModelError, match="there are: one, two"):
            systems.path(name)


def test_a_system_folder_serves_itself_alone(models):
    systems = Systems(models / "one")
    assert (systems.names(), systems.newest()) == (["one"], "one")
    assert systems.path("one") == (models / "one").resolve()


def test_a_folder_without_systems_says_so(tmp_path):
    with pytest.raises(UnknownModelError, match=r"no folder with a manifest\.json in it"):
        Systems(tmp_path).newest()


def test_a_swap_keeps_the_previous_and_closes_what_nobody_uses(models):
    write_system(models / "three", "2025-01-01")

    async def scenario():
        hub = Hub(Systems(models), FakeEngine, "one")
        leased = hub.lease()
        await hub.activate("two")
        await hub.activate("two")
        assert (hub.active.name, hub.previous.name) == ("two", "one")
        await hub.activate("three")
        assert not leased.engine.closed
        hub.release(leased)
        assert leased.engine.closed
        await hub.roll_back()
        assert (hub.active.name, hub.previous.name) == ("two", "three")
        assert hub.active.warm
        hub.close()
        assert hub.active.engine.closed
        assert hub.previous.engine.closed

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "weights.bin").write_bytes(b"4321"), "weights.bin changed"),
        (lambda folder: (folder / "weights.bin").unlink(), "weights.bin is missing"),
        (lambda folder: (folder / "foreign.py").write_text("1"), "does not belong"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "is no manifest"),
    ],
)
def test_a_damaged_system_does_not_replace_the_old_one(models, tmp_path, damage, says):
    damage(models / "two")

    async def scenario():
        async with served(models, model="one") as web:
            answer = await web.client.post("/models/two/activate")
            assert answer.status_code == 409
            detail = answer.json()["detail"]
            assert says in detail
            assert str(tmp_path) not in detail
            await web.service.hub.activate_newest()
            state = (await web.client.get("/models")).json()
            assert (state["active"], state["previous"]) == ("one", None)
            assert (await web.client.get("/recommend?user=1")).json()["model"] == "one"

    asyncio.run(scenario())


def test_a_system_that_fails_while_it_is_warmed_does_not_replace_the_old_one(models):
    write_system(models / "cold", cold=True)

    async def scenario():
        hub = Hub(Systems(models), FakeEngine, "one")
        with pytest.raises(DamagedModelError, match="RuntimeError when it was read"):
            await hub.activate("cold")
        assert hub.active.name == "one"
        hub.close()

    asyncio.run(scenario())


ITEM_KEYS = {"item", "title", "categories", "score", "reason"}
ANSWER_KEYS = {"items", "source", "cache", "model", "variant", "milliseconds", "stages"}


def test_the_addresses_answer_as_agreed(models):
    async def scenario():
        async with served(models) as web:
            get, post = web.client.get, web.client.post
            found = (await get("/recommend?user=1&k=3&category=War&variant=int8")).json()
            assert found.keys() == ANSWER_KEYS
            assert [item.keys() for item in found["items"]] == [ITEM_KEYS] * 3
            assert {item["categories"][0] for item in found["items"]} == {"War"}
            assert (found["variant"], found["source"], found["model"]) == ("int8", "model", "two")
            body = {"user": None, "history": ["3"], "k": 2, "blocked": ["0"], "variant": None}
            found = (await post("/recommend", json=body)).json()
            assert [item["item"] for item in found["items"]] == ["1", "2"]
            assert len((await get("/similar?item=17&k=4")).json()["items"]) == 4
            accepted = await post("/events", json={"events": [{"user": "7", "item": "17"}] * 2})
            assert (accepted.status_code, accepted.json()) == (202, {"accepted": 2})
            assert (await get("/users/7/history?limit=1")).json() == {
                "items": [{"item": "17", "title": "Film 17", "categories": ["War"]}]
            }
            assert (await get("/health")).json() == {"status": "alive"}
            assert (await get("/ready")).json() == {
                "ready": True,
                "model": "two",
                "store": {"kind": "memory", "up": True},
                "queue": 0,
            }
            assert len((await get("/items?text=film 19&limit=2")).json()["items"]) == 2
            assert (await get("/users?limit=1")).json() == {
                "users": [{"user": "0", "interactions": 1}]
            }

    asyncio.run(scenario())


def test_models_are_swapped_and_rolled_back_over_http(models):
    async def scenario():
        async with served(models) as web:
            state = (await web.client.get("/models")).json()
            assert (state["active"], state["models"]) == ("two", ["one", "two"])
            assert (state["default_variant"], state["dataset"]) == ("fp32", "fake")
            assert state["variants"]["int8"]["quality"] == {"ndcg@10": 0.1}
            nothing = await web.client.post("/models/roll-back")
            assert nothing.status_code == 409
            swapped = await web.client.post("/models/one/activate")
            assert swapped.json() == {"active": "one", "previous": "two"}
            back = await web.client.post("/models/roll-back")
            assert back.json() == {"active": "two", "previous": "one"}
            for name in ("three", "..", "%2e%2e%2fone", "one%00", "x" * 300):
                assert (await web.client.post(f"/models/{name}/activate")).status_code == 404

    asyncio.run(scenario())


def test_an_index_is_rebuilt_over_http(models):
    async def scenario():
        async with served(models) as web:

            async def told():
                metrics = (await web.client.get("/metrics")).text
                lines = [line for line in metrics.splitlines() if "rsutils_index_version{" in line]
                return (await web.client.get("/models")).json()["index"], lines

            index, lines = await told()
            assert (index["kind"], index["version"], index["recall"]) == ("exact", 1, None)
            assert lines == ['rsutils_index_version{kind="exact"} 1.0']
            body = {"kind": "hnsw", "settings": {"neighbours": 8, "expansion": None}}
            answer = await web.client.post("/models/index", json=body)
            assert answer.status_code == 200
            rebuilt = answer.json()
            assert (rebuilt.pop("model"), rebuilt.pop("seconds") > 0) == ("two", True)
            assert (rebuilt["kind"], rebuilt["version"], rebuilt["recall"]) == ("hnsw", 2, 1)
            assert (rebuilt["settings"]["neighbours"], rebuilt["settings"]["balance"]) == (8, 0.65)
            assert await told() == (rebuilt, ['rsutils_index_version{kind="hnsw"} 2.0'])
            again = await web.client.post("/models/index", json={"settings": {"balance": 1}})
            assert (again.json()["kind"], again.json()["version"]) == ("hnsw", 3)
            assert again.json()["settings"] == {**rebuilt["settings"], "balance": 1.0}

    asyncio.run(scenario())


def test_a_refused_index_leaves_the_one_before(models):
    async def scenario():
        async with served(models) as web:
            settings = {"lists": 4, "probes": 1, "candidates": 1}
            body = {"kind": "ivf_pq", "settings": settings}
            refused = await web.client.post("/models/index", json=body)
            assert refused.status_code == 409
            assert "of the exact 10 best; expected at least 0.95" in refused.json()["detail"]
            index = (await web.client.get("/models")).json()["index"]
            assert (index["kind"], index["version"]) == ("exact", 1)

    asyncio.run(scenario())


def test_while_an_index_is_built_others_are_answered_and_the_way_back_is_open(models):
    async def scenario():
        async with served(models, model="two") as web:
            await web.client.post("/models/one/activate")
            one, rebuild = web.engine, web.engine.rebuild_index
            begun, gate = threading.Event(), threading.Event()

            def rebuild_later(*arguments, **settings):
                begun.set()
                assert gate.wait(20)
                return rebuild(*arguments, **settings)

            one.rebuild_index = rebuild_later
            asked = asyncio.ensure_future(web.client.post("/models/index", json={"kind": "hnsw"}))
            await asyncio.to_thread(begun.wait, 20)
            assert (await web.client.get("/recommend?user=1")).json()["model"] == "one"
            back = await web.client.post("/models/roll-back")
            assert back.json() == {"active": "two", "previous": "one"}
            gate.set()
            rebuilt = (await asked).json()
            assert (rebuilt["model"], rebuilt["kind"], rebuilt["version"]) == ("one", "hnsw", 2)
            assert (web.engine.name, web.engine.index.number) == ("two", 1)
            assert one.index.number == 2
            assert not web.service.hub.active.users
            await web.client.post("/models/roll-back")
            assert (await web.client.get("/models")).json()["index"]["kind"] == "hnsw"

    asyncio.run(scenario())


def test_settings_of_indexes_are_those_that_they_are_built_with():
    assert schema.INDEX_SETTINGS.keys() == KINDS.keys()
    for kind, described in schema.INDEX_SETTINGS.items():
        known = inspect.signature(KINDS[kind].build).parameters
        defaults = {name: each.default for name, each in known.items()}
        defaults.pop("vectors")
        defaults.pop("threads", None)
        fields = described.model_fields.items()
        assert {name: field.default for name, field in fields} == defaults


def test_before_the_model_is_warm_popularity_answers(models):
    async def scenario():
        async with served(models, warm=False) as web:
            ready = await web.client.get("/ready")
            assert (ready.status_code, ready.json()["ready"]) == (503, False)
            assert (await web.client.get("/recommend")).json()["source"] == "popularity"
            assert (await web.client.get("/recommend?variant=x")).status_code == 422
            similar = await web.client.get("/similar?item=1")
            assert (similar.status_code, similar.headers["retry-after"]) == (503, "1")

    asyncio.run(scenario())


def test_metrics_count_what_happened(models):
    async def scenario():
        async with served(models) as web:
            await web.client.get("/recommend?user=1")
            await web.client.get("/recommend?user=broken")
            await web.client.get("/recommend?k=0")
            await web.client.get("/users/secret-user/history")
            web.service.batcher.refusal = lambda arrived: RefusedError(503, "x", "late", 3)
            refused = await web.client.get("/recommend?user=1")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "3")
            return (await web.client.get("/metrics")).text

    text = asyncio.run(scenario())
    for line in (
        'rsutils_requests_total{route="/recommend",status="200"} 2.0',
        'rsutils_requests_total{route="/recommend",status="422"} 1.0',
        'rsutils_requests_total{route="/recommend",status="503"} 1.0',
        'rsutils_requests_total{route="/users/{user}/history",status="200"} 1.0',
        'rsutils_request_seconds_bucket{le="0.0005",route="/recommend"}',
        "rsutils_batch_size_count 2.0",
        'rsutils_cache_total{outcome="miss"} 2.0',
        'rsutils_refused_total{reason="late"} 1.0',
        "rsutils_fallback_total 1.0",
        'rsutils_model_info{model="two"} 1.0',
        "rsutils_queue_length 0.0",
        "rsutils_store_up 1.0",
    ):
        assert line in text
    assert "secret-user" not in text


def test_a_request_leaves_one_line_without_anything_personal(models, caplog):
    async def scenario():
        async with served(models) as web:
            answer = await web.client.get("/recommend?user=secret-user&category=War")
            await web.client.get("/recommend?user=broken")
            await web.client.post("/recommend", json={"history": ["secret-item"]})
            await web.client.post(
                "/events", json={"events": [{"user": "secret-user", "item": "1"}]}
            )
            await web.client.get("/users/secret-user/history")
            await web.client.get("/secret-path?secret-query")
        return web.printed.getvalue(), answer

    printed, answer = asyncio.run(scenario())
    lines = [json.loads(line) for line in printed.splitlines()]
    assert [(line["route"], line["status"]) for line in lines] == [
        ("/recommend", 200),
        ("/recommend", 200),
        ("/recommend", 422),
        ("/events", 202),
        ("/users/{user}/history", 200),
        ("other", 404),
    ]
    assert lines[0].keys() == {
        *("time", "route", "status", "ms", "request", "batch", "cache", "model", "variant")
    }
    assert lines[0]["request"] == answer.headers["x-request-id"]
    assert "secret" not in printed + caplog.text
    assert "RuntimeError" in caplog.text
    assert "127.0.0.1" not in printed


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "evil.example:8000"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": ""}, 403),
        ({"host": "[::1"}, 403),
        ({"origin": "http://127.0.0.1"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_pages_of_other_sites_cannot_swap_models(models, headers, status):
    async def scenario():
        async with served(models) as web:
            return (await web.client.post("/models/one/activate", headers=headers)).status_code

    assert asyncio.run(scenario()) == status


def test_a_foreign_name_for_this_machine_reads_nothing(models):
    async def scenario():
        async with served(models) as web:
            for path in ("/users", "/", "/metrics", "/openapi.json"):
                answer = await web.client.get(path, headers={"host": "evil.example"})
                assert answer.status_code == 403
                assert "expected 127.0.0.1" in answer.json()["detail"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("host", "token", "caller", "authorization", "status"),
    [
        ("127.0.0.1", None, "127.0.0.1", None, 200),
        ("127.0.0.1", None, "10.0.0.5", None, 403),
        ("0.0.0.0", None, "127.0.0.1", None, 403),
        ("0.0.0.0", "s3cret", "10.0.0.5", "Bearer s3cret", 200),
        ("0.0.0.0", "s3cret", "10.0.0.5", "Bearer wrong", 403),
        ("0.0.0.0", "s3cret", "127.0.0.1", None, 403),
        ("0.0.0.0", "s3cret", "127.0.0.1", "Basic s3cret", 403),
        ("127.0.0.1", "s3cret", "127.0.0.1", None, 403),
        ("127.0.0.1", "s3cret", "127.0.0.1", "Bearer s3cret", 200),
    ],
)
def test_who_may_swap_models(models, monkeypatch, host, token, caller, authorization, status):
    if token:
        monkeypatch.setenv("RSUTILS_ADMIN_TOKEN", token)
    else:
        monkeypatch.delenv("RSUTILS_ADMIN_TOKEN", raising=False)
    headers = {"authorization": authorization} if authorization else {}

    async def scenario():
        async with served(models, host=host, caller=caller) as web:
            return [
                (await web.client.post(path, headers=headers, json=body)).status_code
                for path, body in (
                    ("/models/one/activate", None),
                    ("/models/roll-back", None),
                    ("/models/index", {}),
                )
            ]

    assert asyncio.run(scenario()) == [status] * 3


@pytest.mark.parametrize(
    ("host", "authorization", "status"),
    [
        ("127.0.0.1", None, 200),
        ("0.0.0.0", None, 403),
        ("0.0.0.0", "Bearer wrong", 403),
        ("0.0.0.0", "Bearer s3cret", 200),
    ],
)
def test_who_may_see_what_users_took(models, monkeypatch, host, authorization, status):
    monkeypatch.setenv("RSUTILS_ADMIN_TOKEN", "s3cret")
    headers = {"authorization": authorization} if authorization else {}

    async def scenario():
        async with served(models, host=host, caller="10.0.0.5") as web:
            return [
                (await web.client.get(path, headers=headers)).status_code
                for path in ("/users", "/users/1/history")
            ]

    assert asyncio.run(scenario()) == [status] * 2


def test_addresses_of_this_machine():
    assert all(map(guard.is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(guard.is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org", "")))


def test_every_answer_is_kept_from_frames_and_sniffing(models):
    async def scenario():
        async with served(models) as web:
            for path in ("/health", "/nothing", "/", "/docs", "/recommend?k=0"):
                headers = (await web.client.get(path)).headers
                policy = headers["content-security-policy"]
                assert "default-src 'self'" in policy
                assert "frame-ancestors 'none'" in policy
                assert headers["x-content-type-options"] == "nosniff"
                assert headers["referrer-policy"] == "no-referrer"

    asyncio.run(scenario())


def test_the_documentation_fetches_nothing_from_elsewhere(models):
    async def scenario():
        async with served(models) as web:
            return await web.client.get("/docs"), (await web.client.get("/openapi.json")).json()

    page, document = asyncio.run(scenario())
    assert "<script" not in page.text
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.text)
    assert page.text.count("<h2><code>") == sum(map(len, document["paths"].values())) == 14
    kinds = ("ExactSettings", "HNSWSettings", "IVFPQSettings")
    for name in ("RecommendBody", "EventBody", "AnswerBody", "ErrorBody", "IndexBody", *kinds):
        assert f'id="{name}"' in page.text
        assert name in document["components"]["schemas"]
    assert all(f'href="#{kind}"' in page.text for kind in kinds)


def test_without_the_page_the_rest_works(models, monkeypatch):
    monkeypatch.setattr("rsutils.serve.service.app.PAGE", Path("/nowhere"))

    async def scenario():
        async with served(models) as web:
            for path in ("/", "/page/page.js"):
                answer = await web.client.get(path)
                assert answer.status_code == 404
                assert answer.json()["detail"]
            assert (await web.client.get("/health")).status_code == 200

    asyncio.run(scenario())


class SlowLog:
    """Keeps events in memory; ``append`` waits for ``gate``, and fails where ``full`` is set."""

    def __init__(self):
        self.writes, self.full, self.gate = [], False, threading.Event()
        self.begun = threading.Event()

    def append(self, entries):
        self.begun.set()
        assert self.gate.wait(20)
        if self.full:
            raise OSError("no space left on device")
        self.writes.append([entry["user"] for entry in entries])

    def read(self):
        return []

    def close(self):
        pass


def test_events_that_arrive_during_a_write_share_the_next(models):
    log = SlowLog()

    async def scenario():
        async with served(models, log) as web:

            def send(user, item="1"):
                body = {"events": [{"user": user, "item": item}]}
                return asyncio.ensure_future(web.client.post("/events", json=body))

            first = send("a")
            await asyncio.to_thread(log.begun.wait, 20)
            others = [send("b"), send("c"), send("x", "no-film"), send("d")]
            while len(web.service.events._pending) < 4:
                await asyncio.sleep(0.001)
            assert not web.engine.recorded
            log.gate.set()
            answers = await asyncio.gather(first, *others)
            assert [each.status_code for each in answers] == [202, 202, 202, 422, 202]
            assert "no-film" in answers[3].json()["detail"]
            assert {each.user for each in web.engine.recorded.values()} == set("abcd")

    asyncio.run(scenario())
    assert log.writes == [["a"], ["b", "c", "d"]]


def test_events_that_cannot_be_written_are_not_acknowledged(models):
    log = SlowLog()
    log.full = True
    log.gate.set()

    async def scenario():
        async with served(models, log) as web:
            body = {"events": [{"user": "a", "item": "1"}]}
            answer = await web.client.post("/events", json=body)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert not web.engine.recorded
            log.full = False
            assert (await web.client.post("/events", json=body)).status_code == 202

    asyncio.run(scenario())


def test_events_on_disk_are_told_again_and_unknown_items_passed_over(models):
    class Log:
        def read(self):
            for number in range(1203):
                item = "gone" if number in (5, 700) else str(number % 200)
                yield {"user": "a", "item": item, "kind": "click", "id": str(number), "time": 1.0}

    engine = FakeEngine(models / "one")
    assert events.replay(Log(), engine) == (1201, 2)
    assert events.replay(Log(), engine) == (1201, 2)
    assert len(engine.recorded) == 1201
    assert engine.recorded["0"] == Event("a", "0", "click", "0", 1.0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"port": 70_000}, "port is 70000"),
        ({"deadline_ms": 0}, "deadline-ms is 0"),
        ({"queue": 0}, "queue is 0"),
        ({"batch": -1}, "batch is -1"),
        ({"log_level": "loud"}, "log-level is 'loud'"),
        ({"models": Path("/nowhere")}, "is no folder"),
    ],
)
def test_wrong_options_are_refused(tmp_path, wrong, says):
    with pytest.raises(ValueError, match=says):
        run.Options(**{"models": tmp_path, **wrong})
