"""Faults under load, with a real system, a real service and a real Redis."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from rsutils.measure import Request, load_test
from rsutils.serve.service import running
from tests.redis_server import PROGRAM, REASON, RedisServer
from tests.small_system import N_ITEMS, N_USERS, small_system

RATE, SECONDS = 120, 4.0


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    small_system(folder / "small-1")
    small_system(folder / "small-2", seed=1, index="hnsw")
    shutil.copytree(folder / "small-1", folder / "broken")
    path = folder / "broken" / "rankers" / "fp32.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    return folder


def visits(n):
    """Recommendations, clicks of people who come once, similar items, by turns."""
    made = []
    for number in range(n):
        item = number % N_ITEMS
        event = {"user": f"new-{number}", "item": str(item), "kind": "click", "id": f"e{number}"}
        made += [
            Request("GET", f"/recommend?user={number % N_USERS}&k=5"),
            Request("POST", "/events", json.dumps({"events": [event]})),
            Request("GET", f"/recommend?user=new-{number}&k=5"),
            Request("GET", f"/similar?item={item}&k=5"),
        ]
    return made


def under_load(service, requests, *faults):
    """Run each of ``faults`` while requests come; they start a second apart."""
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(load_test, service.url, requests, RATE, SECONDS, 32)
        for fault in faults:
            time.sleep(1)
            fault()
        return load.result()


@pytest.mark.skipif(PROGRAM is None, reason=REASON)
def test_redis_is_killed_and_comes_back_empty_under_load(models, tmp_path):
    requests = visits(400)
    redis = RedisServer(tmp_path)
    try:
        with running(
            models, model="small-1", env={"REDIS_URL": redis.url}, deadline_ms=2000
        ) as service:
            assert get(service, "/ready")["store"]["failures"] == 0
            load = under_load(service, requests, redis.kill, redis.start)
            assert set(load.statuses) == {200, 202}, service.output()[-3000:]
            wait_until(lambda: get(service, "/ready")["store"]["up"])
            assert get(service, "/ready")["store"]["failures"] > 0
            acknowledged = [requests[row] for row in load.request[load.status == 202]]
            assert len(acknowledged) > 50
            for request in acknowledged:
                event = json.loads(request.body)["events"][0]
                seen = get(service, f"/users/{event['user']}/history")["items"]
                assert [each["item"] for each in seen] == [event["item"]]
    finally:
        redis.stop()


def test_models_are_swapped_and_a_damaged_one_refused_under_load(models):
    said = []
    with running(models, model="small-1", deadline_ms=2000) as service:

        def post(path):
            answer = httpx.post(f"{service.url}/models/{path}", timeout=30)
            said.append((answer.status_code, answer.json()))

        load = under_load(
            service,
            visits(400),
            lambda: post("broken/activate"),
            lambda: post("small-2/activate"),
            lambda: post("roll-back"),
        )
        assert set(load.statuses) == {200, 202}, service.output()[-3000:]
        assert [status for status, _ in said] == [409, 200, 200]
        assert "fp32.onnx" in said[0][1]["detail"]
        assert said[1][1] == {"active": "small-2", "previous": "small-1"}
        assert said[2][1]["active"] == "small-1"
        answer = get(service, "/recommend?user=4&k=3")
        assert (answer["model"], answer["source"], len(answer["items"])) == ("small-1", "model", 3)


def test_events_outlive_the_service(models, tmp_path):
    events = tmp_path / "events.jsonl"
    with running(models, model="small-1", events=events) as service:
        event = {"user": "somebody", "item": "7"}
        answer = httpx.post(f"{service.url}/events", json={"events": [event]})
        assert answer.status_code == 202
        service.process.kill()
        service.process.wait()
    with running(models, model="small-2", events=events) as service:
        seen = get(service, "/users/somebody/history")["items"]
        assert [each["item"] for each in seen] == ["7"]


def get(service, path):
    answer = httpx.get(f"{service.url}{path}", timeout=10)
    assert answer.status_code in (200, 503), answer.text
    return answer.json()


def wait_until(condition, seconds=10):
    due = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < due
        time.sleep(0.05)
