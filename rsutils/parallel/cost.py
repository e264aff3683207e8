"""What exchanges cost, before anyone buys the machines: latency, bandwidth, bytes.

A message of n bytes takes α + n β seconds. From that follow the times of whole exchanges (Thakur,
Rabenseifner and Gropp 2005, "Optimization of collective communication operations in MPICH",
sections 3 and 4).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls


@dataclass(frozen=True)
class Network:
    """How fast messages are.

    Attributes:
        latency: α, seconds a message, however short.
        seconds_per_byte: β, one over the bandwidth.
        overhead: seconds a call, before the first message: workers have to agree that all of them
            are ready.
    """

    latency: float
    seconds_per_byte: float
    overhead: float = 0.0


def ring_allreduce(n_bytes: float, workers: int, network: Network) -> float:
    """Seconds of an all-reduce in a ring: 2(N-1) messages, each of n/N bytes.

    Example:
        >>> round(ring_allreduce(1e9, 4, Network(0.0, 1e-9)), 6)
        1.5
    """
    messages = 2 * (_known(workers) - 1)
    return _call(messages, messages / workers * n_bytes, workers, network)


def tree_allreduce(n_bytes: float, workers: int, network: Network) -> float:
    """Seconds of an all-reduce up and down a binary tree: 2 log N messages, each of all n bytes.

    Example:
        >>> round(tree_allreduce(1e9, 4, Network(0.0, 1e-9)), 6)
        4.0
    """
    messages = 2 * math.ceil(math.log2(_known(workers)))
    return _call(messages, messages * n_bytes, workers, network)


def allgather(n_bytes: float, workers: int, network: Network) -> float:
    """Seconds until every worker has the n bytes of each: N-1 messages around a ring.

    Example:
        >>> round(allgather(1e9, 4, Network(0.0, 1e-9)), 6)
        3.0
    """
    return _call(workers - 1, (workers - 1) * n_bytes, workers, network)


def alltoall(n_bytes: float, workers: int, network: Network) -> float:
    """Seconds until each worker sent an equal part of its n bytes to every other one.

    Example:
        >>> round(alltoall(1e9, 4, Network(0.0, 1e-9)), 6)
        0.75
    """
    return _call(workers - 1, (_known(workers) - 1) / workers * n_bytes, workers, network)


def _known(workers: int) -> int:
    if workers < 1:
        raise ValueError(f"workers is {workers}; expected at least 1.")
    return workers


def _call(messages: float, n_bytes: float, workers: int, network: Network) -> float:
    if _known(workers) == 1:
        return 0.0
    return network.overhead + messages * network.latency + n_bytes * network.seconds_per_byte


@dataclass(frozen=True)
class SharedNetwork:
    """A network between workers that may share the cores of one machine.

    Attributes:
        network: as one worker on each core would see it.
        cores: of the machine, or None for a machine each. Workers that share a core wait for each
            other at every message and every byte.
        serial: what a byte costs more while there are cores enough: a worker sends, receives and
            adds up one after the other, and only with more workers than cores is no core idle.
        cached: bytes of a message that fit into the processor's caches.
        seconds_per_byte_beyond: what each byte beyond these costs more.
    """

    network: Network
    cores: int | None = None
    serial: float = 1.0
    cached: float = math.inf
    seconds_per_byte_beyond: float = 0.0

    def ring_allreduce(self, n_bytes: float, workers: int) -> float:
        """Seconds; see :func:`ring_allreduce`."""
        sharing = max(1.0, workers / self.cores) if self.cores else 1.0
        calls = ring_allreduce(0.0, workers, self.network)
        moved = ring_allreduce(n_bytes, workers, self.network) - calls
        beyond = Network(0.0, self.seconds_per_byte_beyond)
        moved += ring_allreduce(max(0.0, n_bytes - self.cached), workers, beyond)
        return sharing * calls + max(self.serial, sharing) * moved


SERIAL = np.arange(1.0, 3.01, 0.1)
CACHED = (math.inf, *(2.0**power for power in range(18, 26)))
"""What :func:`fit_network` tries where cores are shared."""


def fit_network(
    workers: Sequence[int],
    n_bytes: Sequence[float],
    seconds: Sequence[float],
    cores: int | None = None,
) -> SharedNetwork:
    """The network that explains measured ring all-reduces best, by relative error.

    Args:
        workers: of each measurement.
        n_bytes: of each measurement.
        seconds: of each measurement.
        cores: of the one machine on which all workers ran, or None for a machine each.

    Raises:
        ValueError: fewer than three measurements, or one that is not positive.

    Example:
        >>> true = Network(1e-5, 1e-9, 1e-3)
        >>> cases = [(n, b) for n in (2, 4, 8) for b in (1e3, 1e6, 1e8)]
        >>> times = [ring_allreduce(b, n, true) for n, b in cases]
        >>> found = fit_network(*zip(*cases), times)
        >>> round(found.network.latency * 1e6, 3), round(found.network.seconds_per_byte * 1e9, 3)
        (10.0, 1.0)
    """
    count, size, measured = (np.asarray(a, float) for a in (workers, n_bytes, seconds))
    if len(measured) < 3 or min(measured.min(), size.min(), count.min() - 1) <= 0:
        raise ValueError(
            f"{len(measured)} measurements; expected three or more, all of them positive and of at "
            "least two workers."
        )
    sharing = np.maximum(1.0, count / cores) if cores else np.ones_like(count)
    messages = 2 * (count - 1)
    found = []
    for serial, cached in itertools.product(SERIAL, CACHED) if cores else ((1.0, math.inf),):
        turns = messages / count * np.maximum(serial, sharing)
        beyond = np.maximum(0, size - cached)
        columns = np.stack([sharing, messages * sharing, turns * size, turns * beyond], 1)
        # Relative errors: otherwise the longest message decides. Scaled, for the solver's sake.
        columns /= measured[:, None]
        scale = np.linalg.norm(columns, axis=0)
        scale[scale == 0] = 1
        numbers, error = nnls(columns / scale, np.ones_like(measured))
        overhead, latency, per_byte, more = (float(number) for number in numbers / scale)
        network = Network(latency, per_byte, overhead)
        found.append((error, SharedNetwork(network, cores, float(serial), cached, more)))
    return min(found, key=lambda pair: pair[0])[1]


@dataclass(frozen=True)
class Model:
    """What a training step computes and sends.

    Attributes:
        dense_bytes: of all weights but the tables.
        table_bytes: of all tables.
        step_seconds: that one worker computes for its batch.
        vectors: rows of tables that a worker's batch names.
        vector_bytes: of one row.
    """

    dense_bytes: float
    table_bytes: float
    step_seconds: float
    vectors: int
    vector_bytes: int

    def exchange_seconds(self, way: str, workers: int, network: Network) -> float:
        """Seconds a step spends on exchanges, when nothing else is done meanwhile.

        Args:
            way: ``"dense"`` all-reduces whole tables, ``"sparse"`` gathers the named rows from
                all, ``"sharded"`` spreads the tables and sends vectors there and back.
            workers: each with a batch of its own.
            network: between them; the faster of ring and tree is taken for each all-reduce.

        Raises:
            ValueError: another way.
        """

        def allreduce(n_bytes: float) -> float:
            return min(f(n_bytes, workers, network) for f in (ring_allreduce, tree_allreduce))

        named = self.vectors * self.vector_bytes
        if way == "dense":
            return allreduce(self.dense_bytes + self.table_bytes)
        if way == "sparse":
            return allreduce(self.dense_bytes) + allgather(named, workers, network)
        if way == "sharded":
            ids = alltoall(4 * self.vectors, workers, network)
            return allreduce(self.dense_bytes) + ids + 2 * alltoall(named, workers, network)
        raise ValueError(f"way is {way!r}; expected dense, sparse or sharded.")

    def efficiency(self, way: str, workers: int, network: Network) -> float:
        """Examples a second of all workers over those of as many that never exchange anything.

        Example:
            >>> model = Model(1e6, 1e10, 0.1, 10_000, 256)
            >>> fast = Network(5e-6, 4e-11)
            >>> [round(model.efficiency(way, 1024, fast), 2) for way in ("dense", "sharded")]
            [0.11, 0.86]
        """
        return self.step_seconds / (
            self.step_seconds + self.exchange_seconds(way, workers, network)
        )
