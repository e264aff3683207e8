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


def heed_interrupts():
    """What a shell starts in the background ignores them, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wait_for_ever():
    print("before the wait", flush=True)
    time.sleep(1000)


def reduce_different_shapes():
    import tensorflow as tf

    from rsutils import parallel as hvd

    hvd.init()
    hvd.allreduce(tf.ones(hvd.rank() + 1))


def who_listens():
    """Addresses at which the processes of this job listen."""
    import json

    import psutil

    from rsutils import parallel as hvd
    from rsutils.parallel.job import job_of

    hvd.init()
    mine = job_of(psutil.Process())
    addresses = [
        connection.laddr.ip
        for process in psutil.process_iter()
        if job_of(process) == mine
        for connection in process.net_connections("inet")
        if connection.status == "LISTEN"
    ]
    hvd.barrier()
    return json.dumps(addresses)
