"""What an exported file costs: bytes, milliseconds against fp32 by turns, memory of a process."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rsutils.measure import bytes_on_disk, latency, peak_memory, zipped_bytes
from rsutils.serve import LiteRTRunner, OnnxScorer

TURNS = 15
"""Times that both files are timed, one after the other; the ratio is the median over turns."""


def opened(path: Path, threads: int = 1) -> Callable[[Any], np.ndarray]:
    """A file in the runtime that it was written for."""
    kind = LiteRTRunner if path.suffix == ".tflite" else OnnxScorer
    return kind(path, threads)


def costs(path: Path, fp32: Path, inputs: dict[str, np.ndarray]) -> dict[str, float]:
    """Bytes, memory, and milliseconds a call with one thread and two."""
    found: dict[str, float] = {
        "bytes": bytes_on_disk(path),
        "zipped_bytes": zipped_bytes(path),
        "bytes_ratio": bytes_on_disk(path) / bytes_on_disk(fp32),
        "zipped_ratio": zipped_bytes(path) / zipped_bytes(fp32),
        "peak_mb": memory_of(path, inputs),
    }
    for threads, suffix in ((1, ""), (2, "_2_threads")):
        found |= timed(path, fp32, inputs, threads, suffix)
    return found


def timed(
    path: Path, fp32: Path, inputs: dict[str, np.ndarray], threads: int, suffix: str
) -> dict[str, float]:
    """Milliseconds a call, absolute and against fp32, by turns."""
    both = [opened(each, threads) for each in (path, fp32)]
    times = np.array(
        [[latency(each, inputs, repeats=200).p50_ms for each in both] for _ in range(TURNS)]
    )
    return {
        f"p50_ms{suffix}": float(np.median(times[:, 0])),
        f"p50_ratio{suffix}": float(np.median(times[:, 0] / times[:, 1])),
    }


def memory_of(path: Path, inputs: dict[str, np.ndarray]) -> float:
    """Megabytes at the peak of a fresh process that loads the file and scores."""
    request = json.dumps({name: values.tolist() for name, values in inputs.items()})
    command = [sys.executable, "-m", "benchmarks.compression_costs", str(path)]
    result = subprocess.run(command, input=request, capture_output=True, text=True, check=True)
    return float(result.stdout)


def overlap(one: Any, other: Any, lists: list[dict[str, np.ndarray]], k: int = 10) -> float:
    """The share of the first ``k`` of each list that two scorers have in common."""
    shared = []
    for inputs in lists:
        first, second = (
            set(np.argsort(-np.ravel(each(inputs)), kind="stable")[:k].tolist())
            for each in (one, other)
        )
        shared.append(len(first & second) / k)
    return float(np.mean(shared))


if __name__ == "__main__":
    with peak_memory() as memory:
        scorer = opened(Path(sys.argv[1]))
        rows = {name: np.array(ids, np.int32) for name, ids in json.load(sys.stdin).items()}
        for _ in range(100):
            scorer(rows)
    print(memory.peak_mb)
