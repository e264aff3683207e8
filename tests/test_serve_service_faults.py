"""The service as a process: stops, kills, overload, damage, clients that misbehave."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from itertools import count

import httpx
import pytest
import uvicorn

from rsutils import __main__ as command_line
from rsutils.serve.answers import Query
from rsutils.serve.engine import Engine
from rsutils.serve.service import protocol
from rsutils.serve.service.child import running
from rsutils.serve.store import EventLog
from tests.fake_engine import COMMAND, DELAY, GATE, write_system
from tests.searched_system import KINDS, TOO_LITTLE, searched_system


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    write_system(folder / "one", "2026-01-01")
    write_system(folder / "two", "2026-02-01")
    return folder


def slow(seconds):
    """Environment in which a batch takes so long."""
    return {DELAY: str(seconds)}


def many_connections(url):
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(base_url=url, limits=limits, timeout=30)


def gated(gate):
    """Environment in which batches wait until the file ``gate`` is there."""
    return {GATE: str(gate)}


def get(service, path):
    """Status and body, without httpx, which takes long to set itself up."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def waiting(service):
    return json.loads(get(service, "/ready")[1])["queue"]


def is_closed(service):
    try:
        socket.create_connection(("127.0.0.1", service.port)).close()
    except ConnectionRefusedError:
        return True
    return False


async def until(condition, seconds=20):
    due = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < due, "it did not happen"
        await asyncio.sleep(0.01)


def state(service):
    return json.loads(get(service, "/models")[1])


def lines(service, route):
    """Log lines of a route; the rest of the output is no JSON."""
    found = [json.loads(line) for line in service.output().splitlines() if line.startswith("{")]
    return [line for line in found if line.get("route") == route]


def test_a_stop_under_load_finishes_what_was_begun(models, tmp_path):
    path, gate = tmp_path / "events.jsonl", tmp_path / "gate"

    async def load(service):
        async with many_connections(service.url) as client:
            asked = [
                asyncio.ensure_future(client.get(f"/recommend?user={number}"))
                for number in range(40)
            ]
            # One is computed, the others wait.
            await until(lambda: waiting(service) == 39)
            told = [asyncio.ensure_future(tell(client, number)) for number in range(40)]
            await until(lambda: path.stat().st_size)
            service.process.send_signal(signal.SIGTERM)
            await until(lambda: is_closed(service))
            gate.touch()
            return await asyncio.gather(*asked), await asyncio.gather(*told)

    async def tell(client, number):
        body = {"events": [{"user": "1", "item": "1", "id": f"e{number}"}]}
        try:
            return (await client.post("/events", json=body)).status_code, f"e{number}"
        except httpx.TransportError:
            return None, f"e{number}"

    with running(
        models, COMMAND, gated(gate), events=path, deadline_ms=60_000, batch=1, grace=60
    ) as service:
        answers, told = asyncio.run(load(service))
        assert [answer.status_code for answer in answers] == [200] * 40
        assert all(len(answer.json()["items"]) == 10 for answer in answers)
        assert service.stop() == 0
        printed = service.output()
    assert "Traceback" not in printed
    acknowledged = {event for status, event in told if status == 202}
    assert acknowledged
    with EventLog(path) as log:
        assert acknowledged <= {event["id"] for event in log.read()}


def test_a_stop_does_not_wait_for_ever(models):
    with (
        running(models, COMMAND, grace=1) as service,
        socket.create_connection(("127.0.0.1", service.port)) as connection,
    ):
        # A client that never sends the body that it announced.
        connection.sendall(
            b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
            b"Content-Type: application/json\r\n\r\n"
        )
        time.sleep(0.2)
        assert service.stop() == 0


def test_after_a_kill_every_acknowledged_event_is_there(models, tmp_path):
    path = tmp_path / "events.jsonl"
    acknowledged = []

    async def tell(client, number):
        for part in range(1000):
            event = {"user": "7", "item": str(part % 200), "id": f"{number}-{part}"}
            try:
                answer = await client.post("/events", json={"events": [event]})
            except httpx.TransportError:
                return
            assert answer.status_code == 202
            acknowledged.append(event["id"])

    async def load(service):
        async with many_connections(service.url) as client:
            tasks = [asyncio.ensure_future(tell(client, number)) for number in range(8)]
            await until(lambda: len(acknowledged) > 100)
            service.process.kill()
            await asyncio.gather(*tasks)

    with running(models, COMMAND, events=path) as service:
        asyncio.run(load(service))
    with path.open("ab") as file:
        file.write(b'{"user": "7", "it')  # as a kill in the middle of a write leaves it
    with running(models, COMMAND, events=path) as service:
        history = json.loads(get(service, "/users/7/history?limit=500")[1])["items"]
    with EventLog(path) as log:
        kept = [event["id"] for event in log.read()]
    assert set(acknowledged) <= set(kept)
    assert len(history) == min(500, len(kept))


