"""What the tests of launching run on worker processes; some of it fails on purpose."""

import os
import signal
import time


def who(text, mark=""):
    from rsutils import parallel as hvd

    hvd.init()
    print(text + mark)
    return {
        "rank": hvd.rank(),
        "size": hvd.size(),
        "pid": os.getpid(),
        "cores": os.sched_getaffinity(0),
        "threads": os.environ["TF_NUM_INTRAOP_THREADS"],
    }


def fail_on(rank):
    from rsutils import parallel as hvd

    hvd.init()
    if hvd.rank() == rank:
        return 1 / 0
    hvd.barrier()
    return None


def kill_self_on(rank):
    from rsutils import parallel as hvd

    hvd.init()
    if hvd.rank() == rank:
        os.kill(os.getpid(), signal.SIGKILL)
    hvd.barrier()


def wait_for_ever():
    print("before the wait", flush=True)
    time.sleep(1000)


def reduce_different_shapes():
    import tensorflow as tf

    from rsutils import parallel as hvd

    hvd.init()
    hvd.allreduce(tf.ones(hvd.rank() + 1))
