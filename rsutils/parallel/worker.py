"""What runs inside of each worker process: the function, its result, its traceback."""

import importlib
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Any

TRACEBACK = "RSUTILS-TRACEBACK:"
"""Begins each line of a traceback on its way to whoever started the workers."""


def call(name: str, arguments: bytes, pin: bool) -> Any:
    """What the function of that name returns; its traceback is printed where it fails.

    Args:
        name: ``"module:function"``.
        arguments: pickled: a tuple and a dict.
        pin: keep this process on one core.
    """
    try:
        if pin:
            pin_to_core()
        args, kwargs = pickle.loads(arguments)
        result = resolve(name)(*args, **kwargs)
        tell_rank()
    except BaseException:
        for line in traceback.format_exc().splitlines():
            print(TRACEBACK + line, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        # Without waiting for others, who may be waiting for this one.
        os._exit(1)
    return result


def resolve(name: str) -> Callable[..., Any]:
    """The function of ``"module:name"``."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def pin_to_core() -> None:
    """Keep this process on one core of the machine, another one for each local rank."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(os.environ.get("HOROVOD_LOCAL_RANK", "0")) % len(cores)]})


def tell_rank() -> None:
    """Have Horovod file the result under the rank that this worker has by now.

    In elastic training ranks change; the launcher goes by the environment.
    """
    engine = sys.modules.get("horovod.tensorflow")
    if engine is not None and engine.is_initialized():
        os.environ["HOROVOD_RANK"] = str(engine.rank())
