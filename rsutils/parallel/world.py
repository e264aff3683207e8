"""Who this worker is among how many, with Horovod underneath or, for one worker, nothing."""

import importlib
import os
from types import ModuleType

SIZES = ("HOROVOD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
"""Where launchers write how many workers there are: Horovod's own, Open MPI's, MPICH's."""


class HorovodMissingError(ImportError):
    """Several workers are asked for, and Horovod is not installed."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}, and Horovod is not installed. Build it with `make horovod` "
            "(Linux, g++ needed; about 3 minutes), or use one worker, which needs none."
        )


def launched() -> bool:
    """Whether a launcher started this process as one of several workers or of a varying number."""
    sizes = (os.environ.get(name, "1") for name in SIZES)
    return any(size != "1" for size in sizes) or os.environ.get("HOROVOD_ELASTIC") == "1"


def horovod() -> ModuleType | None:
    """``horovod.tensorflow`` where a launcher started this process, else None.

    Raises:
        HorovodMissingError: a launcher did, and it is not installed.
    """
    if not launched():
        return None
    try:
        return importlib.import_module("horovod.tensorflow")
    except ImportError as error:
        raise HorovodMissingError("This process is one of several workers") from error


def init() -> None:
    """Join the other workers; nothing happens with one worker. Repeated calls are harmless."""
    if engine := horovod():
        engine.init()


def shutdown() -> None:
    """Leave the other workers."""
    if engine := horovod():
        engine.shutdown()


def is_initialized() -> bool:
    """Whether collective operations may be called."""
    engine = horovod()
    return engine is None or bool(engine.is_initialized())


def rank() -> int:
    """This worker's number, from 0.

    Raises:
        ValueError: :func:`init` was not called in a process with others.

    Example:
        >>> rank(), size()
        (0, 1)
    """
    engine = horovod()
    return engine.rank() if engine else 0


def size() -> int:
    """How many workers there are. Raises as :func:`rank` does."""
    engine = horovod()
    return engine.size() if engine else 1


def local_rank() -> int:
    """This worker's number among those of the same host. Raises as :func:`rank` does."""
    engine = horovod()
    return engine.local_rank() if engine else 0


def local_size() -> int:
    """How many workers the same host has. Raises as :func:`rank` does."""
    engine = horovod()
    return engine.local_size() if engine else 1
