"""Nasty requests get a sentence and a status of their own, and never an error of the service."""

import asyncio
import http.client
import json
import socket

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from rsutils.serve.service.child import running
from rsutils.serve.service.documents import ADDRESSES
from tests.fake_engine import COMMAND, served, write_system

EXAMPLES = 50


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_system(folder / "one")
    write_system(folder / "two")
    # Requests are many and the machine may be busy; here only what they ask for is refused.
    with running(folder, COMMAND, deadline_ms=20_000) as service:
        yield service
        answer = call(service, "GET", "/metrics")[2]
        assert b"rsutils_failures_total{" not in answer
        assert service.stop() == 0


def call(service, method, target, body=None, headers=()):
    """Status, headers and body of one request that is sent as it is written."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def raw(service, data):
    """All that comes back for bytes that need not be HTTP."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(1 << 16):
            parts.append(part)
        return b"".join(parts)


JSON = (("Content-Type", "application/json"),)

QUERIES = [
    ("/recommend?k=0", "k is 0; it should be greater than or equal to 1"),
    ("/recommend?k=101", "less than or equal to 100"),
    ("/recommend?k=-1", "k is '-1'; it should be a valid integer"),
    ("/recommend?k=1.5", "k is '1.5'"),
    ("/recommend?k=", "k is ''"),
    ("/recommend?k=ten", "k is 'ten'"),
    ("/recommend?k=%D9%A3", "k is"),
    ("/recommend?k=99999999999999999999999999", "k is"),
    ("/recommend?k=1&k=2", "'k' stands in the query twice"),
    ("/recommend?user=1&user=1", "'user' stands in the query twice"),
    ("/recommend?user=", "user is ''"),
    ("/recommend?user=a%20b", "user is 'a b'"),
    ("/recommend?user=a%00", "user is"),
    ("/recommend?user=../../etc/passwd", "user is"),
    ("/recommend?user=%F0%9F%8E%AC", "user is"),
    ("/recommend?user=a%0A", "user is"),
    ("/recommend?user=" + "x" * 65, "at most 64 characters"),
    ("/recommend?user=%ff", "is not UTF-8"),
    ("/recommend?users=1", "There is no field 'users'; expected one of: user, k"),
    ("/recommend?history=1", "There is no field 'history'"),
    ("/recommend?" + "&".join(f"a{n}=1" for n in range(100)), "over 64 fields"),
    ("/recommend?" + "&".join(["category=War"] * 21), "at most 20 items"),
    ("/recommend?category=" + "x" * 65, "at most 64 characters"),
    ("/recommend?category=Nothing", "There is no category 'Nothing'"),
    ("/recommend?category=", "category.0 is ''"),
    ("/recommend?variant=fp99", "There is no variant 'fp99'"),
    ("/similar", "item is missing"),
    ("/similar?item=1&category=Nothing", "There is no category 'Nothing'"),
    ("/similar?item=1&user=1", "There is no field 'user'"),
    ("/items?text=" + "x" * 201, "at most 200 characters"),
    ("/items?limit=0", "limit is 0"),
    ("/users?limit=1000", "limit is 1000"),
    ("/users/a%20b/history", "user is 'a b'"),
    ("/users/%00/history", "user is"),
    ("/users/" + "x" * 65 + "/history", "user is"),
    ("/users/1/history?limit=x", "limit is 'x'"),
    ("/models?x=1", "There is no field 'x'; expected one of: none"),
]


@pytest.mark.parametrize(("target", "says"), QUERIES, ids=[each[0][:40] for each in QUERIES])
def test_wrong_queries_are_refused_by_a_sentence(service, target, says):
    status, headers, body = call(service, "GET", target)
    assert (status, headers["Content-Type"]) == (422, "application/json")
    detail = json.loads(body)["detail"]
    assert says in detail
    assert detail.endswith(".")
    assert len(detail) < 400


