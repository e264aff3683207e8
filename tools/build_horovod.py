"""Build the Horovod wheel once and keep it in the user's cache.

Run with the Python of the virtual environment, which must hold TensorFlow and the ``horovod``
extra. Horovod 0.28.1 is a source package. One of its files, ``xla_mpi_ops.cc``, includes XLA
headers that TensorFlow has moved since; it serves only Horovod's XLA custom calls on GPUs. Without
it the rest compiles. The wheel is bound to the Python and the TensorFlow it was built with, so the
cache names both.

Prints the wheel's path as its last line. Exit code 1: it could not be built, and why.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path

from rsutils import settings

REQUIREMENT = settings.REPOSITORY / "requirements" / "horovod.txt"
BROKEN_SOURCE = "xla_mpi_ops.cc"
OPTIONS = {
    "HOROVOD_WITH_TENSORFLOW": "1",
    "HOROVOD_WITHOUT_PYTORCH": "1",
    "HOROVOD_WITHOUT_MXNET": "1",
    "HOROVOD_WITHOUT_MPI": "1",
    "HOROVOD_WITH_GLOO": "1",
}


class BuildError(Exception):
    """The wheel could not be built; the message says why and what to do."""


def wheel_folder() -> Path:
    """The cache folder of the wheel for this Python and this TensorFlow."""
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    return settings.cache_home() / "wheels" / f"{python}-tensorflow-{version('tensorflow')}"


def cached_wheel() -> Path | None:
    """The wheel built earlier, if there is one."""
    return next(iter(sorted(wheel_folder().glob("horovod-*.whl"))), None)


def require_compiler() -> None:
    """Refuse to begin where no C++ compiler is found."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise BuildError(
            f"no C++ compiler: {compiler} is not on the PATH. "
            "Debian and Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++."
        )
    if sys.platform != "linux":
        raise BuildError(f"Horovod is built here on Linux only; this is {sys.platform}.")


def run(command: list[str], log: Path, what: str, **options: object) -> None:
    """Run a command into the log, with the seconds counted on the terminal."""
    done, started = threading.Event(), time.monotonic()

    def count() -> None:
        while not done.wait(1 if sys.stderr.isatty() else 30):
            print(f"  {what}: {time.monotonic() - started:.0f} s", file=sys.stderr, end=end)
            sys.stderr.flush()

    end = "\r" if sys.stderr.isatty() else "\n"
    counter = threading.Thread(target=count, daemon=True)
    counter.start()
    try:
        with log.open("a", encoding="utf-8") as sink:
            result = subprocess.run(command, stdout=sink, stderr=subprocess.STDOUT, **options)
    finally:
        done.set()
        counter.join()
    if result.returncode:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise BuildError(f"{what} failed with exit code {result.returncode}:\n{tail}\nAll: {log}")


def download_source(folder: Path, log: Path) -> Path:
    """Fetch the source package, its SHA-256 checked by pip, and unpack it."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-build-isolation"]
    run([*pip, "--require-hashes", "-r", str(REQUIREMENT), "-d", str(folder)], log, "download")
    archive = next(folder.glob("horovod-*.tar.gz"))
    with tarfile.open(archive) as source:
        source.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def drop_broken_source(source: Path) -> None:
    """Take the one file that no longer compiles out of the build."""
    listing = source / "horovod" / "tensorflow" / "CMakeLists.txt"
    lines = listing.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if BROKEN_SOURCE not in line]
    if len(kept) != len(lines) - 1:
        raise BuildError(f"expected one line with {BROKEN_SOURCE} in {listing.name}, found another")
    listing.write_text("".join(kept), encoding="utf-8")


def build() -> Path:
    """Build the wheel in a temporary folder and move it into the cache when it is whole."""
    require_compiler()
    settings.BUILD.mkdir(parents=True, exist_ok=True)
    log = settings.BUILD / "horovod.log"
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="horovod-") as name:
        folder = Path(name)
        source = download_source(folder, log)
        drop_broken_source(source)
        scripts = str(Path(sys.executable).parent)
        environment = {
            **os.environ,
            **OPTIONS,
            "PATH": os.pathsep.join([scripts, os.environ.get("PATH", "")]),
            "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1),
        }
        pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
        run([*pip, "-w", str(folder), str(source)], log, "compile Horovod", env=environment)
        wheel = next(folder.glob("horovod-*.whl"))
        target = wheel_folder() / wheel.name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.partial")
        shutil.copyfile(wheel, partial)
        partial.replace(target)
    return target


def main() -> int:
    """Print the path of the wheel, built first where the cache has none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", action="store_true", help="build even where one is cached")
    arguments = parser.parse_args()
    try:
        wheel = None if arguments.again else cached_wheel()
        print(wheel or build())
    except BuildError as error:
        print(f"Horovod was not built: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
