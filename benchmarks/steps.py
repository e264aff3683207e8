"""What the benchmarks of speed share: a process for each run, and a clock over training steps."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def fresh_processes() -> ProcessPoolExecutor:
    """Runs one call after the other, each in a new process that has loaded nothing yet."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, spawn, max_tasks_per_child=1)


def step_clock(skipped: int, timed: int | None = None) -> Any:
    """A callback for Keras that times training steps behind the first ones.

    Its ``first`` is how many steps went by untimed, at least ``skipped``; ``steps`` and ``seconds``
    are what was timed. TensorFlow may run several steps at a time, so both can be a few more.

    Args:
        skipped: steps of the first epoch before the clock starts.
        timed: after as many more, training stops; None times all that are left in the epoch.
    """
    import keras

    class Clock(keras.callbacks.Callback):
        first, steps, seconds = 0, 0, 0.0

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            now = time.perf_counter()
            if not self.first:
                if batch + 1 >= skipped:
                    self.first, self.started = batch + 1, now
                return
            self.steps, self.seconds = batch + 1 - self.first, now - self.started
            if timed is not None and self.steps >= timed:
                self.model.stop_training = True

    return Clock()
