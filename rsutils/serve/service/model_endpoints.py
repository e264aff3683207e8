"""The addresses by which the served system is looked at, swapped, and searched otherwise."""

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rsutils.serve.retrieval.base import RebuildError
from rsutils.serve.service import schema
from rsutils.serve.service.answer_schema import dump, index_facts, json_response
from rsutils.serve.service.guard import Guard
from rsutils.serve.service.limits import ARRIVED, RefusedError, read_json
from rsutils.serve.service.models import DamagedModelError, Hub, UnknownModelError


class ModelEndpoints:
    """What a service does with its models.

    Attributes:
        hub: which system answers.
        guard: tells who may change that.
    """

    hub: Hub
    guard: Guard

    async def models(self, request: Request) -> Response:
        """The systems there are, and what the active one says of itself."""
        schema.from_query(schema.NoParameters, request.scope["query_string"])
        engine = self.hub.active.engine
        content = {
            **self._state(),
            "models": self.hub.systems.names(),
            "variants": dict(engine.manifest["variants"]),
            "default_variant": engine.variants[0],
            "dataset": engine.manifest.get("dataset"),
            "categories": list(engine.categories),
            "index": index_facts(engine.index),
        }
        return json_response(dump(content))

    async def activate(self, request: Request) -> Response:
        """Let another system answer."""
        self.guard.check_leave(request.scope)
        try:
            await self.hub.activate(request.path_params["name"])
        except UnknownModelError as error:
            raise RefusedError(404, str(error)) from None
        except DamagedModelError as error:
            raise RefusedError(409, str(error)) from None
        return json_response(dump(self._state()))

    async def roll_back(self, request: Request) -> Response:
        """Let the system before answer again."""
        self.guard.check_leave(request.scope)
        try:
            await self.hub.roll_back()
        except UnknownModelError as error:
            raise RefusedError(409, str(error)) from None
        return json_response(dump(self._state()))

    async def rebuild_index(self, request: Request) -> Response:
        """Let another index over the active system's items take over; answered once it has."""
        self.guard.check_leave(request.scope)
        schema.from_query(schema.NoParameters, request.scope["query_string"])
        body = await read_json(request.scope, request.receive)
        asked = schema.from_json(schema.IndexBody, body)
        serving = self.hub.lease()
        try:
            kind = asked.kind or serving.engine.index.index.kind
            settings = schema.index_settings(kind, asked.settings)
            version = await self.hub.rebuild_index(serving, kind, settings)
        except RebuildError as error:
            raise RefusedError(409, str(error)) from None
        except ValueError as error:
            raise RefusedError(422, str(error)) from None
        finally:
            self.hub.release(serving)
        content: dict[str, Any] = {"model": serving.name, **index_facts(version)}
        content["seconds"] = round(time.perf_counter() - request.scope[ARRIVED], 3)
        return json_response(dump(content))

    def _state(self) -> dict[str, str | None]:
        previous = self.hub.previous
        return {"active": self.hub.active.name, "previous": previous and previous.name}
