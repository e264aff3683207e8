"""What each address does, beneath the HTTP framework."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rsutils.serve.answers import Answer, Query, UnknownNameError
from rsutils.serve.service import schema
from rsutils.serve.service.answer_schema import answer_json, dump, json_response
from rsutils.serve.service.batching import Batcher
from rsutils.serve.service.computing import Outcome, Work
from rsutils.serve.service.events import EventWriter, as_events
from rsutils.serve.service.guard import Guard
from rsutils.serve.service.limits import (
    ARRIVED,
    FACTS,
    GONE,
    QueueSettings,
    RefusedError,
    read_json,
)
from rsutils.serve.service.metrics import CONTENT_TYPE, Metrics
from rsutils.serve.service.model_endpoints import ModelEndpoints
from rsutils.serve.service.models import Hub
from rsutils.serve.service.request_log import RequestLog

LOOKUPS = 64
"""Searches, lists of users and histories that may wait."""


def _never() -> bool:
    return False


@dataclass(eq=False)
class Service(ModelEndpoints):
    """The parts of one running service; made on the event loop.

    Attributes:
        hub: which system answers.
        batcher: computes.
        events: keeps events.
        guard: tells who may do what.
        metrics: counts.
        log: takes a line a request.
        settings: of the queue.
        store_state: what the store says of itself.
    """

    hub: Hub
    batcher: Batcher
    events: EventWriter
    guard: Guard
    metrics: Metrics
    log: RequestLog
    settings: QueueSettings
    store_state: Callable[[], Mapping[str, Any]]
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="lookups")
    )
    _lookups: int = 0

    async def recommend_get(self, request: Request) -> Response:
        """Recommendations for a user."""
        asked = schema.from_query(schema.RecommendParameters, request.scope["query_string"])
        query = Query(asked.user, (), asked.k, asked.category, (), asked.variant)
        return await self._recommend(request, query)

    async def recommend_post(self, request: Request) -> Response:
        """Recommendations for a user, a history given with the request, or both."""
        schema.from_query(schema.NoParameters, request.scope["query_string"])
        body = await read_json(request.scope, request.receive)
        asked = schema.from_json(schema.RecommendBody, body)
        query = Query(
            asked.user, asked.history, asked.k, asked.categories, asked.blocked, asked.variant
        )
        return await self._recommend(request, query)

    async def similar(self, request: Request) -> Response:
        """Items like one item."""
        asked = schema.from_query(schema.SimilarParameters, request.scope["query_string"])
        if not self.hub.active.warm:
            raise RefusedError(503, "The model is loading. Try again later.", "loading", 1)
        known = self.hub.active.engine.categories
        for category in asked.category:
            if category not in known:
                raise UnknownNameError(f"There is no category {category!r}.")
        try:
            outcome = await self._compute(
                request, lambda engine: engine.similar(asked.item, asked.k, asked.category)
            )
        except UnknownNameError as error:
            raise RefusedError(404, str(error)) from None
        return self._answered(request, outcome)

    async def events_post(self, request: Request) -> Response:
        """Keep what users did; answered once it is on disk."""
        schema.from_query(schema.NoParameters, request.scope["query_string"])
        body = await read_json(request.scope, request.receive)
        events = as_events(schema.from_json(schema.EventsBody, body).events)
        serving = self.hub.lease()
        try:
            await self.events.keep(serving.engine, events)
        finally:
            self.hub.release(serving)
        self.metrics.events(len(events))
        return json_response(dump({"accepted": len(events)}), 202)

    async def items(self, request: Request) -> Response:
        """Items whose title has a text in it."""
        asked = schema.from_query(schema.ItemsParameters, request.scope["query_string"])
        found = await self._look_up(lambda engine: engine.titles(asked.text, asked.limit))
        return json_response(dump({"items": found}))

    async def users(self, request: Request) -> Response:
        """Some users to try."""
        self.guard.check_curious(request.scope)
        asked = schema.from_query(schema.UsersParameters, request.scope["query_string"])
        found = await self._look_up(lambda engine: engine.some_users(asked.limit))
        return json_response(dump({"users": found}))

    async def history(self, request: Request) -> Response:
        """What is known of a user, newest first."""
        self.guard.check_curious(request.scope)
        asked = schema.from_query(schema.HistoryParameters, request.scope["query_string"])
        user = schema.check_name("user", request.path_params["user"])
        try:
            found = await self._look_up(lambda engine: engine.history(user, asked.limit))
        except UnknownNameError as error:
            raise RefusedError(404, str(error)) from None
        return json_response(dump({"items": found}))

    async def health(self, request: Request) -> Response:
        """Whether the process runs."""
        return json_response(b'{"status":"alive"}')

    async def ready(self, request: Request) -> Response:
        """Whether requests get the model's answers."""
        active = self.hub.active
        content = {
            "ready": active.warm,
            "model": active.name,
            "store": dict(self.store_state()),
            "queue": self.batcher.waiting,
        }
        return json_response(dump(content), 200 if active.warm else 503)

    async def metrics_text(self, request: Request) -> Response:
        """Counters and histograms for Prometheus."""
        version = self.hub.active.engine.index
        self.metrics.searches(version.index.kind, version.number)
        return Response(self.metrics.text(), headers={"content-type": CONTENT_TYPE})

    async def close(self) -> None:
        """Finish what runs, and close what is open."""
        loop = asyncio.get_running_loop()
        await self.batcher.close()
        await loop.run_in_executor(None, self.events.close)
        self._threads.shutdown()
        self.hub.close()
        self.log.close()

    async def _recommend(self, request: Request, query: Query) -> Response:
        active = self.hub.active
        if active.warm:
            outcome = await self._compute(request, query)
        else:
            outcome = Outcome(active.engine.popular(query), 1, True)
        return self._answered(request, outcome)

    async def _compute(self, request: Request, work: Work) -> Outcome:
        scope = request.scope
        return await self.batcher.compute(work, scope[ARRIVED], scope.get(GONE, _never))

    def _answered(self, request: Request, outcome: Outcome) -> Response:
        answer: Answer = outcome.value
        request.scope[FACTS] |= {
            "batch": outcome.batch,
            "cache": answer.cache,
            "model": answer.model,
            "variant": answer.variant,
        }
        if outcome.fallback:
            self.metrics.fell_back()
        self.metrics.cached(answer.cache)
        milliseconds = (time.perf_counter() - request.scope[ARRIVED]) * 1000
        return json_response(answer_json(answer, milliseconds))

    async def _look_up(self, function: Callable[[Any], Any]) -> Any:
        """A small search on a thread of its own, beside the model's."""
        if self._lookups >= LOOKUPS:
            raise RefusedError(503, "Too many searches wait. Try again later.", "lookups", 1)
        serving = self.hub.lease()
        self._lookups += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, function, serving.engine
            )
        finally:
            self._lookups -= 1
            self.hub.release(serving)
