"""Spark on this machine: whether it can run, how to get it, and a session that keeps to itself."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py4j.java_gateway import JavaGateway
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

LOOPBACK = "127.0.0.1"

JAVA_VERSIONS = (17, 21)
"""Those that Spark 4.0 runs on."""
GET_JAVA = (
    "Debian, Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17; or "
    "set JAVA_HOME to a Java 17 or 21"
)
GET_PYSPARK = "python -m pip install --require-hashes -r requirements/spark.txt"


class SparkMissingError(RuntimeError):
    """Spark cannot run here; the message says what is missing and how to get it."""


def java() -> tuple[Path | None, int | None]:
    """The Java that Spark would start, and its major version; None for what is not found."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if not found:
        return None, None
    printed = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', printed.stderr)
    return Path(found), int(version[1]) if version else None


def what_is_missing() -> str | None:
    """What keeps Spark from running here and how to get it, or None."""
    if find_spec("pyspark") is None:
        return f"pyspark is not installed: {GET_PYSPARK}"
    place, version = java()
    if place is None:
        return f"no Java found: {GET_JAVA}"
    if version not in JAVA_VERSIONS:
        return f"{place} is Java {version}, and Spark needs 17 or 21: {GET_JAVA}"
    return None


def require_spark() -> None:
    """Do nothing where Spark can run.

    Raises:
        SparkMissingError: it cannot.
    """
    if missing := what_is_missing():
        raise SparkMissingError(missing)


def can_run_spark() -> bool:
    """Whether pyspark and a Java that it runs on are installed."""
    return what_is_missing() is None


@contextmanager
def spark_session(cores: int = 2, **conf: str | int) -> "Iterator[SparkSession]":
    """A Spark of this machine alone, which ends with the block, its Java process too.

    Nothing listens beyond the loopback, there is no web page, and Java's messages are kept back
    unless it fails to start. On a cluster, build the session as its operators tell you: what takes
    one of Spark's tables asks for no more than that.

    Args:
        cores: threads that work.
        **conf: further settings, with ``__`` for each dot: ``spark__sql__shuffle__partitions=8``.

    Raises:
        SparkMissingError: pyspark or Java is missing.
        RuntimeError: another session is open in this process, or Java did not start.
    """
    named = {name.replace("__", "."): value for name, value in conf.items()}
    with open_session(
        f"local[{cores}]", {"spark.sql.shuffle.partitions": 2 * cores, **named}
    ) as it:
        yield it


@contextmanager
def open_session(master: str, conf: Mapping[str, str | int]) -> "Iterator[SparkSession]":
    """:func:`spark_session` on any ``master``, settings by their own names."""
    require_spark()
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    if SparkContext._active_spark_context is not None:
        raise RuntimeError("A Spark session is open in this process; end it first: spark.stop().")
    # Spark starts "python3" of the PATH otherwise, which knows nothing of this environment.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {"spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC"}
    settings["spark.ui.showConsoleProgress"] = "false"
    if master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)
        settings |= {"spark.driver.bindAddress": LOOPBACK, "spark.driver.host": LOOPBACK}
    with tempfile.TemporaryDirectory(prefix="rsutils-spark-") as home:
        settings["spark.sql.warehouse.dir"] = f"{home}/warehouse"
        values = {"spark.master": master, "spark.app.name": "rsutils", **settings, **conf}
        interrupt = signal.getsignal(signal.SIGINT)
        configuration = SparkConf().setAll([(name, str(value)) for name, value in values.items()])
        gateway = start_java(configuration, Path(home) / "messages")
        try:
            context = SparkContext(conf=configuration, gateway=gateway)
            yield SparkSession(context)
            context.stop()
        finally:
            SparkContext._active_spark_context = SparkContext._gateway = SparkContext._jvm = None
            gateway.shutdown()
            gateway.proc.stdin.close()
            gateway.proc.wait()
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, interrupt)


def start_java(conf: "SparkConf", messages: Path) -> "JavaGateway":
    """The Java process of a session, which writes its messages to a file.

    Raises:
        RuntimeError: it ended at once; with what it said.
    """
    from pyspark.errors import PySparkRuntimeError
    from pyspark.java_gateway import launch_gateway

    with messages.open("wb") as file:
        try:
            return launch_gateway(conf, {"stdout": file, "stderr": file})
        except PySparkRuntimeError as error:
            said = messages.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
            raise RuntimeError(f"Java did not start. It said:\n{said}") from error
