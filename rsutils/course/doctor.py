"""What is installed, what is missing and how to get it: a line each."""

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from packaging.requirements import Requirement

from rsutils import settings
from rsutils.parallel import local_spark


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        name: what was looked at.
        ok: whether it is as it should be.
        detail: what was found, or what to do.
        needed: whether the course cannot do without it.

    Example:
        >>> print(Finding("make", ok=False, detail="apt-get install make", needed=False))
        --   make: apt-get install make
    """

    name: str
    ok: bool
    detail: str
    needed: bool = True

    def __str__(self) -> str:
        mark = "OK" if self.ok else "FAIL" if self.needed else "--"
        return f"{mark:<4} {self.name}: {self.detail}"


def python() -> Finding:
    """The Python that runs."""
    version = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("Python", ok, version if ok else f"{version}; use 3.11 to 3.13, then make setup")


def packages(extra: str) -> Finding:
    """Whether the packages of one extra (or of the base) have versions within their ranges."""
    try:
        listed = importlib.metadata.requires("rsutils") or []
    except importlib.metadata.PackageNotFoundError:
        return Finding("rsutils", False, "not installed: make setup (on Colab this is expected)")
    wrong = []
    for line in listed:
        requirement = Requirement(line)
        marker = requirement.marker
        if (extra == "") != (marker is None) or (marker and not marker.evaluate({"extra": extra})):
            continue
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            found = None
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} {found or 'missing'}")
    name = f"packages ({extra or 'rsutils'})"
    if wrong:
        return Finding(name, False, f"{', '.join(wrong)}; rm -rf .venv && make setup")
    return Finding(name, True, "all within their ranges")


def tensorflow() -> Finding:
    """Whether TensorFlow and Keras import, and on what they run."""
    try:
        import keras
        import tensorflow as tf
    except ImportError as error:
        return Finding("TensorFlow", False, f"does not import ({error}); make setup")
    devices = f"{len(tf.config.list_physical_devices('GPU'))} GPUs, {os.cpu_count()} CPU cores"
    ok = keras.backend.backend() == "tensorflow"
    detail = f"{tf.__version__}, Keras {keras.__version__} on {keras.backend.backend()}, {devices}"
    return Finding("TensorFlow", ok, detail if ok else f"{detail}; set KERAS_BACKEND=tensorflow")


def horovod() -> Finding:
    """Whether Horovod was built; the lessons run on one worker without it."""
    advice = "not built; lessons run on one worker. To build it (Linux, g++): make horovod"
    try:
        import horovod.tensorflow as hvd

        version = importlib.metadata.version("horovod")
    except (ImportError, importlib.metadata.PackageNotFoundError):
        return Finding("Horovod", False, advice, needed=False)
    except Exception as error:  # a wheel built for another TensorFlow fails in its own ways
        detail = f"installed but broken ({type(error).__name__}); make horovod"
        return Finding("Horovod", False, detail, needed=False)
    return Finding("Horovod", hvd.gloo_built(), f"{version} with Gloo", needed=False)


def spark() -> Finding:
    """Whether pyspark and Java are there; without them lesson 09 uses pandas."""
    missing = local_spark.what_is_missing()
    place, version = local_spark.java()
    detail = (
        f"without it lesson 09 uses pandas; {missing}" if missing else f"Java {version}, {place}"
    )
    return Finding("Spark", missing is None, detail, needed=False)


def program(name: str, purpose: str, advice: str) -> Callable[[], Finding]:
    """A finding about a program on the PATH that only some lessons need."""

    def look() -> Finding:
        place = shutil.which(name)
        return Finding(name, place is not None, purpose if place else advice, needed=False)

    return look


def demo_world() -> Finding:
    """Whether the demo world lies where lessons look first."""
    ok = settings.DEMO_WORLD.is_dir()
    return Finding("demo world", ok, "data/demo" if ok else "missing: make demo-world")


def real_data() -> Finding:
    """Whether a folder of real data sets is named; none is needed for the quick profile."""
    home = settings.data_home()
    if home is None:
        detail = "RSUTILS_DATA is not set; data sets are downloaded when a lesson asks for one"
        return Finding("real data", True, detail, needed=False)
    found = sorted(path.name for path in home.iterdir() if path.is_dir()) if home.is_dir() else []
    detail = ", ".join(found) or f"$RSUTILS_DATA names no folder with data sets: {home}"
    return Finding("real data", bool(found), detail, needed=False)


def redis() -> Finding:
    """Whether the Redis that is named answers; its password is not shown."""
    url = settings.redis_url()
    if url is None:
        detail = "REDIS_URL is not set; the service caches answers in its process"
        return Finding("Redis", True, detail, needed=False)
    try:
        from rsutils.serve.store.redis_store import RedisStore

        store = RedisStore(url, timeout=1.0)
    except (ValueError, ImportError) as error:
        return Finding("Redis", False, str(error), needed=False)
    state = store.state()
    store.close()
    detail = f"{store.address} answers" if state["up"] else state["error"]
    return Finding("Redis", state["up"], detail, needed=False)


def disk() -> Finding:
    """Whether there is room for the environment and downloads."""
    free = shutil.disk_usage(settings.REPOSITORY).free / 2**30
    return Finding("disk", free > 2, f"{free:.0f} GB free" + ("" if free > 2 else "; 2 GB needed"))


EXAMINATIONS: tuple[Callable[[], Finding], ...] = (
    python,
    lambda: packages(""),
    lambda: packages("course"),
    lambda: packages("serve"),
    tensorflow,
    horovod,
    spark,
    demo_world,
    real_data,
    disk,
    program("make", "the commands", "Debian, Ubuntu: apt-get install make"),
    program("g++", "builds Horovod", "Debian, Ubuntu: apt-get install g++"),
    program(
        "redis-server",
        "shares cached answers between processes of the service",
        "Debian, Ubuntu: apt-get install redis-server; without it answers are cached in the "
        "process",
    ),
    redis,
    program(
        "chromium", "for tests of the service's page", "Debian, Ubuntu: apt-get install chromium"
    ),
)


def examine() -> list[Finding]:
    """Every finding, in the order in which to mend them."""
    return [look() for look in EXAMINATIONS]
