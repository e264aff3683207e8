"""Load on a service from another process: at a given rate, or as fast as it answers."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np


class Request(NamedTuple):
    """One request.

    Attributes:
        method: such as ``"GET"``.
        path: with the query.
        body: JSON, or None.
    """

    method: str
    path: str
    body: str | None = None


@dataclass(frozen=True)
class Load:
    """What a load test saw; one entry a request, in order of the answers.

    Attributes:
        request: (n,) int, which of the requests it was.
        status: (n,) int, of HTTP; 0 where no answer came.
        due: (n,) seconds from the start at which it should have been sent.
        took: (n,) seconds from then to the end of the answer; NaN where none came.
        seconds: for which requests were due.
    """

    request: np.ndarray
    status: np.ndarray
    due: np.ndarray
    took: np.ndarray
    seconds: float

    def __len__(self) -> int:
        return len(self.status)

    @property
    def statuses(self) -> dict[int, int]:
        """How many answers had each status."""
        return dict(sorted(Counter(self.status.tolist()).items()))

    @property
    def rate(self) -> float:
        """Requests a second that were answered with status 200 or 202."""
        return float(self.good.sum() / self.seconds)

    @property
    def good(self) -> np.ndarray:
        """(n,) bool, which were answered as they should be."""
        return (self.status == 200) | (self.status == 202)

    def percentile(self, *percents: float) -> list[float]:
        """Milliseconds that so many percent of the good answers took at most.

        Each is a time that was measured (the nearest rank), NaN where there is no good answer.
        """
        took = self.took[self.good]
        if not len(took):
            return [float("nan")] * len(percents)
        return [float(1e3 * np.percentile(took, p, method="inverted_cdf")) for p in percents]


def load_test(
    url: str,
    requests: Sequence[Request],
    rate: float | None = None,
    seconds: float = 5.0,
    connections: int = 64,
    timeout: float = 5.0,
    seed: int = 0,
) -> Load:
    """Send requests to ``url`` from another process.

    With a ``rate`` they are due at random times that do not depend on the answers (a Poisson
    process: an **open loop**, as of users who do not know of each other), and an answer's time
    counts from when its request was due. A client that waits for an answer before it asks again (a
    **closed loop**, without ``rate``) slows down together with the service: it asks least while the
    service is slowest, and its percentiles leave out just those moments (Tene, "How not to measure
    latency", calls it coordinated omission).

    Args:
        url: such as ``http://127.0.0.1:8000``.
        requests: sent in turn, over and over.
        rate: requests a second; None for a closed loop.
        seconds: for which requests are due.
        connections: kept open; where all are in use, requests wait, and their time counts.
        timeout: seconds after the end to wait for the last answers.
        seed: of the times.

    Raises:
        ValueError: an argument is out of range, or the URL is not of the form http://host:port.
        RuntimeError: the process that sends failed, such as where nobody listens.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or not parts.port:
        raise ValueError(f"url is {url!r}; expected http://host:port.")
    if not requests:
        raise ValueError("requests is empty; expected at least one.")
    for name, value in (("seconds", seconds), ("connections", connections), ("rate", rate)):
        if value is not None and not value > 0:
            raise ValueError(f"{name} is {value}; expected more than 0.")
    times = None if rate is None else arrivals(rate, seconds, seed).tolist()
    if times == []:
        raise ValueError(f"At a rate of {rate} no request is due in {seconds} seconds.")
    plan = {
        "url": url,
        "requests": [list(each) for each in requests],
        "times": times,
        "seconds": seconds,
        "connections": connections,
        "timeout": timeout,
    }
    done = subprocess.run(
        [sys.executable, "-m", "rsutils.measure.load_client"],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(f"No load on {url}: {lines[-1] if lines else 'the client was killed'}")
    seen = json.loads(done.stdout)
    return Load(
        np.array(seen["request"]),
        np.array(seen["status"]),
        np.array(seen["due"]),
        np.array(seen["took"], float),
        seconds,
    )


def arrivals(rate: float, seconds: float, seed: int = 0) -> np.ndarray:
    """Times at which requests of users who do not know of each other are due: (n,) ascending.

    Args:
        rate: requests a second, in the mean.
        seconds: the times are below.
        seed: of the draw.

    Example:
        >>> times = arrivals(100, 50)
        >>> bool(abs(len(times) - 5000) < 300), bool(times.max() < 50)
        (True, True)
    """
    rng = np.random.default_rng(seed)
    n = rng.poisson(rate * seconds)
    return np.sort(rng.uniform(0, seconds, n))
