"""Set up ``.venv``: the locked packages, the package itself, and Horovod where it can be built.

Runs on the standard library of any Python 3.8 or newer and looks for a Python between 3.11 and
3.13 to make the environment with. Quick when nothing changed: a stamp file holds a hash of
everything that the environment was made from.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = Path(os.environ.get("RSUTILS_VENV", str(ROOT / ".venv")))
STAMP = VENV / "rsutils-stamp"
SOURCES = ["pyproject.toml", "requirements/lock.txt", "requirements/uv.txt"]
SOURCES += ["requirements/horovod.txt", "tools/build_horovod.py", "tools/setup_environment.py"]
OLDEST, NEWEST = (3, 11), (3, 13)


class SetupError(Exception):
    """The environment could not be made; the message says what to do."""


def say(text: str) -> None:
    """Tell the person at the terminal, at once."""
    print(f"[setup] {text}", flush=True)


def environment_python() -> Path:
    """Where the virtual environment keeps its Python."""
    if os.name == "nt":
        return VENV / "Scripts" / "python.exe"
    return VENV / "bin" / "python"


def fingerprint() -> str:
    """A hash of all that the environment is made from."""
    digest = hashlib.sha256(str(VENV).encode())
    for name in SOURCES:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def python_version(command: str):
    """(major, minor) of a Python command, or None where it does not run."""
    probe = "import sys; print(sys.version_info[0], sys.version_info[1])"
    try:
        result = subprocess.run(
            [command, "-c", probe], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60
        )
        major, minor = result.stdout.decode().split()
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return int(major), int(minor)


def find_python() -> str:
    """The first Python between 3.11 and 3.13: the one running, then those on the PATH."""
    named = ["python3.{}".format(minor) for minor in (12, 11, 13)]
    seen = []
    for command in [sys.executable] + named + ["python3", "python"]:
        version = python_version(command)
        if version and OLDEST <= version <= NEWEST:
            return command
        seen.append("{} ({})".format(command, ".".join(map(str, version)) if version else "none"))
    raise SetupError(
        "no Python between 3.11 and 3.13 was found; looked at: {}. "
        "Install one (Debian and Ubuntu: apt-get install python3.11 python3.11-venv; any system: "
        "conda env create -f environment.yml), or name one: make PYTHON=/path/to/python3.11 "
        "...".format(", ".join(seen))
    )


def run(command, advice: str) -> None:
    """Run a command; where it fails, say what was tried and what to do."""
    if subprocess.run([str(part) for part in command], cwd=str(ROOT)).returncode:
        raise SetupError("{}\n  failed: {}".format(advice, " ".join(map(str, command))))


def create_venv() -> None:
    """Make the virtual environment anew, with a Python that TensorFlow has wheels for."""
    command = find_python()
    version = python_version(command)
    say("Python {}.{} ({}) makes {}".format(version[0], version[1], command, VENV.name))
    if VENV.exists():
        shutil.rmtree(str(VENV))
    run(
        [command, "-m", "venv", VENV],
        "The virtual environment could not be made. Debian and Ubuntu: apt-get install "
        "python{}.{}-venv".format(*version),
    )


def install_packages() -> None:
    """Install what the lock lists, hashes checked: with uv, or with pip where uv has no wheel."""
    python = environment_python()
    lock = ROOT / "requirements" / "lock.txt"
    offline = "Is the network there? Behind a proxy set HTTPS_PROXY; then run the command again."
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    # As pip does. Without it every start of TensorFlow compiles anew where
    # PYTHONDONTWRITEBYTECODE is set, as it is in many containers.
    uv = [python, "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
    say("packages (about 3 GB on disk; a few minutes on a slow line)")
    has_uv = not subprocess.run(
        [str(part) for part in pip + ["--require-hashes", "-r", ROOT / "requirements" / "uv.txt"]]
    ).returncode
    install = uv if has_uv else pip
    run(install + ["--require-hashes", "-r", lock], offline)
    run(install + ["--no-deps", "--no-build-isolation", "-e", ROOT], offline)


def install_horovod() -> None:
    """Build or fetch from the cache the Horovod wheel; without one, say so and go on."""
    python = environment_python()
    say("Horovod (about 3 minutes the first time, then from the cache)")
    built = subprocess.run(
        [str(python), str(ROOT / "tools" / "build_horovod.py")], stdout=subprocess.PIPE
    )
    if built.returncode:
        say("going on without Horovod: the lessons run their code on one worker and say so")
        return
    wheel = built.stdout.decode().strip().splitlines()[-1]
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    run(pip + ["--no-deps", "--force-reinstall", wheel], "The Horovod wheel does not install.")


def main() -> int:
    """Set up what is missing; do nothing where the stamp says that all is there."""
    started = time.time()
    wanted = fingerprint()
    if STAMP.exists() and STAMP.read_text() == wanted and environment_python().exists():
        return 0
    try:
        create_venv()
        install_packages()
        install_horovod()
    except SetupError as error:
        print("[setup] {}".format(error), file=sys.stderr)
        return 1
    STAMP.write_text(wanted)
    say("ready after {:.0f} s".format(time.time() - started))
    return 0


if __name__ == "__main__":
    sys.exit(main())
