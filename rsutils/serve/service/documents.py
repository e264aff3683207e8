"""The addresses of the service, and their OpenAPI document, from the classes that check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import JSONResponse, PlainTextResponse, Response

from rsutils.serve.service import answer_schema as answers
from rsutils.serve.service import limits, schema

REFUSALS = {
    403: "The Host or Origin is foreign, or the caller may not do this.",
    404: "There is nothing of this name.",
    408: "The body did not arrive in time.",
    409: "The model cannot be loaded, or the index finds too little; the one before goes on.",
    413: f"The body has more than {limits.LARGEST_BODY} bytes.",
    415: "The body is not JSON.",
    422: "A value is not as expected, or names something unknown.",
    503: "Overloaded; try again after the seconds in Retry-After.",
}
SCHEMAS = "#/components/schemas/"
BODY = (408, 413, 415, 422, 503)


@dataclass(frozen=True)
class Address:
    """One method at one path.

    Attributes:
        method: of HTTP.
        path: template.
        function: name of the method of ``Service``.
        summary: a line about it.
        tag: its group.
        answer: of its success; None for text.
        errors: statuses beside 403, which any call can get.
        parameters: of the query string.
        body: of the request.
        names: patterns of the parts of the path.
        status: of success.
    """

    method: str
    path: str
    function: str
    summary: str
    tag: str
    answer: type[BaseModel] | None
    errors: Sequence[int] = ()
    parameters: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    names: Sequence[str] = ()
    status: int = 200

    @property
    def response_class(self) -> type[Response]:
        """What FastAPI takes for the media type."""
        return PlainTextResponse if self.answer is None else JSONResponse

    def responses(self) -> dict[int | str, dict[str, Any]]:
        """Each status with its body."""
        # Also where success is text.
        content = {"application/json": {"schema": {"$ref": f"{SCHEMAS}ErrorBody"}}}
        found: dict[int | str, dict[str, Any]] = {
            status: {"content": content, "description": REFUSALS[status]}
            for status in sorted({403, *self.errors})
        }
        if 503 in found:
            after = {"description": "seconds", "schema": {"type": "integer", "minimum": 1}}
            found[503]["headers"] = {"Retry-After": after}
        if self.path == "/ready":
            found[503] = {"model": answers.ReadyBody, "description": "Not ready."}
        if self.answer is not None:
            found[self.status] = {"model": self.answer, "description": self.summary}
        return found

    def extra(self) -> dict[str, Any]:
        """Parameters and body, from the classes that check them."""
        extra: dict[str, Any] = {"parameters": [*map(_path_parameter, self.names)]}
        if self.parameters is not None:
            extra["parameters"] += _query_parameters(self.parameters)
        if self.body is not None:
            reference = {"$ref": f"{SCHEMAS}{self.body.__name__}"}
            content = {"application/json": {"schema": reference}}
            extra["requestBody"] = {"required": True, "content": content}
        return extra


ADDRESSES = (
    Address(
        *("GET", "/recommend", "recommend_get", "Recommendations for a user", "answers"),
        *(answers.AnswerBody, (422, 503), schema.RecommendParameters),
    ),
    Address(
        *("POST", "/recommend", "recommend_post"),
        *("Recommendations for a user, a history given here, or both", "answers"),
        *(answers.AnswerBody, BODY, None, schema.RecommendBody),
    ),
    Address(
        *("GET", "/similar", "similar", "Items like one item", "answers"),
        *(answers.AnswerBody, (404, 422, 503), schema.SimilarParameters),
    ),
    Address(
        *("POST", "/events", "events_post", "Keep what users did; 202 once on disk", "events"),
        *(answers.AcceptedBody, BODY, None, schema.EventsBody, (), 202),
    ),
    Address(
        *("GET", "/items", "items", "Items by a part of their title", "catalogue"),
        *(answers.ItemsBody, (422, 503), schema.ItemsParameters),
    ),
    Address(
        *("GET", "/users", "users", "Some users to try", "catalogue"),
        *(answers.UsersBody, (422, 503), schema.UsersParameters),
    ),
    Address(
        *("GET", "/users/{user}/history", "history", "What is known of a user", "catalogue"),
        *(answers.ItemsBody, (404, 422, 503), schema.HistoryParameters, None, ("user",)),
    ),
    Address(
        *("GET", "/models", "models", "Models there are, and the active one", "models"),
        *(answers.ModelsBody, (422,)),
    ),
    Address(
        *("POST", "/models/roll-back", "roll_back", "Back to the previous model", "models"),
        *(answers.SwapBody, (409,)),
    ),
    Address(
        *("POST", "/models/{name}/activate", "activate", "Let another model answer", "models"),
        *(answers.SwapBody, (404, 409), None, None, ("name",)),
    ),
    Address(
        *("POST", "/models/index", "rebuild_index", "Search by another index", "models"),
        *(answers.RebuiltBody, (409, *BODY), None, schema.IndexBody),
    ),
    Address("GET", "/health", "health", "Whether the process runs", "state", answers.HealthBody),
    Address("GET", "/ready", "ready", "Whether the model answers", "state", answers.ReadyBody),
    Address("GET", "/metrics", "metrics_text", "Figures for Prometheus", "state", None),
)
APART = (
    *(each.body for each in ADDRESSES if each.body),
    *schema.INDEX_SETTINGS.values(),
    answers.ErrorBody,
)
"""What FastAPI does not see: its own checks are passed by."""


def openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the app."""
    if not app.openapi_schema:
        found = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        _, bodies = models_json_schema(
            [(each, "validation") for each in APART], ref_template=f"{SCHEMAS}{{model}}"
        )
        found["components"]["schemas"] |= bodies["$defs"]
        app.openapi_schema = found
    return app.openapi_schema


def _path_parameter(name: str) -> dict[str, Any]:
    pattern = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": schema.NAME}
    return {"name": name, "in": "path", "required": True, "schema": pattern}


def _query_parameters(kind: type[BaseModel]) -> list[dict[str, Any]]:
    described = kind.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": name in described.get("required", ()),
            "schema": _without_null(each),
        }
        for name, each in described["properties"].items()
    ]


def _without_null(each: Mapping[str, Any]) -> dict[str, Any]:
    """A query string has no null: a parameter is there or not."""
    kinds = [kind for kind in each.get("anyOf", ()) if kind.get("type") != "null"]
    rest = {name: value for name, value in each.items() if name not in ("anyOf", "title")}
    if rest.get("default", "") is None:
        del rest["default"]
    return {**rest, **(kinds[0] if kinds else {})}