def test_twice_the_load_is_answered_in_time_or_refused_politely(models):
    deadline, seconds, rate = 0.5, 3.0, 100  # 20 ms one by one: 50 requests a second

    async def load(service):
        async def ask(client, number, begin):
            await asyncio.sleep(begin + number / rate - loop.time())
            answer = await client.get(f"/recommend?user={number}")
            return answer.status_code, answer.headers, answer.json()

        loop = asyncio.get_running_loop()
        async with many_connections(service.url) as client:
            begin = loop.time()
            return await asyncio.gather(
                *[ask(client, number, begin) for number in range(int(seconds * rate))]
            )

    with running(models, COMMAND, slow(0.02), deadline_ms=1000 * deadline, batch=1) as service:
        answers = asyncio.run(load(service))
        metrics = get(service, "/metrics")[1].decode()
        # Whoever comes after the storm is answered.
        assert get(service, "/recommend?user=1")[0] == 200
    statuses = [status for status, _, _ in answers]
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= seconds * 50 / 3
    took = sorted(body["milliseconds"] for status, _, body in answers if status == 200)
    assert took[int(0.99 * len(took))] < 1000 * deadline + 250
    for status, headers, body in answers:
        if status == 503:
            assert int(headers["retry-after"]) >= 1
            assert "Try again later" in body["detail"]
    assert 'rsutils_refused_total{reason="late"}' in metrics


def test_refusals_leave_the_connection_open(models, tmp_path):
    gate = tmp_path / "gate"
    heads = []
    with (
        running(models, COMMAND, gated(gate), deadline_ms=500, batch=1) as service,
        socket.create_connection(("127.0.0.1", service.port), timeout=20) as first,
        socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection,
        connection.makefile("rb") as file,
    ):
        first.sendall(b"GET /recommend HTTP/1.1\r\nHost: localhost\r\n\r\n")
        asyncio.run(until(lambda: first_is_begun(service)))
        body = b"{" + b" " * 100_000 + b"}"
        for method, content in (("GET", b""), ("POST", body), ("GET", b"")):
            connection.sendall(
                f"{method} /recommend HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode()
                + content
            )
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += file.readline()
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            assert json.loads(file.read(length))["detail"]
            heads.append(head.lower())
        gate.touch()
    assert [head.split()[1] for head in heads] == [b"503"] * 3
    assert all(b"connection: close" not in head for head in heads)
    assert all(b"retry-after: " in head for head in heads)


def first_is_begun(service):
    """Whether another request has to wait."""
    return get(service, "/recommend")[0] == 503


def test_swaps_under_load_fail_for_nobody(models):
    seen = set()

    async def load(service):
        stop = asyncio.Event()

        async def ask(client):
            while not stop.is_set():
                answer = await client.get("/recommend?user=1")
                assert answer.status_code == 200, answer.text
                seen.add(answer.json()["model"])

        async with many_connections(service.url) as client:
            tasks = [asyncio.ensure_future(ask(client)) for _ in range(8)]
            for name in ("one", "two", "one", "two"):
                swapped = await client.post(f"/models/{name}/activate")
                assert swapped.status_code == 200
                assert swapped.json()["active"] == name
                await asyncio.sleep(0.05)
                back = await client.post("/models/roll-back")
                assert back.status_code == (200 if back.json().get("active") else 409)
                await asyncio.sleep(0.05)
            stop.set()
            await asyncio.gather(*tasks)

    with running(models, COMMAND, slow(0.005), model="one", deadline_ms=20_000) as service:
        asyncio.run(load(service))
        assert "Traceback" not in service.output()
        assert service.stop() == 0
    assert seen == {"one", "two"}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    return searched_system(tmp_path_factory.mktemp("models") / "searched-1")


