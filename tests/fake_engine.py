"""An engine with a small catalogue and a delay to choose, and a command line that serves it.

``python -m tests.fake_engine MODELS`` is ``python -m rsutils serve MODELS`` with this engine. Its
folders are sealed ones: ``write_system`` makes them.
"""

import contextlib
import io
import os
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np

from rsutils.sealed import new_folder, read_sealed, seal
from rsutils.serve.answers import (
    Answer,
    Query,
    Reason,
    Recommended,
    UnknownNameError,
)
from rsutils.serve.service import run
from rsutils.serve.service.app import create_app
from rsutils.serve.service.events import EventWriter
from rsutils.serve.service.models import Hub, Systems
from rsutils.serve.service.request_log import RequestLog
from rsutils.serve.store import EventLog

KIND, FORMAT = "fake system", 1
CATEGORIES = ("Comedy", "Drama", "War")
ITEMS = {str(number): CATEGORIES[number % 3] for number in range(200)}
VARIANTS = ("fp32", "int8")
N_VECTORS = 300
COMMAND = (sys.executable, "-m", "tests.fake_engine")
DELAY = "RSUTILS_FAKE_DELAY"
"""Environment variable: seconds that a batch takes."""
GATE = "RSUTILS_FAKE_GATE"
"""Environment variable: a file for which every batch waits, if it is set."""


def write_system(folder, created="2026-01-01", **content):
    """A system folder of this engine."""
    variants = {name: {"bytes": 1, "quality": {"ndcg@10": 0.1}} for name in VARIANTS}
    with new_folder(folder) as draft:
        (draft / "weights.bin").write_bytes(b"1234")
        content = {"created": created, "dataset": "fake", "variants": variants, **content}
        seal(draft, KIND, FORMAT, content)
    return folder


class FakeEngine:
    """Answers after ``delay`` seconds; user ``broken`` makes the model fail.

    ``batches`` holds the users of each batch, ``recorded`` the events by id.
    """

    def __init__(self, folder, store=None, threads=1, delay=None):
        self.folder, self.name = Path(folder), Path(folder).name
        self.manifest = read_sealed(folder, KIND, FORMAT)
        self.variants, self.categories = VARIANTS, CATEGORIES
        self.delay = float(os.environ.get(DELAY, 0)) if delay is None else delay
        self.gate = Path(os.environ[GATE]) if GATE in os.environ else None
        self.batches, self.recorded, self.closed = [], {}, False
        self._live, self._lock = None, threading.Lock()

    def answer(self, queries):
        """One answer or error for each query."""
        assert not self.closed, "a closed engine was asked"
        self.batches.append([query.user for query in queries])
        if self.delay:
            time.sleep(self.delay)
        due = time.monotonic() + 60
        while self.gate and not self.gate.exists():
            assert time.monotonic() < due, "nobody opened the gate"
            time.sleep(0.005)
        if self.manifest.get("broken"):
            raise RuntimeError("the whole model is broken")
        return [self._one(query) for query in queries]

    def _one(self, query):
        try:
            self._check(query)
        except UnknownNameError as error:
            return error
        if query.user == "broken":
            return RuntimeError("secret-user-id broke the model")
        return self._answer(query, "model")

    @property
    def index(self):
        """A real one, over made-up vectors, that no answer asks."""
        return self._searched().current

    def rebuild_index(self, kind=None, **settings):
        """Really built and checked."""
        live = self._searched()
        return live.rebuild(live.current.index.vectors(np.arange(N_VECTORS)), kind, **settings)

    def _searched(self):
        # Made when somebody asks, since faiss takes half a second to load.
        from rsutils.serve.retrieval import LiveIndex, build_index

        with self._lock:
            if self._live is None:
                vectors = np.random.default_rng(0).standard_normal((N_VECTORS, 8))
                self._live = LiveIndex(build_index("exact", vectors))
            return self._live

    def popular(self, query):
        """The same items for all."""
        self._check(query)
        return self._answer(query, "popularity")

    def similar(self, item, k=10, categories=(), blocked=()):
        """Items after one item."""
        if item not in ITEMS:
            raise UnknownNameError(f"There is no item {item!r}.")
        return self._answer(Query(None, (), k, tuple(categories), tuple(blocked)), "model")

    def check_events(self, events):
        """Raise for unknown items."""
        for event in events:
            if event.item not in ITEMS:
                raise UnknownNameError(f"There is no item {event.item!r}.")

    def record(self, events):
        """Keep events by their ids."""
        self.check_events(events)
        self.recorded |= {event.id: event for event in events}

    def titles(self, text, limit=20):
        """Items by title."""
        found = [item for item in ITEMS if text.lower() in f"film {item}"]
        return [_item(item) for item in found[:limit]]

    def some_users(self, limit=20):
        """Users."""
        return [{"user": str(number), "interactions": 1} for number in range(min(limit, 5))]

    def history(self, user, limit=50):
        """What was recorded of a user."""
        events = [event for event in self.recorded.values() if event.user == user]
        return [_item(event.item) for event in events[::-1][:limit]]

    def warm_up(self):
        """Nothing to warm, unless the manifest says that this fails."""
        if self.manifest.get("cold"):
            raise RuntimeError("no memory for the model")

    def close(self):
        """Answer no more."""
        assert not self.closed, "an engine was closed twice"
        self.closed = True

    def _check(self, query):
        for item in (*query.history, *query.blocked):
            if item not in ITEMS:
                raise UnknownNameError(f"There is no item {item!r}.")
        for category in query.categories:
            if category not in CATEGORIES:
                raise UnknownNameError(f"There is no category {category!r}.")
        if query.variant not in (None, *VARIANTS):
            raise UnknownNameError(f"There is no variant {query.variant!r}.")

    def _answer(self, query, source):
        found = [
            item
            for item, category in ITEMS.items()
            if item not in query.blocked and (not query.categories or category in query.categories)
        ]
        items = tuple(
            Recommended(item, f"Film {item}", (ITEMS[item],), 1.0 / (1 + place), Reason("popular"))
            for place, item in enumerate(found[: query.k])
        )
        variant = query.variant or VARIANTS[0]
        return Answer(items, source, "miss", self.name, variant, {"ranking": 1.0})


class Served:
    """A service in this process: ``client`` calls it, ``service`` is what it is made of."""

    def __init__(self, service, client, printed):
        self.service, self.client, self.printed = service, client, printed

    @property
    def engine(self):
        """The engine that answers."""
        return self.service.hub.active.engine


@contextlib.asynccontextmanager
async def served(folder, log=None, caller="127.0.0.1", warm=True, **options):
    """The app over ``folder`` without a network; events go to ``log`` or a file beside it."""
    given = run.Options(folder, **options)
    log = log or EventLog(folder.parent / "events.jsonl")
    hub, printed = Hub(Systems(folder), FakeEngine, given.model), io.StringIO()
    service = run.make_service(
        given, hub, EventWriter(log), lambda: {"kind": "memory", "up": True}, RequestLog(printed)
    )
    if warm:
        await hub.warm_up()
    transport = httpx.ASGITransport(create_app(service), client=(caller, 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield Served(service, client, printed)
    await service.close()
    log.close()


def _item(item):
    return {"item": item, "title": f"Film {item}", "categories": [ITEMS[item]]}


if __name__ == "__main__":
    from rsutils import __main__ as command_line

    run.open_engine = FakeEngine
    sys.exit(command_line.main(["serve", *sys.argv[1:]]))
