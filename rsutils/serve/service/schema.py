"""What requests and answers look like: checked here, described by OpenAPI from the same classes."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from rsutils.serve.answers import EVENT_KINDS
from rsutils.serve.service import limits
from rsutils.serve.service.limits import RefusedError

NAME = r"^[A-Za-z0-9_.:-]+$"
LARGEST_SHOWN = 80
"""Characters of a wrong value that an error repeats."""

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=NAME)]
Category = Annotated[str, Field(min_length=1, max_length=64)]
Categories = Annotated[tuple[Category, ...], Field(max_length=limits.LARGEST_CATEGORIES)]
HowMany = Annotated[int, Field(ge=1, le=limits.LARGEST_K)]


Precision = Literal["float32", "float16"]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RecommendBody(_Asked):
    """Who asks, and what may be shown."""

    user: Name | None = None
    history: Annotated[tuple[Name, ...], Field(max_length=limits.LARGEST_HISTORY)] = ()
    k: HowMany = 10
    categories: Categories = ()
    blocked: Annotated[tuple[Name, ...], Field(max_length=limits.LARGEST_BLOCKED)] = ()
    variant: Name | None = None


class RecommendParameters(_Asked):
    """The query string of ``GET /recommend``."""

    user: Name | None = None
    k: HowMany = 10
    category: Categories = ()
    variant: Name | None = None


class SimilarParameters(_Asked):
    """The query string of ``GET /similar``."""

    item: Name
    k: HowMany = 10
    category: Categories = ()


class ItemsParameters(_Asked):
    """The query string of ``GET /items``."""

    text: Annotated[str, Field(max_length=limits.LARGEST_TEXT)] = ""
    limit: HowMany = 20


class UsersParameters(_Asked):
    """The query string of ``GET /users``."""

    limit: HowMany = 20


class HistoryParameters(_Asked):
    """The query string of ``GET /users/{user}/history``."""

    limit: Annotated[int, Field(ge=1, le=limits.LARGEST_HISTORY)] = 50


class NoParameters(_Asked):
    """An empty query string."""


class EventBody(_Asked):
    """Something a user did."""

    user: Name
    item: Name
    kind: Literal[EVENT_KINDS] = "click"
    id: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_.:-]*$")] = ""


class EventsBody(_Asked):
    """Things that users did."""

    events: Annotated[tuple[EventBody, ...], Field(min_length=1, max_length=limits.LARGEST_EVENTS)]


class ExactSettings(_Asked):
    """Of an ``exact`` index; what is not given stays as it is where the kind stays."""

    precision: Precision = "float32"
    pruning: bool = True


class HNSWSettings(_Asked):
    """Of an ``hnsw`` index; what is not given stays as it is where the kind stays."""

    neighbours: Annotated[int, Field(ge=2, le=limits.LARGEST_NEIGHBOURS)] = 16
    build_expansion: Annotated[int, Field(ge=1, le=limits.LARGEST_EXPANSION)] = 200
    expansion: Annotated[int, Field(ge=1, le=limits.LARGEST_EXPANSION)] | None = None
    balance: Annotated[float, Field(ge=0, le=1)] = 0.65


class IVFPQSettings(_Asked):
    """Of an ``ivf_pq`` index; what is not given stays as it is where the kind stays."""

    lists: Annotated[int, Field(ge=1, le=limits.LARGEST_LISTS)] | None = None
    parts: Annotated[int, Field(ge=1, le=limits.LARGEST_PARTS)] | None = None
    probes: Annotated[int, Field(ge=1, le=limits.LARGEST_LISTS)] | None = None
    candidates: Annotated[int, Field(ge=1, le=limits.LARGEST_CANDIDATES)] | None = None
    precision: Precision = "float32"
    seed: Annotated[int, Field(ge=0, le=limits.LARGEST_SEED)] = 0


INDEX_SETTINGS: dict[str, type[_Asked]] = {
    "exact": ExactSettings,
    "hnsw": HNSWSettings,
    "ivf_pq": IVFPQSettings,
}
"""By the kinds that ``build_index`` takes; with several threads no build would be as another."""


class IndexBody(_Asked):
    """Another index over the items of the active model; without a kind it keeps its own."""

    kind: Literal[tuple(INDEX_SETTINGS)] | None = None
    settings: Annotated[
        dict[str, Any],
        WithJsonSchema({"anyOf": [each.model_json_schema() for each in INDEX_SETTINGS.values()]}),
    ] = {}


Asked = TypeVar("Asked", bound=_Asked)


def from_json(kind: type[Asked], body: bytes) -> Asked:
    """The request that a body holds.

    Raises:
        RefusedError: (422) it is not JSON, or not as ``kind`` describes it.

    Example:
        >>> from_json(RecommendBody, b'{"user": "42", "k": 3}').k
        3
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise _refused(error, kind) from None


def index_settings(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given, if an index of this kind has them.

    Raises:
        RefusedError: (422) one is unknown or out of its range.

    Example:
        >>> index_settings("hnsw", {"expansion": 400})
        {'expansion': 400}
    """
    try:
        found = INDEX_SETTINGS[kind].model_validate(dict(given))
    except ValidationError as error:
        raise _refused(error, INDEX_SETTINGS[kind]) from None
    return found.model_dump(exclude_unset=True)


def from_query(kind: type[Asked], query: bytes) -> Asked:
    """The request that a query string holds.

    Raises:
        RefusedError: (422) it is not as ``kind`` describes it, or repeats what may stand once.

    Example:
        >>> from_query(RecommendParameters, b"user=42&category=War&category=Comedy").category
        ('War', 'Comedy')
    """
    found: dict[str, Any] = {}
    for name, value in _pairs(query):
        if name == "category":
            found[name] = (*found.get(name, ()), value)
        elif name in found:
            raise RefusedError(422, f"{_shown(name)} stands in the query twice; expected once.")
        elif name in ("k", "limit") and value.isascii() and value.isdigit() and len(value) < 10:
            found[name] = int(value)
        else:
            found[name] = value
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        raise _refused(error, kind) from None


def check_name(what: str, value: str) -> str:
    """``value``, if it can be a name.

    Raises:
        RefusedError: (422) it cannot.
    """
    if len(value) <= 64 and re.fullmatch(NAME, value):
        return value
    raise RefusedError(
        422, f"{what} is {_shown(value)}; expected 1 to 64 of the characters A-Z a-z 0-9 _ . : -."
    )


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query.decode(), keep_blank_values=True, errors="strict", max_num_fields=64)
    except UnicodeDecodeError:
        raise RefusedError(422, "The query string is not UTF-8; expected UTF-8.") from None
    except ValueError:
        raise RefusedError(422, "The query string has over 64 fields; expected fewer.") from None


def _refused(error: ValidationError, kind: type[BaseModel]) -> RefusedError:
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(kind.model_fields) or "none"
        return RefusedError(422, f"There is no field {_shown(where)}; expected one of: {known}.")
    if first["type"] == "missing":
        return RefusedError(422, f"{where} is missing; it is required.")
    message = first["msg"].rstrip(".")
    if first["type"] == "json_invalid" or not where:
        return RefusedError(422, f"The body cannot be read: {message}.")
    return RefusedError(422, f"{where} is {_shown(first['input'])}; it {_demand(message)}.")


def _demand(message: str) -> str:
    """``"String should be short"`` without its subject."""
    _, should, rest = message.partition("should ")
    return f"should {rest}" if should else f"is wrong: {message}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LARGEST_SHOWN else f"{text[:LARGEST_SHOWN]}..."