BODIES = [
    (b"", "cannot be read"),
    (b"{", "cannot be read"),
    (b"null", "should be an object"),
    (b"[]", "should be an object"),
    (b'"x"', "should be an object"),
    (b"\xff\xfe", "cannot be read"),
    (b'{"user": "\xff"}', "cannot be read"),
    (b'{"user": "\\ud800"}', "cannot be read"),
    (b'{"user": 42}', "user is 42; it should be a valid string"),
    (b'{"user": true}', "user is True"),
    (b'{"user": {"$ne": 1}}', "user is {'$ne': 1}"),
    (b'{"k": "10"}', "k is '10'; it should be a valid integer"),
    (b'{"k": true}', "k is True"),
    (b'{"k": null}', "k is None"),
    (b'{"k": NaN}', "k is nan"),
    (b'{"k": Infinity}', "k is inf"),
    (b'{"k": 1e400}', "k is"),
    (b'{"k": 1.5}', "k is 1.5"),
    (b'{"k": ' + b"9" * 5000 + b"}", "number out of range"),
    (b'{"history": "3"}', "history is '3'"),
    (b'{"history": [3]}', "history.0 is 3"),
    (b'{"history": [null]}', "history.0 is None"),
    (b'{"history": [["3"]]}', "history.0 is ['3']"),
    (b'{"history": ["no-film"]}', "There is no item 'no-film'"),
    (b'{"blocked": ["no-film"]}', "There is no item 'no-film'"),
    (b'{"categories": ["Nothing"]}', "There is no category 'Nothing'"),
    (b'{"variant": "fp99"}', "There is no variant 'fp99'"),
    (b'{"admin": true}', "There is no field 'admin'"),
    (b'{"user": "1"} {"user": "2"}', "cannot be read"),
    (json.dumps({"history": ["1"] * 501}).encode(), "at most 500 items"),
    (json.dumps({"blocked": ["1"] * 1001}).encode(), "at most 1000 items"),
    (json.dumps({"categories": ["War"] * 21}).encode(), "at most 20 items"),
    (b"[" * 100_000, "cannot be read"),
    (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "cannot be read"),
]


@pytest.mark.parametrize(("body", "says"), BODIES, ids=[repr(each[0][:30]) for each in BODIES])
def test_wrong_bodies_are_refused_by_a_sentence(service, body, says):
    status, _, answer = call(service, "POST", "/recommend", body, JSON)
    detail = json.loads(answer)["detail"]
    assert status == 422, detail
    assert says in detail
    assert len(detail) < 400


EVENTS = [
    ({"events": []}, "at least 1 item"),
    ({"events": [{"user": "1", "item": "1"}] * 101}, "at most 100 items"),
    ({"events": [{"user": "1"}]}, "events.0.item is missing"),
    ({"events": [{"user": "1", "item": "1", "kind": "steal"}]}, "events.0.kind is 'steal'"),
    ({"events": [{"user": "1", "item": "1", "id": "a b"}]}, "events.0.id is 'a b'"),
    ({"events": [{"user": "1", "item": "1", "time": 5}]}, "There is no field 'events.0.time'"),
    ({"events": [{"user": "1", "item": "1"}, {"user": "1", "item": "no-film"}]}, "'no-film'"),
    ({"user": "1", "item": "1"}, "events is missing"),
]


@pytest.mark.parametrize(("body", "says"), EVENTS, ids=[each[1] for each in EVENTS])
def test_wrong_events_are_refused_and_none_is_kept(service, body, says):
    status, _, answer = call(service, "POST", "/events", json.dumps(body).encode(), JSON)
    assert status == 422
    assert says in json.loads(answer)["detail"]
    assert call(service, "GET", "/users/1/history")[2] == b'{"items":[]}'


