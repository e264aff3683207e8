"""What answers look like, for OpenAPI; and their JSON, written without a second check."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from rsutils.serve.answers import Answer, Recommended


class _Answered(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReasonBody(_Answered):
    """Why an item is shown."""

    kind: Literal["because", "similar", "popular"]
    item: str | None
    title: str | None


class ItemBody(_Answered):
    """An item of the catalogue."""

    item: str
    title: str
    categories: list[str]


class RecommendedBody(ItemBody):
    """An item that is recommended."""

    score: float
    reason: ReasonBody


class AnswerBody(_Answered):
    """Recommended items, best first, and how they came about."""

    items: list[RecommendedBody]
    source: Literal["model", "popularity"]
    cache: Literal["hit", "miss", "stale"]
    model: str
    variant: str
    milliseconds: Annotated[float, Field(description="from the arrival of the request")]
    stages: dict[str, float]


class ItemsBody(_Answered):
    """Items of the catalogue."""

    items: list[ItemBody]


class UserBody(_Answered):
    """A user and how much is known."""

    user: str
    interactions: int


class UsersBody(_Answered):
    """Some users."""

    users: list[UserBody]


class AcceptedBody(_Answered):
    """How many events are on disk."""

    accepted: int


class HealthBody(_Answered):
    """The process runs."""

    status: Literal["alive"]


class ReadyBody(_Answered):
    """Whether requests get the model's answers."""

    ready: bool
    model: str
    store: dict[str, Any]
    queue: int


class SwapBody(_Answered):
    """Which model answers, and to which a roll-back would go."""

    active: str
    previous: str | None


class IndexFacts(_Answered):
    """By which index the items of a model are searched."""

    kind: str
    version: Annotated[int, Field(description="1 as the model came, one more for each rebuild")]
    settings: dict[str, Any]
    recall: Annotated[
        float | None,
        Field(description="share of the exact best that it found when it was built"),
    ]


class RebuiltBody(IndexFacts):
    """Which index took over."""

    model: str
    seconds: Annotated[float, Field(description="from the arrival of the request")]


class ModelsBody(SwapBody):
    """Which models there are."""

    models: list[str]
    variants: dict[str, Any]
    default_variant: str
    dataset: str | None
    categories: list[str]
    index: IndexFacts


class ErrorBody(_Answered):
    """What was wrong with a request."""

    detail: str


def dump(content: Any) -> bytes:
    """JSON in UTF-8.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def json_response(content: bytes, status: int = 200) -> Response:
    """A response that no cache on the way keeps."""
    return Response(content, status, {"cache-control": "no-store"}, media_type="application/json")


def index_facts(version: Any) -> dict[str, Any]:
    """What is told of an index.

    Args:
        version: ``rsutils.serve.retrieval.Version``.
    """
    return {
        "kind": version.index.kind,
        "version": version.number,
        "settings": dict(version.index.settings),
        "recall": version.recall,
    }


def answer_json(answer: Answer, milliseconds: float) -> bytes:
    """The body of an answer.

    Args:
        answer: of the engine.
        milliseconds: since the request arrived.
    """
    return dump(
        {
            "items": [_item(each) for each in answer.items],
            "source": answer.source,
            "cache": answer.cache,
            "model": answer.model,
            "variant": answer.variant,
            "milliseconds": round(milliseconds, 3),
            "stages": {name: round(value, 3) for name, value in answer.stages.items()},
        }
    )


def _item(each: Recommended) -> dict[str, Any]:
    reason = each.reason
    return {
        "item": each.item,
        "title": each.title,
        "categories": each.categories,
        "score": each.score,
        "reason": {"kind": reason.kind, "item": reason.item, "title": reason.title},
    }