QUERIES = [
    *(Query(user=str(user)) for user in range(24)),
    Query(user="4", k=15, categories=("Love",)),
    Query(history=("1", "4"), k=7),
    Query(user="7", blocked=("2", "3")),
]


def asked(query):
    """A query as the body of a request."""
    return {
        "user": query.user,
        "history": query.history,
        "k": query.k,
        "categories": query.categories,
        "blocked": query.blocked,
    }


def right_lists(folder):
    """What exact search gives."""
    return [[each.item for each in answer.items] for answer in Engine(folder).answer(QUERIES)]


def test_indexes_that_take_over_under_load_fail_for_nobody(searched, tmp_path):
    path, rounds = tmp_path / "events.jsonl", 4
    expected, wrong, acknowledged, caches = right_lists(searched), [], [], []

    turns = count()

    async def ask(client, stop):
        while not stop.is_set():
            place = next(turns) % len(QUERIES)
            answer = await client.post("/recommend", json=asked(QUERIES[place]))
            assert answer.status_code == 200, answer.text
            found = answer.json()
            caches.append(found["cache"])
            if [each["item"] for each in found["items"]] != expected[place]:
                wrong.append((place, found))
            assert found["source"] == "model"

    async def tell(client, number, stop):
        while not stop.is_set():
            event = {"user": f"new-{number}", "item": str(len(acknowledged) % 300)}
            event["id"] = f"{number}-{len(acknowledged)}"
            answer = await client.post("/events", json={"events": [event]})
            assert answer.status_code == 202, answer.text
            acknowledged.append(event)
            await asyncio.sleep(0.002)

    async def load(service):
        stop = asyncio.Event()
        async with many_connections(service.url) as client:
            tasks = [asyncio.ensure_future(ask(client, stop)) for _ in range(4)]
            tasks += [asyncio.ensure_future(tell(client, n, stop)) for n in range(2)]
            for number in range(rounds * len(KINDS)):
                kind, settings = KINDS[number % len(KINDS)]
                body = {"kind": kind, "settings": settings}
                rebuilt = await client.post("/models/index", json=body)
                assert rebuilt.status_code == 200, rebuilt.text
                told = rebuilt.json()
                assert (told["kind"], told["version"], told["recall"]) == (kind, number + 2, 1)
                # Each query is asked at least once of this index.
                before = len(caches)
                await until(lambda before=before: len(caches) > before + 2 * len(QUERIES))
                assert not [task for task in tasks if task.done()]
            stop.set()
            await asyncio.gather(*tasks)

    with running(searched, events=path, deadline_ms=20_000) as service:
        asyncio.run(load(service))
        told = json.loads(get(service, "/users/new-0/history?limit=500")[1])["items"]
        assert "Traceback" not in service.output()
        assert service.stop() == 0
    assert not wrong
    assert {*caches} >= {"hit", "miss"}
    assert caches.count("miss") >= rounds * len(KINDS) * len(QUERIES)
    with EventLog(path) as log:
        kept = [event["id"] for event in log.read()]
    assert sorted(kept) == sorted(event["id"] for event in acknowledged)
    assert told[0]["item"] == [e["item"] for e in acknowledged if e["user"] == "new-0"][-1]


def test_an_index_that_is_refused_leaves_lists_as_they_were(searched):
    expected = right_lists(searched)

    async def lists(client):
        answers = [await client.post("/recommend", json=asked(query)) for query in QUERIES]
        found = [answer.json() for answer in answers]
        return [[each["item"] for each in one["items"]] for one in found], {
            one["cache"] for one in found
        }

    async def load(service):
        async with many_connections(service.url) as client:
            assert await lists(client) == (expected, {"miss"})
            for kind, settings in (TOO_LITTLE, ("ivf_pq", {"lists": 8, "probes": 1})):
                body = {"kind": kind, "settings": settings}
                refused = await client.post("/models/index", json=body)
                assert refused.status_code == 409
                assert "of the exact 20 best" in refused.json()["detail"]
            assert await lists(client) == (expected, {"hit"})

    with running(searched, deadline_ms=20_000) as service:
        asyncio.run(load(service))
        index = state(service)["index"]
        assert (index["kind"], index["version"], index["recall"]) == ("exact", 1, None)
        assert 'rsutils_index_version{kind="exact"} 1.0' in get(service, "/metrics")[1].decode()


