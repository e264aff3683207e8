"""A stand-in for the service: the contract of its calls over a made catalogue, with failures."""

import asyncio
import threading
import time
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from rsutils import settings
from rsutils.serve.service.admission import POLICY

PAGE = settings.REPOSITORY / "rsutils" / "serve" / "service" / "page"
HEADERS = {"Content-Security-Policy": POLICY}
MARKUP = "<img src=x onerror=\"document.title='broken into'\">"
CATEGORIES = ("comedy", "drama", "war")
PLACES = ("Pistar", "Fuveis", "Bradror", "Kouth", "Zelun", "Mirad", "Tolas", "Venor")
TITLES = [f"The {thing} of {place}" for thing in ("Star", "Letter", "Orbit") for place in PLACES]


def variant(size: int, ndcg: float, milliseconds: float, overlap: float) -> dict:
    """What /models tells of a variant of the ranker."""
    interval = [ndcg - 0.004, ndcg + 0.004]
    quality = {"ndcg@10": ndcg, "ndcg@10_interval": interval, "users": 100}
    return {
        "bytes": size,
        "quality": quality,
        "p50_ms": milliseconds,
        "top10_overlap": overlap,
    }


VARIANTS = {
    "fp32": variant(4_000_000, 0.125, 1.5, 1.0),
    "int8": variant(1_000_000, 0.124, 0.5, 0.9),
    "pruned": variant(800_000, 0.123, 0.75, 0.8),
}


@dataclass
class Failure:
    """What the next ``times`` calls of a path get instead of an answer."""

    path: str
    status: int
    detail: str
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1


