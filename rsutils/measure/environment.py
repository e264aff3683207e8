"""What it ran on: versions, and the processor, that a figure depends on."""

import platform
from pathlib import Path

from rsutils import settings

PACKAGES = ("numpy", "tensorflow", "keras")


def versions() -> dict[str, str]:
    """Versions of Python and of those of ``PACKAGES`` that are installed; imports none of them.

    Example:
        >>> sorted(versions())[-3:]
        ['numpy', 'python', 'tensorflow']
    """
    return settings.versions_of(PACKAGES)


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name: Linux keeps it in ``cpuinfo``; elsewhere Python knows some name.

    Example:
        >>> bool(processor())
        True
    """
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