def test_a_system_that_is_damaged_meanwhile_is_not_taken(models):
    with running(models, COMMAND, model="one") as service:
        (models / "two" / "weights.bin").write_bytes(b"\0" * 4)
        answer = httpx.post(f"{service.url}/models/two/activate")
        assert answer.status_code == 409
        assert "weights.bin changed" in answer.json()["detail"]
        assert state(service)["active"] == "one"
        assert json.loads(get(service, "/recommend?user=1")[1])["model"] == "one"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_hang_up_takes_the_newest(models):
    with running(models, COMMAND, model="one") as service:
        write_system(models / "three", "2026-03-01")
        service.process.send_signal(signal.SIGHUP)
        asyncio.run(until(lambda: state(service)["active"] == "three"))
        write_system(models / "four", "2026-04-01")
        (models / "four" / "weights.bin").unlink()
        service.process.send_signal(signal.SIGHUP)
        asyncio.run(until(lambda: "The newest model is not activated" in service.output()))
        assert state(service)["active"] == "three"


def test_requests_of_clients_that_left_are_not_computed(models, tmp_path):
    gate = tmp_path / "gate"

    def ask():
        connection = socket.create_connection(("127.0.0.1", service.port), timeout=20)
        connection.sendall(b"GET /recommend HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return connection

    with running(models, COMMAND, gated(gate), batch=1, deadline_ms=60_000) as service:
        there = [ask(), ask()]
        asyncio.run(until(lambda: waiting(service) == 1))
        gone = [ask() for _ in range(5)]
        asyncio.run(until(lambda: waiting(service) == 6))
        for connection in gone:
            connection.close()
        assert waiting(service) == 6
        gate.touch()
        asyncio.run(until(lambda: len(lines(service, "/recommend")) == 7))
        for connection in there:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            connection.close()
        found = sorted(line["status"] for line in lines(service, "/recommend"))
        assert found == [200] * 2 + [499] * 5
        assert "rsutils_batch_size_count 2.0" in get(service, "/metrics")[1].decode()


def test_clients_that_never_finish_their_headers_are_let_go(monkeypatch):
    monkeypatch.setattr(protocol, "PATIENCE", 0.2)

    async def app(scope, receive, send):
        assert protocol.ARRIVED in scope
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    async def scenario():
        config = uvicorn.Config(
            app, http=protocol.Protocol, port=0, lifespan="off", log_config=None, ws="none"
        )
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server._serve())
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        for sent in (b"", b"GET / HTTP/1.1\r\nHost: lo"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.3)  # an idle connection is none that does not finish
        writer.close()
        server.should_exit = True
        await serving

    asyncio.run(scenario())


def test_a_taken_port_is_said_at_once(models, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert command_line.main(["serve", str(models), "--port", str(port)]) == 1
    assert f"127.0.0.1:{port} is taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (["--model", "three"], "There is no model 'three'; there are: one, two", 2),
        (["--queue", "0"], "queue is 0", 2),
        (["--port", "x"], "invalid int value: 'x'", 2),
        (["--unknown"], "unrecognized arguments", 2),
        (["--host", "no.such.host.invalid"], "cannot be bound", 1),
    ],
)
def test_wrong_calls_end_with_a_sentence(models, arguments, says, code):
    call = [*COMMAND, str(models), "--port", "0", *arguments]
    ended = subprocess.run(call, capture_output=True, text=True, timeout=60)
    assert ended.returncode == code
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("content", [{"cold": True}, {}])
def test_a_system_that_cannot_be_served_ends_the_start(tmp_path, content):
    folder = write_system(tmp_path / "models" / "bad", **content)
    if not content:
        (folder / "weights.bin").write_bytes(b"4321")
    with (
        pytest.raises(RuntimeError, match=r"(?s)exit code 1.*(weights\.bin changed|warmed up)"),
        running(tmp_path / "models", COMMAND),
    ):
        pass


def test_two_services_do_not_share_a_file_of_events(models, tmp_path):
    path = tmp_path / "events.jsonl"
    with (
        running(models, COMMAND, events=path),
        pytest.raises(RuntimeError, match="is appended to by another process"),
        running(models, COMMAND, events=path),
    ):
        pass


def test_nothing_is_left_behind(models, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    with running(models, COMMAND) as service:
        assert get(service, "/ready")[0] == 200
        assert [*(tmp_path / "tmp").iterdir()]
        pid = service.pid
    assert not [*(tmp_path / "tmp").iterdir()]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
