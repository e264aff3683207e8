"""Starting workers: results, output, failures, and that no process is left behind."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from rsutils import parallel
from rsutils.parallel import launch
from rsutils.parallel.job import job_of
from tests import launch_jobs as jobs

pytestmark = pytest.mark.workers


@pytest.fixture(autouse=True)
def no_process_left():
    yield
    time.sleep(0.2)
    left = [p for p in psutil.process_iter() if job_of(p)]
    mine = [p for p in left if p.environ().get("RSUTILS_TEST") == str(os.getpid())]
    assert not mine, [p.cmdline() for p in mine]


def run(*args, **kwargs):
    kwargs.setdefault("timeout", 200)
    return parallel.run(*args, env={"RSUTILS_TEST": str(os.getpid())}, **kwargs)


def test_results_come_in_the_order_of_ranks_and_output_with_the_rank():
    lines = []
    found = run(jobs.who, ["hello"], {"mark": "!"}, num_proc=3, output=lines.append)
    assert [(result["rank"], result["size"]) for result in found] == [(0, 3), (1, 3), (2, 3)]
    assert len({result["pid"] for result in found}) == 3
    assert sorted(lines) == ["[0] hello!", "[1] hello!", "[2] hello!"]


def test_pinned_workers_have_a_core_each_and_one_thread():
    found = run(jobs.who, ["", ""], num_proc=2, pin=True, output=None)
    cores = [result["cores"] for result in found]
    assert all(len(core) == 1 for core in cores)
    assert os.cpu_count() == 1 or cores[0] != cores[1]
    assert all(result["threads"] == str(max(1, os.cpu_count() // 2)) for result in found)


def test_one_worker_needs_no_horovod(monkeypatch):
    monkeypatch.setattr(launch, "can_run", lambda num_proc: num_proc == 1)
    [found] = run(jobs.who, ["alone", ""], num_proc=1, output=None)
    assert (found["rank"], found["size"]) == (0, 1)
    with pytest.raises(parallel.HorovodMissingError, match=r"2 workers.*make horovod.*one worker"):
        run(jobs.who, ["", ""], num_proc=2)


def test_a_failing_worker_stops_those_that_wait_and_shows_its_own_traceback():
    start = time.monotonic()
    with pytest.raises(parallel.WorkerError) as error:
        run(jobs.fail_on, [1], num_proc=2, output=None)
    assert time.monotonic() - start < 30
    text = str(error.value)
    assert text.startswith("Worker 1 of 2 failed:\nTraceback")
    assert "ZeroDivisionError" in text
    assert "launch_jobs.py" in text
    assert "horovod/runner" not in text


def test_a_killed_worker_is_reported():
    with pytest.raises(parallel.WorkerError, match=r"Worker 0 of 2 ended with status 137"):
        run(jobs.kill_self_on, [0], num_proc=2, output=None)


def test_a_hang_ends_with_the_timeout_and_shows_what_was_printed_last():
    with pytest.raises(TimeoutError, match=r"(?s)not done after 25 s.*before the wait"):
        run(jobs.wait_for_ever, num_proc=2, output=None, timeout=25)


def test_ranks_with_different_shapes_are_told_so():
    with pytest.raises(parallel.WorkerError, match=r"(?i)mismatched"):
        run(jobs.reduce_different_shapes, num_proc=2, output=None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_leaves_nothing_behind(number):
    code = (
        "from rsutils import parallel; from tests import launch_jobs as jobs;"
        "jobs.heed_interrupts(); parallel.run(jobs.wait_for_ever, num_proc=2)"
    )
    environment = {**os.environ, "RSUTILS_TEST": str(os.getpid())}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert "before the wait" in process.stdout.readline()
    process.send_signal(number)
    process.wait(60)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and any(
        job_of(p) and p.environ().get("RSUTILS_TEST") == str(os.getpid())
        for p in psutil.process_iter()
    ):
        time.sleep(0.2)


def test_functions_that_no_worker_could_import_are_refused():
    def inner():
        return 1

    for function in (inner, lambda: 1):
        with pytest.raises(ValueError, match=r"move it to the top level of a \.py file"):
            parallel.run(function)
    with pytest.raises(ValueError, match="num_proc is 0"):
        parallel.run(jobs.who, num_proc=0)
