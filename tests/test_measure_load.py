"""The load generator against small servers whose behaviour is known."""

import asyncio
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

from rsutils.measure import Request, load_test


@contextmanager
def server(handle):
    """Answers with what ``handle(path, body)``, a coroutine, gives: a status and a body."""
    loop = asyncio.new_event_loop()

    async def serve(reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                method, path, _ = lines[0].split(" ")
                length = [int(x.split(":")[1]) for x in lines if x.startswith("Content-Length")]
                body = await reader.readexactly(length[0]) if length else b""
                status, content = await handle(method, path, body)
                if status is None:
                    break
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n\r\n".encode()
                    + content
                )
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    started = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{started.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        started.close()
        loop.close()


def test_every_request_is_sent_in_turn_and_its_answer_counted():
    seen = []

    async def handle(method, path, body):
        seen.append((method, path, body))
        return (404 if path == "/b" else 200), b"{}"

    requests = [Request("GET", "/a"), Request("GET", "/b"), Request("POST", "/c", '{"x": 1}')]
    with server(handle) as url:
        load = load_test(url, requests, rate=300, seconds=0.5, connections=4)
    assert len(load) == len(seen) > 60
    assert load.statuses.keys() == {200, 404}
    assert (load.status == 404).tolist() == (load.request == 1).tolist()
    assert ("POST", "/c", b'{"x": 1}') in seen
    assert np.isfinite(load.took).all()
    assert (load.took > 0).all()
    assert load.rate == pytest.approx((load.status == 200).sum() / 0.5)


def test_an_open_loop_counts_the_wait_and_a_closed_one_hides_it():
    """Once, the server sleeps. Requests that were due meanwhile have waited, whoever sent them."""

    def sleeper():
        state = {"slept": False, "start": None}

        async def handle(method, path, body):
            state["start"] = state["start"] or time.monotonic()
            if not state["slept"] and time.monotonic() - state["start"] > 0.3:
                state["slept"] = True
                time.sleep(0.6)
            return 200, b"{}"

        return handle

    with server(sleeper()) as url:
        open_loop = load_test(url, [Request("GET", "/")], rate=200, seconds=1.5, connections=8)
    with server(sleeper()) as url:
        closed = load_test(url, [Request("GET", "/")], seconds=1.5, connections=1)
    slow = 0.1
    assert (open_loop.took > slow).sum() > 30
    assert 1 <= (closed.took > slow).sum() <= 3


def test_requests_without_an_answer_have_no_time_and_status_0():
    async def handle(method, path, body):
        return (None, b"") if path == "/gone" else (200, b"{}")

    with server(handle) as url:
        load = load_test(
            url,
            [Request("GET", "/"), Request("GET", "/gone")],
            rate=100,
            seconds=0.5,
            connections=2,
        )
    assert set(load.statuses) == {0, 200}
    assert (load.status == 0).tolist() == (load.request == 1).tolist()
    assert np.isfinite(load.percentile(50, 99)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": "https://127.0.0.1:1"}, "expected http://host:port"),
        ({"requests": []}, "requests is empty"),
        ({"rate": 0.0}, "rate is 0.0"),
        ({"seconds": -1.0}, "seconds is -1.0"),
        ({"connections": 0}, "connections is 0"),
        ({"rate": 1e-9}, "no request is due"),
    ],
)
def test_refuses_what_is_no_load(change, message):
    arguments = {"url": "http://127.0.0.1:1", "requests": [Request("GET", "/")]} | change
    with pytest.raises(ValueError, match=message):
        load_test(**arguments)


def test_says_that_nobody_listens():
    with pytest.raises(RuntimeError, match=r"No load on http://127\.0\.0\.1:9: .*refused|Connect"):
        load_test("http://127.0.0.1:9", [Request("GET", "/")], rate=10, seconds=0.2)


def test_the_process_that_sends_starts_without_what_it_does_not_need():
    code = (
        "import sys, rsutils.measure.load_client\n"
        "print({'pandas', 'scipy', 'tensorflow', 'psutil'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
