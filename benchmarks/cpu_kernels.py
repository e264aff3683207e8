"""What TensorFlow's oneDNN kernels are worth on this processor, model by model.

    python -m benchmarks.cpu_kernels [--system NAME]

TensorFlow brings two sets of kernels for a CPU. Those of oneDNN are on by default where the
processor has instructions made for neural networks, and off elsewhere; ``TF_ENABLE_ONEDNN_OPTS``
decides, read when TensorFlow is loaded. ``rsutils.settings`` switches them on. Each model trains
with both, a process for each, in turn; what is timed are training steps behind the first ones, in
which TensorFlow traces. ``ms_without`` and ``ms_with`` are medians of a step's milliseconds, and
``speedup`` is the median of the pairs' ratios.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from types import ModuleType
from typing import Any

from benchmarks import frappe, ncf_ml1m, sasrec_ml1m
from benchmarks.common import print_row
from benchmarks.steps import fresh_processes, step_clock
from rsutils.measure import processor

WARM_UP, TIMED, PAIRS = 24, 64, 3
"""Steps before the clock starts, steps that it counts, and how often both kernels take turns."""


def train(module: ModuleType, name: str, callback: Any) -> None:
    """A system of another benchmark, at the settings that it was measured with there."""
    benchmark = module.BENCHMARK
    part = benchmark.test()
    options = {key: value for key, value in part.options.items() if key != "validation"}
    model = benchmark.systems[name].model(seed=0, epochs=1)
    model.fit(part.train, callbacks=[callback], **options)


CASES: dict[str, tuple[str, Callable[[Any], None]]] = {
    name: (module.DATASET, partial(train, module, name))
    for module, names in (
        (sasrec_ml1m, ("sasrec", "sasrec_one_negative", "bert4rec")),
        (ncf_ml1m, ("neumf",)),
        (frappe, ("dnn", "dlrm")),
    )
    for name in names
}
"""By name: which data set, and what trains a model on it with a callback."""


def milliseconds(name: str, onednn: bool) -> float:
    """A step's time; TensorFlow is loaded here, in a process of its own."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = str(int(onednn))
    clock = step_clock(WARM_UP, TIMED)
    CASES[name][1](clock)
    return 1000 * clock.seconds / clock.steps


def run(names: Sequence[str]) -> None:
    """Print a row a model."""
    with fresh_processes() as one:
        for name in names:
            pairs = [
                tuple(one.submit(milliseconds, name, onednn).result() for onednn in (False, True))
                for _ in range(PAIRS)
            ]
            print_row(
                benchmark="cpu_kernels",
                dataset=CASES[name][0],
                system=name,
                ms_without=median(pair[0] for pair in pairs),
                ms_with=median(pair[1] for pair in pairs),
                speedup=median(default / onednn for default, onednn in pairs),
                seed=0,
                published=None,
                processor=processor(),
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