class PageServer:
    """Serves the page and the calls that it makes, in a thread, on a free port of this machine.

    Films are numbered; film 5 has a title full of markup, and none is an opera. User "0" has seen
    films 0 and 1. Recommendations wait while ``gate`` is cleared.
    """

    def __init__(self) -> None:
        self.port = 0
        self.reset()
        self.app = Starlette(
            routes=[
                Route("/", self.index),
                Route("/page/{name}", self.page),
                Route("/recommend", self.recommend, methods=["GET", "POST"]),
                Route("/similar", self.similar),
                Route("/events", self.events, methods=["POST"]),
                Route("/health", lambda _: JSONResponse({"status": "alive"})),
                Route("/ready", self.ready),
                Route("/models", self.models),
                Route("/models/roll-back", self.roll_back, methods=["POST"]),
                Route("/models/{name}/activate", self.activate, methods=["POST"]),
                Route("/items", self.items),
                Route("/users", self.some_users),
                Route("/users/{user}/history", self.history),
            ]
        )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts, on the same port where there was one."""
        config = uvicorn.Config(self.app, host="127.0.0.1", port=self.port, log_level="critical")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive(), "the stand-in server did not start"
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self.server.force_exit = self.server.should_exit = True
        self.thread.join()

    def reset(self) -> None:
        """Forgets everything that happened."""
        self.failures: list[Failure] = []
        self.seen = {"0": ["0", "1"], "1": ["2"]}
        self.received: list[dict] = []
        self.cached: set[tuple] = set()
        self.active, self.previous = "demo-2", "demo-1"
        self.source = "model"
        self.gate = threading.Event()
        self.gate.set()
        self.tokens: list[str | None] = []

    def failing(self, path: str) -> JSONResponse | None:
        for failure in self.failures:
            if failure.path == path and failure.times:
                failure.times -= 1
                body = {"detail": failure.detail}
                return JSONResponse(body, failure.status, headers=failure.headers)
        return None

    async def index(self, _: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers=HEADERS)

    async def page(self, request: Request) -> Response:
        return FileResponse(PAGE / request.path_params["name"], headers=HEADERS)

    def recommend_now(self, query: dict) -> Response:
        """Answers for what ``GET`` and ``POST`` both say."""
        variant = query["variant"] or "fp32"
        if variant not in VARIANTS:
            return JSONResponse({"detail": f"No variant is named {variant!r}."}, 422)
        history = [*self.seen.get(query["user"], []), *query["history"]]
        key = (query["user"], *history, query["k"], *query["categories"], variant, self.active)
        cache = "hit" if key in self.cached else "miss"
        self.cached.add(key)
        source = self.source if history else "popularity"
        return JSONResponse(answer(query, history, variant, source, cache, self.active))

    async def recommend(self, request: Request) -> Response:
        await asyncio.to_thread(self.gate.wait, 20)
        if failed := self.failing("/recommend"):
            return failed
        if request.method == "POST":
            return self.recommend_now({"user": None, **await request.json()})
        given = request.query_params
        query = {
            "user": given.get("user"),
            "history": [],
            "k": int(given["k"]),
            "categories": given.getlist("category"),
            "variant": given.get("variant"),
        }
        return self.recommend_now(query)

    async def similar(self, request: Request) -> Response:
        if failed := self.failing("/similar"):
            return failed
        item, k = request.query_params["item"], int(request.query_params["k"])
        query = {"k": k, "categories": []}
        return JSONResponse(answer(query, [item], "fp32", "model", "miss", self.active, "similar"))

    async def events(self, request: Request) -> Response:
        if failed := self.failing("/events"):
            return failed
        events = (await request.json())["events"]
        for event in events:
            self.received.append(event)
            self.seen.setdefault(event["user"], []).append(event["item"])
        return JSONResponse({"accepted": len(events)}, 202)

    async def ready(self, _: Request) -> Response:
        store = {"kind": "redis", "up": True}
        return JSONResponse({"ready": True, "model": self.active, "store": store, "queue": 0})

    async def models(self, _: Request) -> Response:
        return JSONResponse(
            {
                "active": self.active,
                "previous": self.previous,
                "models": ["demo-1", "demo-2", "demo-3"],
                "variants": VARIANTS,
                "default_variant": "fp32",
                "dataset": "demo",
                "categories": [*CATEGORIES, "opera"],
            }
        )

    def swap(self, path: str, name: str) -> Response:
        if failed := self.failing(path):
            return failed
        self.active, self.previous = name, self.active
        return JSONResponse({"active": self.active, "previous": self.previous})

    async def roll_back(self, _: Request) -> Response:
        return self.swap("/models/roll-back", self.previous)

    async def activate(self, request: Request) -> Response:
        self.tokens.append(request.headers.get("authorization"))
        return self.swap("/models/activate", request.path_params["name"])

    async def items(self, request: Request) -> Response:
        if failed := self.failing("/items"):
            return failed
        text = request.query_params["text"].lower()
        found = [film(number) for number in range(len(TITLES))]
        found = [one for one in found if text in one["title"].lower()]
        return JSONResponse({"items": found[: int(request.query_params["limit"])]})

    async def some_users(self, _: Request) -> Response:
        users = [{"user": user, "interactions": len(seen)} for user, seen in self.seen.items()]
        return JSONResponse({"users": users})

    async def history(self, request: Request) -> Response:
        seen = self.seen.get(request.path_params["user"], [])
        return JSONResponse({"items": [film(int(item)) for item in reversed(seen)]})


def film(number: int) -> dict:
    title = MARKUP if number == 5 else TITLES[number]
    return {"item": str(number), "title": title, "categories": [CATEGORIES[number % 3]]}


def order(variant: str) -> list[int]:
    """All films, best first; int8 puts film 5 behind film 7 and film 3 last."""
    numbers = list(range(len(TITLES)))
    if variant == "int8":
        numbers = [0, 1, 2, 3, 4, 6, 7, 5, *numbers[8:]]
        numbers.remove(3)
        numbers.append(3)
    return numbers


def answer(
    query: dict,
    history: list[str],
    variant: str,
    source: str,
    cache: str,
    model: str,
    kind: str = "because",
) -> dict:
    """The body of an answer; what was seen is never in it."""
    reason = {"kind": "popular", "item": None, "title": None}
    if history and source == "model":
        last = film(int(history[-1]))
        reason = {"kind": kind, "item": last["item"], "title": last["title"]}
    wanted = set(query["categories"])
    films = [film(number) for number in order(variant) if str(number) not in history]
    films = [one for one in films if not wanted or wanted & set(one["categories"])]
    films = films[: query["k"]]
    return {
        "items": [
            {**one, "score": 3 - place / 4, "reason": reason} for place, one in enumerate(films)
        ],
        "source": source,
        "cache": cache,
        "model": model,
        "variant": variant,
        "milliseconds": 1.25,
        "stages": {"cache": 0.1} if cache == "hit" else {"retrieval": 0.25, "ranking": 0.75},
    }
