"""What it ran on: versions that a figure depends on."""

import platform
from importlib import metadata

PACKAGES = ("numpy", "tensorflow", "keras")


def versions() -> dict[str, str]:
    """Versions of Python and of those of ``PACKAGES`` that are installed; imports none of them.

    Example:
        >>> sorted(versions())[-3:]
        ['numpy', 'python', 'tensorflow']
    """
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