INDEXES = [
    (b"", "cannot be read"),
    (b"[]", "should be an object"),
    (b'{"index": "hnsw"}', "There is no field 'index'; expected one of: kind, settings"),
    (b'{"kind": "annoy"}', "kind is 'annoy'; it should be 'exact', 'hnsw' or 'ivf_pq'"),
    (b'{"kind": ""}', "kind is ''"),
    (b'{"kind": ["hnsw"]}', "kind is ['hnsw']"),
    (b'{"kind": 1}', "kind is 1"),
    (b'{"settings": [1]}', "settings is [1]; it should be an object"),
    (b'{"settings": null}', "settings is None"),
    (b'{"settings": {"neighbours": 16}}', "There is no field 'neighbours'; expected one of: prec"),
    (b'{"kind": "hnsw", "settings": {"ef": 1}}', "There is no field 'ef'; expected one of: neigh"),
    (b'{"kind": "hnsw", "settings": {"vectors": []}}', "There is no field 'vectors'"),
    (b'{"kind": "hnsw", "settings": {"threads": 64}}', "There is no field 'threads'"),
    (b'{"kind": "hnsw", "settings": {"kind": "exact"}}', "There is no field 'kind'"),
    (b'{"kind": "hnsw", "settings": {"queries": null}}', "There is no field 'queries'"),
    (b'{"kind": "hnsw", "settings": {"neighbours": 1000000000}}', "less than or equal to 64"),
    (b'{"kind": "hnsw", "settings": {"neighbours": 1}}', "neighbours is 1; it should be greater"),
    (b'{"kind": "hnsw", "settings": {"neighbours": "16"}}', "neighbours is '16'"),
    (b'{"kind": "hnsw", "settings": {"neighbours": true}}', "neighbours is True"),
    (b'{"kind": "hnsw", "settings": {"neighbours": null}}', "neighbours is None"),
    (b'{"kind": "hnsw", "settings": {"expansion": 4097}}', "expansion is 4097"),
    (b'{"kind": "hnsw", "settings": {"build_expansion": 1.5}}', "build_expansion is 1.5"),
    (b'{"kind": "hnsw", "settings": {"balance": NaN}}', "balance is nan"),
    (b'{"kind": "hnsw", "settings": {"balance": -0.1}}', "balance is -0.1"),
    (b'{"kind": "hnsw", "settings": {"balance": 1e999}}', "balance is inf"),
    (b'{"kind": "exact", "settings": {"precision": "int8"}}', "precision is 'int8'"),
    (b'{"kind": "exact", "settings": {"pruning": 1}}', "pruning is 1"),
    (b'{"kind": "ivf_pq", "settings": {"seed": -1}}', "seed is -1"),
    (b'{"kind": "ivf_pq", "settings": {"seed": 9999999999}}', "seed is 9999999999"),
    (b'{"kind": "ivf_pq", "settings": {"candidates": 10001}}', "candidates is 10001"),
    (b'{"kind": "ivf_pq", "settings": {"parts": 7}}', "expected parts that divide 8 dimensions"),
    (b'{"kind": "ivf_pq", "settings": {"lists": 9, "probes": 10}}', "no more probes than lists"),
    (b'{"kind": "ivf_pq", "settings": {"lists": 16384}}', "no more probes than lists than 300"),
]


@pytest.mark.parametrize(("body", "says"), INDEXES, ids=[repr(each[0][:60]) for each in INDEXES])
def test_wrong_indexes_are_refused_and_the_one_before_goes_on(service, body, says):
    before = call(service, "GET", "/models")[2]
    status, _, answer = call(service, "POST", "/models/index", body, JSON)
    detail = json.loads(answer)["detail"]
    assert status == 422, detail
    assert says in detail
    assert len(detail) < 400
    assert call(service, "GET", "/models")[2] == before


@pytest.mark.parametrize(
    "kind",
    [(), "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"],
)
def test_only_json_is_read(service, kind):
    headers = [("Content-Type", kind)] if kind else []
    status, _, answer = call(service, "POST", "/recommend", b"{}", headers)
    assert status == 415
    assert "expected 'application/json'" in json.loads(answer)["detail"]


