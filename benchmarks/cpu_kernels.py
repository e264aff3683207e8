"""What TensorFlow's oneDNN kernels are worth on this processor, model by model.

    python -m benchmarks.cpu_kernels [--system NAME]

TensorFlow brings two sets of kernels for a CPU. Those of oneDNN are on by default where the
processor has instructions made for neural networks, and off elsewhere; ``TF_ENABLE_ONEDNN_OPTS``
decides, read when TensorFlow is loaded. ``rsutils.settings`` switches them on. Each model trains
with both, a process for each, in turn; what is timed are training steps behind the first ones, in
which TensorFlow traces. ``ms_default`` and ``ms_onednn`` are medians of a step's milliseconds, and
``speedup`` is the median of the pairs' ratios.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import Any

from benchmarks.common import print_row
from rsutils.data import load

WARM_UP, TIMED, PAIRS = 24, 64, 5
"""Steps before the clock starts, steps that it counts, and how often both kernels take turns."""


def train_sasrec(loss: str, callback: Any) -> None:
    """SASRec at the sizes of ``benchmarks.sasrec_ml1m``."""
    from rsutils.models import SASRec

    train = load("sasrec-ml-1m").published.train
    SASRec(loss=loss, batch_size=32, epochs=1, progress=False).fit(train, [callback])


def train_neumf(callback: Any) -> None:
    """NeuMF at the sizes of ``benchmarks.ncf_ml1m``."""
    from rsutils.models import NCF

    train = load("ncf-ml-1m").published.train
    NCF(epochs=1, progress=False).fit(train, callbacks=[callback])


def train_fields(kind: str, callback: Any) -> None:
    """A model of rows at the sizes of ``benchmarks.frappe``."""
    from benchmarks import frappe

    chosen = {**frappe.SYSTEMS[kind].chosen, "epochs": 1}
    frappe.make(kind, **chosen).fit(load("frappe").train, callbacks=[callback])


CASES: dict[str, tuple[Callable[..., None], str, tuple[str, ...]]] = {
    "sasrec": (train_sasrec, "sasrec-ml-1m", ("full_softmax",)),
    "sasrec_one_negative": (train_sasrec, "sasrec-ml-1m", ("one_negative",)),
    "neumf": (train_neumf, "ncf-ml-1m", ()),
    "dnn": (train_fields, "frappe", ("dnn",)),
    "dlrm": (train_fields, "frappe", ("dlrm",)),
}
"""By name: what trains, on which data set, with which arguments."""


def milliseconds(name: str, onednn: bool) -> float:
    """A step's time; TensorFlow is loaded here, in a process of its own."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = str(int(onednn))
    clock = _clock()
    train, _, arguments = CASES[name]
    train(*arguments, clock)
    return 1000 * clock.seconds / clock.steps


def _clock() -> Any:
    """A callback that times some steps, and then stops training."""
    import keras

    class Clock(keras.callbacks.Callback):
        first, steps, seconds = 0, 0, 0.0

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            if self.steps:
                return
            if not self.first and batch + 1 >= WARM_UP:
                self.first, self.started = batch + 1, time.perf_counter()
            elif self.first and batch + 1 >= self.first + TIMED:
                self.steps, self.seconds = (
                    batch + 1 - self.first,
                    time.perf_counter() - self.started,
                )
                self.model.stop_training = True

    return Clock()


def run(names: Sequence[str]) -> None:
    """Print a row a model."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, max_tasks_per_child=1) as one:
        for name in names:
            pairs = [
                tuple(one.submit(milliseconds, name, onednn).result() for onednn in (False, True))
                for _ in range(PAIRS)
            ]
            print_row(
                benchmark="cpu_kernels",
                dataset=CASES[name][1],
                system=name,
                ms_default=median(pair[0] for pair in pairs),
                ms_onednn=median(pair[1] for pair in pairs),
                speedup=median(default / onednn for default, onednn in pairs),
                seed=0,
                published=None,
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu_kernels")
    parser.add_argument("--system", choices=CASES, help="only this one")
    options = parser.parse_args(arguments)
    try:
        run([options.system] if options.system else list(CASES))
    except ConnectionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
