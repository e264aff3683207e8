"""What each worker of ``benchmarks.allreduce`` runs."""

import time
from collections.abc import Sequence

import numpy as np

SHORT, WARM_UP = 1 << 20, 3
# Horovod looks for work once a cycle of 1 ms. Called again at once, a short exchange would be timed
# in whole cycles; after a pause of random length it waits for half of one.
LONGEST_PAUSE = 0.004


def seconds_of(sizes: Sequence[int], repeats: int) -> dict[int, float]:
    """The median seconds of an all-reduce of each number of bytes, as this worker sees it."""
    import tensorflow as tf

    from rsutils import parallel as hvd

    hvd.init()
    found = {}
    pauses = np.random.default_rng(0)  # the same ones on each worker
    for n_bytes in sizes:
        tensor = tf.ones((n_bytes // 4,))
        reduce = tf.function(
            lambda tensor=tensor, name=f"bytes_{n_bytes}": hvd.allreduce(tensor, name=name)
        )
        times = []
        # A short exchange is over in a time slice of the scheduler: it takes more turns to tell.
        turns = repeats if n_bytes > SHORT else 8 * repeats
        for turn in range(turns + WARM_UP):
            time.sleep(pauses.uniform(0, LONGEST_PAUSE))
            start = time.perf_counter()
            reduce()
            if turn >= WARM_UP:
                times.append(time.perf_counter() - start)
        found[n_bytes] = float(np.median(times))
    return found
