"""What Prometheus reads at ``/metrics``."""

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0)
SIZES = (1, 2, 4, 8, 16, 32, 64)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Counters and histograms of one app, in a registry of its own.

    Args:
        queue: how many requests wait.
        store: what the store says of itself, ``{"up": bool, ...}``.
    """

    def __init__(self, queue: Callable[[], int], store: Callable[[], Mapping[str, Any]]) -> None:
        self.registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests", ("route", "status"))
        self._seconds = Histogram(
            "rsutils_request_seconds",
            "Seconds from arrival to the end of the answer",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._batches = Histogram(
            "rsutils_batch_size",
            "Requests computed at once",
            buckets=SIZES,
            registry=self.registry,
        )
        self._batch_seconds = Histogram(
            "rsutils_batch_seconds",
            "Seconds that a batch takes",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._cache = self._counter("cache", "Answers by what the cache had", ("outcome",))
        self._refused = self._counter("refused", "Requests refused with 503", ("reason",))
        self._fallback = self._counter("fallback", "Answers by popularity, the model failing", ())
        self._events = self._counter("events", "Events acknowledged", ())
        self._failures = self._counter("failures", "Errors of the service itself", ("where",))
        self._model = self._gauge("model_info", "The model that answers", ("model",))
        self._index = self._gauge("index_version", "The index that is searched", ("kind",))
        self._gauge("queue_length", "Requests that wait").set_function(queue)
        self._gauge("store_up", "Whether the store answers").set_function(
            lambda: float(bool(store().get("up")))
        )
        self._of_route: dict[tuple[str, int], tuple[Any, Any]] = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a finished request."""
        # Looking labels up takes longer than counting.
        found = self._of_route.get((route, status))
        if found is None:
            found = (self._requests.labels(route, str(status)), self._seconds.labels(route))
            self._of_route[route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def batch(self, size: int, seconds: float) -> None:
        """Count a batch."""
        self._batches.observe(size)
        self._batch_seconds.observe(seconds)

    def cached(self, outcome: str) -> None:
        """Count an answer by what the cache had."""
        self._cache.labels(outcome).inc()

    def refused(self, reason: str) -> None:
        """Count a refusal."""
        self._refused.labels(reason).inc()

    def fell_back(self) -> None:
        """Count an answer of the last resort."""
        self._fallback.inc()

    def events(self, count: int) -> None:
        """Count acknowledged events."""
        self._events.inc(count)

    def failed(self, where: str) -> None:
        """Count an error that is the service's own."""
        self._failures.labels(where).inc()

    def serves(self, model: str) -> None:
        """Say which model answers."""
        self._model.clear()
        self._model.labels(model).set(1)

    def searches(self, kind: str, version: int) -> None:
        """Say which index of the model is searched."""
        self._index.clear()
        self._index.labels(kind).set(version)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)

    def _counter(self, name: str, about: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"rsutils_{name}", about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"rsutils_{name}", about, labels, registry=self.registry)