def test_large_bodies_are_refused_before_they_are_read(service):
    head = b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    announced = raw(service, head + b"Content-Length: 1000000000000\r\n\r\n{")
    assert announced.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in announced
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    chunked = raw(service, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 5)
    assert chunked.startswith(b"HTTP/1.1 413 ")
    padded = b"{}" + b" " * ((256 << 10) - 2)
    assert call(service, "POST", "/recommend", padded, JSON)[0] == 200
    assert call(service, "POST", "/recommend", padded + b" ", JSON)[0] == 413


def test_headers_without_end_are_refused(service):
    assert raw(service, b"GET /health HTTP/1.1\r\nX: " + b"x" * 70_000).startswith(b"HTTP/1.1 431 ")
    assert raw(service, b"GET /" + b"x" * 70_000).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"NONSENSE\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_a_400(service, data):
    head, _, body = raw(service, data).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["detail"] == "This is no HTTP request; expected HTTP/1.1."


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/recommend/", 404),
        ("GET", "/page/../../schema.py", 404),
        ("GET", "/page/%2e%2e/schema.py", 404),
        ("GET", "/page/%00", 404),
        ("GET", "/similar?item=no-film", 404),
        ("POST", "/models/none/activate", 404),
        ("POST", "/models/..%2Fone/activate", 404),
        ("POST", "/models/%2Fetc/activate", 404),
        ("POST", "/models/one%00/activate", 404),
        ("DELETE", "/recommend", 405),
        ("PUT", "/events", 405),
        ("GET", "/models/one/activate", 405),
        ("GET", "/models/index", 405),
        ("POST", "/models/index/", 404),
        ("TRACE", "/health", 405),
    ],
)
def test_wrong_addresses(service, method, target, status):
    found, headers, body = call(service, method, target)
    assert found == status
    assert json.loads(body)["detail"]
    if status == 405:
        assert headers["Allow"]


def test_an_answer_is_no_page_whatever_the_names(service):
    status, headers, _ = call(service, "GET", "/recommend?variant=%3Cscript%3E")
    assert (status, headers["Content-Type"]) == (422, "application/json")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_limits_themselves_are_taken(tmp_path):
    write_system(tmp_path / "models" / "one")
    body = {
        "user": "x" * 64,
        "history": ["1"] * 500,
        "k": 100,
        "categories": ["War"] * 20,
        "blocked": ["2"] * 1000,
    }
    events = [{"user": "A-z_0.9:", "item": "1", "kind": "dislike", "id": "x" * 64}] * 100

    async def scenario():
        async with served(tmp_path / "models") as web:
            assert (await web.client.post("/recommend", json=body)).status_code == 200
            answer = await web.client.post("/events", json={"events": events})
            assert answer.json() == {"accepted": 100}
            assert len(web.engine.recorded) == 1
            settings = {"neighbours": 64, "build_expansion": 4096, "expansion": 4096, "balance": 0}
            index = {"kind": "hnsw", "settings": settings}
            assert (await web.client.post("/models/index", json=index)).status_code == 200
            settings = {"lists": 300, "parts": 8, "probes": 300, "candidates": 10_000}
            index = {"kind": "ivf_pq", "settings": settings | {"seed": 2**31 - 1}}
            assert (await web.client.post("/models/index", json=index)).status_code == 200

    asyncio.run(scenario())


@pytest.fixture(scope="module")
def document(service):
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


# What takes nothing cannot be given anything wrong.
OPERATIONS = [
    (each.method, each.path, mode)
    for each in ADDRESSES
    for mode in GenerationMode
    if mode == GenerationMode.POSITIVE or each.names or each.parameters or each.body
]


@pytest.mark.parametrize(("method", "path", "mode"), OPERATIONS)
def test_the_service_does_what_its_document_says(document, method, path, mode):
    statuses = set()

    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=[*HealthCheck]
    )
    @given(case=document[path][method].as_strategy(generation_mode=mode))
    def send(case):
        answer = case.call(timeout=20)
        statuses.add(answer.status_code)
        # Names that the catalogue does not have are refused, though they look right.
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    send()
    assert statuses
    assert max(statuses) < 500
