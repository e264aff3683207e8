"""Resolve the lock files anew from ``pyproject.toml``, hashes included, for every platform.

``requirements/lock.txt`` is what ``make`` installs. The extras that only some lessons need have
files of their own, resolved under the main lock so that they never move it.
"""

import subprocess
import sys

from rsutils import settings

MAIN = ["course", "serve", "horovod", "test", "bench"]
EXTRAS = ["spark", "gpu", "site", "tracking"]


def resolve(output: str, extras: list[str], *options: str) -> None:
    """Write one lock file."""
    chosen = [part for extra in extras for part in ("--extra", extra)]
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--universal"]
    command += ["--python-version", "3.11", "--generate-hashes", "--no-annotate", "--quiet"]
    header = ["--custom-compile-command", "make lock"]
    command += [*header, *chosen, *options, "-o", f"requirements/{output}.txt"]
    subprocess.run(command, cwd=settings.REPOSITORY, check=True)


def main() -> None:
    """Resolve the main lock, then each extra under it."""
    resolve("lock", MAIN)
    for extra in EXTRAS:
        resolve(extra, [extra], "--constraint", "requirements/lock.txt")


if __name__ == "__main__":
    main()
