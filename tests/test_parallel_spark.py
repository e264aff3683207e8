"""Spark: pandas' numbers to the last bit, and Horovod's workers in its tasks."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest

from rsutils import data, parallel
from rsutils.course.workers import lesson_09
from rsutils.data import log_features, parquet_parts
from rsutils.data.interactions import Interactions
from rsutils.parallel import local_spark, spark_features
from rsutils.parallel.job import job_of
from tests import launch_jobs as jobs

pytestmark = pytest.mark.skipif(
    not parallel.can_run_spark() and "CI" not in os.environ, reason="Spark is optional"
)


@pytest.fixture(scope="module")
def spark():
    with parallel.spark_session(cores=2, spark__sql__shuffle__partitions=3) as session:
        yield session


def hard_log(seed):
    """Equal times, repeated pairs, users with one row, items that nobody has, odd ratings."""
    rng = np.random.default_rng(seed)
    n = 400
    return Interactions.of(
        user=rng.integers(0, 60, n),
        item=rng.zipf(1.6, n) % 25,
        rating=rng.choice([0.5, 1.1, 3.7, 4.9995, 5.0], n),
        timestamp=rng.integers(0, 40, n) * 7_777,
        n_users=70,
        n_items=40,
    )


@pytest.mark.parametrize("seed", [0, 1, 2**40])
@pytest.mark.parametrize("partitions", [1, 7])
def test_spark_gives_the_numbers_of_pandas_to_the_last_bit(spark, tmp_path, seed, partitions):
    log = hard_log(seed % 1000)
    table = log_features.mark_parts(log_features.log_table(log))
    parquet_parts.write_parquet(table.drop(columns="part").sample(frac=1), tmp_path / "log", 5)
    read = spark.read.parquet(str(tmp_path / "log")).repartition(partitions)
    marked = spark_features.mark_parts(read)
    parts = marked.select("position", "part").toPandas().sort_values("position")
    assert parts["part"].tolist() == table["part"].tolist()
    for part in log_features.PARTS:
        rows = spark_features.examples(marked, part, 3, log.n_items, seed)
        spark_features.write_sorted(rows, tmp_path / part)
        found = parquet_parts.read_part(tmp_path / part, 0, 1)
        expected = log_features.examples(table, part, 3, log.n_items, seed)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_spark_gives_the_numbers_of_pandas_on_a_published_log(spark, tmp_path, real_data):
    log = data.load("ml-100k").interactions
    table = log_features.mark_parts(log_features.log_table(log))
    parquet_parts.write_parquet(table, tmp_path / "log", 3)
    marked = spark.read.parquet(str(tmp_path / "log"))
    rows = spark_features.examples(marked, "validation", 5, log.n_items, 7)
    spark_features.write_sorted(rows, tmp_path / "rows")
    expected = log_features.examples(table, "validation", 5, log.n_items, 7)
    found = parquet_parts.read_part(tmp_path / "rows", 0, 1)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_hashes_are_those_of_spark(spark):
    rng = np.random.default_rng(0)
    values = rng.integers(-(2**63), 2**63 - 1, (1000, 3))
    table = spark.createDataFrame(pd.DataFrame(values, columns=list("abc")))
    theirs = table.selectExpr("xxhash64(a, b, c)").toPandas().iloc[:, 0]
    assert (data.hash_rows(*values.T) == theirs).all()


def test_spark_names_who_has_seen_everything_and_writes_nothing(spark, tmp_path):
    log = log_features.log_table(Interactions.of(user=[3, 3], item=[0, 1], n_users=4))
    table = spark.createDataFrame(log)
    drawn = spark_features.draw_negatives(table, table, 1, 2, seed=0)
    with pytest.raises(Exception, match="user 3 has all 2 items"):
        drawn.write.parquet(str(tmp_path / "rows"))
    with pytest.raises(FileNotFoundError, match="not written to its end"):
        parquet_parts.read_part(tmp_path / "rows", 0, 1)
    with pytest.raises(FileExistsError, match="choose another"):
        spark_features.write_sorted(table, tmp_path)
    with pytest.raises(ValueError, match=r"'tets'.*train, validation, test"):
        spark_features.examples(table, "tets", 1, 2, seed=0)


def test_a_session_keeps_to_this_machine_and_is_alone(spark):
    with (
        pytest.raises(RuntimeError, match=r"open in this process.*spark\.stop"),
        parallel.spark_session(),
    ):
        pass
    java = [p for p in psutil.Process().children(recursive=True) if "java" in p.name()]
    listening = [c for p in java for c in p.net_connections("inet") if c.status == "LISTEN"]
    assert listening
    assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} == {"127.0.0.1"}


def test_what_is_missing_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(local_spark, "find_spec", lambda name: None)
    with (
        pytest.raises(parallel.SparkMissingError, match=r"pyspark.*requirements/spark\.txt"),
        parallel.spark_session(),
    ):
        pass
    monkeypatch.undo()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert "no Java found: Debian, Ubuntu: apt-get install" in local_spark.what_is_missing()
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin" / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    assert "is Java 11, and Spark needs 17 or 21" in local_spark.what_is_missing()
    with pytest.raises(parallel.SparkMissingError, match="Java 11"):
        parallel.run_on_spark(jobs.who, [""])


def run(*args, **kwargs):
    kwargs.setdefault("timeout", 200)
    return parallel.run_on_spark(*args, env={"RSUTILS_TEST": str(os.getpid())}, **kwargs)


@pytest.fixture
def no_process_left():
    yield
    deadline = time.monotonic() + 20
    while mine := [p for p in psutil.process_iter() if job_of(p) and is_mine(p)]:
        assert time.monotonic() < deadline, [p.cmdline() for p in mine]
        time.sleep(0.2)


def is_mine(process):
    try:
        return process.environ().get("RSUTILS_TEST") == str(os.getpid())
    except psutil.Error:
        return False


@pytest.mark.usefixtures("no_process_left")
@pytest.mark.workers
def test_workers_on_spark_train_as_workers_without_it(tmp_path):
    log = hard_log(5)
    table = log_features.mark_parts(log_features.log_table(log))
    rows = log_features.examples(table, "train", 3, log.n_items, 0)
    parquet_parts.write_parquet(rows, tmp_path / "rows", 3)
    arguments = [str(tmp_path / "rows"), log.n_users, log.n_items, 64, 2, 0]
    lines = []
    on_spark = run(lesson_09.train, arguments, output=lines.append)
    without = parallel.run(lesson_09.train, arguments, output=None, timeout=200)
    assert sum(each["rows"] for each in on_spark) == len(rows)
    for each in [*on_spark, *without]:
        for found, expected in zip(each["weights"], without[0]["weights"], strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("no_process_left")
@pytest.mark.workers
def test_results_and_output_carry_ranks_and_a_failure_its_traceback():
    lines = []
    found = run(jobs.who, ["hello", "!"], output=lines.append)
    assert [(result["rank"], result["size"]) for result in found] == [(0, 2), (1, 2)]
    assert sorted(lines) == ["[0] hello!", "[1] hello!"]
    with pytest.raises(parallel.WorkerError) as error:
        run(jobs.fail_on, [1], output=None)
    text = str(error.value)
    assert text.startswith("Worker 1 of 2 failed:\nTraceback")
    assert "ZeroDivisionError" in text
    assert "horovod/spark" not in text


@pytest.mark.usefixtures("no_process_left")
@pytest.mark.workers
def test_a_hang_on_spark_ends_with_the_timeout():
    with pytest.raises(TimeoutError, match=r"(?s)not done after 25 s.*before the wait"):
        run(jobs.wait_for_ever, output=None, timeout=25)


@pytest.mark.usefixtures("no_process_left")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=lambda sign: sign.name)
@pytest.mark.workers
def test_nothing_is_left_when_the_caller_of_spark_ends(sign):
    code = (
        "from rsutils import parallel; from tests import launch_jobs\n"
        "launch_jobs.heed_interrupts(); parallel.run_on_spark(launch_jobs.wait_for_ever)"
    )
    caller = subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "RSUTILS_TEST": str(os.getpid())},
    )
    assert "before the wait" in caller.stdout.readline()
    caller.send_signal(sign)
    caller.wait(60)


@pytest.mark.workers
def test_horovods_services_listen_on_this_machine_alone():
    found = run(jobs.who_listens, output=None)
    assert len(found) == 2
    addresses = json.loads(found[0])
    assert len(addresses) > 3
    assert {each.removeprefix("::ffff:") for each in addresses} == {"127.0.0.1"}
