"""What each worker of ``benchmarks.allreduce`` runs."""

import time
from collections.abc import Sequence

import numpy as np


def seconds_of(sizes: Sequence[int], repeats: int) -> dict[int, float]:
    """The median seconds of an all-reduce of each number of bytes, as this worker sees it."""
    import tensorflow as tf

    from rsutils import parallel as hvd

    hvd.init()
    found = {}
    for n_bytes in sizes:
        tensor = tf.ones((n_bytes // 4,))
        reduce = tf.function(
            lambda tensor=tensor, name=f"bytes_{n_bytes}": hvd.allreduce(tensor, name=name)
        )
        times = []
        for turn in range(repeats + 2):
            start = time.perf_counter()
            reduce()
            if turn >= 2:
                times.append(time.perf_counter() - start)
        found[n_bytes] = float(np.median(times))
    return found
