"""Profile, seed, paths and environment variables, set before TensorFlow loads.

Importing ``rsutils`` imports this module first, so that TensorFlow's start-up messages stay out of
notebooks and Keras runs on TensorFlow. Nothing here touches the network or writes a file.
"""

import os
import platform
import random
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
DEMO_WORLD = REPOSITORY / "data" / "demo"
BUILD = Path(os.environ.get("RSUTILS_BUILD", REPOSITORY / "build"))
PROFILES = ("quick", "full")

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# By default these kernels are off on many processors, where transformers then train at less than
# half the speed: benchmarks.cpu_kernels.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def profile(value: str | None = None) -> str:
    """The profile to run: ``value``, else ``$PROFILE``, else ``"quick"``.

    Raises:
        ValueError: the profile is neither ``"quick"`` nor ``"full"``.

    Example:
        >>> profile("full")
        'full'
    """
    chosen = value or os.environ.get("PROFILE") or "quick"
    if chosen not in PROFILES:
        raise ValueError(f"PROFILE is {chosen!r}; expected one of {', '.join(PROFILES)}.")
    return chosen


def data_home() -> Path | None:
    """The folder of data sets that ``$RSUTILS_DATA`` names, or None where it is not set."""
    value = os.environ.get("RSUTILS_DATA")
    return Path(value).expanduser().absolute() if value else None


def cache_home() -> Path:
    """The folder for downloads and built wheels: ``$RSUTILS_CACHE`` or the user's cache folder.

    Example:
        >>> cache_home().name
        'rsutils'
    """
    if value := os.environ.get("RSUTILS_CACHE"):
        return Path(value).expanduser() / "rsutils"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "rsutils"


def redis_url() -> str | None:
    """The address of the Redis that ``$REDIS_URL`` names, or None where it is not set.

    It may hold a password: it is not to be shown.
    """
    return os.environ.get("REDIS_URL") or None


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Python and of those of ``packages`` that are installed; imports none of them.

    Example:
        >>> sorted(versions_of(["numpy", "no-such-package"]))
        ['numpy', 'python']
    """
    from importlib import metadata

    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def seed_everything(seed: int) -> np.random.Generator:
    """Seed Python, NumPy and, where it is already imported, Keras; return a NumPy generator.

    Example:
        >>> a, b = seed_everything(7).integers(100), seed_everything(7).integers(100)
        >>> bool(a == b)
        True
    """
    random.seed(seed)
    np.random.seed(seed)
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(seed)
    return np.random.default_rng(seed)
