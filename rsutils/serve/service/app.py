"""The HTTP application: addresses, their description, and errors as sentences."""

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Match
from starlette.staticfiles import StaticFiles

from rsutils.serve.answers import UnknownNameError
from rsutils.serve.service import documents, documents_page
from rsutils.serve.service.admission import Door, error_headers
from rsutils.serve.service.answer_schema import dump
from rsutils.serve.service.batching import ClientGoneError
from rsutils.serve.service.endpoints import Service
from rsutils.serve.service.limits import FACTS, RefusedError
from rsutils.serve.service.request_log import log_failure

LOG = logging.getLogger("rsutils.serve")
PAGE = Path(__file__).parent / "page"

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(service: Service) -> Door:
    """The ASGI app of a service.

    Args:
        service: its parts.
    """
    app = FastAPI(
        title="Recommendations",
        version="1",
        description="Recommended items for users and sessions, and events to learn from.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.openapi = lambda: documents.openapi(app)  # type: ignore[method-assign]
    app.add_exception_handler(HTTPException, _framework_error)
    for each in documents.ADDRESSES:
        app.add_api_route(
            each.path,
            _with_sentences(getattr(service, each.function), service),
            methods=[each.method],
            operation_id=each.function,
            summary=each.summary,
            tags=[each.tag],
            status_code=each.status,
            responses=each.responses(),
            openapi_extra=each.extra(),
            response_class=each.response_class,
        )
    app.add_api_route("/docs", _docs(app), include_in_schema=False)
    app.add_api_route("/", _index, include_in_schema=False)
    if PAGE.is_dir():
        app.mount("/page", PageFiles(directory=PAGE), name="page")
    return Door(app, service.batcher, service.guard, service.metrics, service.log)


class PageFiles(StaticFiles):
    """Files of the page, asked for anew each time: parts of two versions do not fit together."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        """A file, or word that the browser's copy is still right."""
        response = super().file_response(*args, **options)
        response.headers["cache-control"] = "no-cache"
        return response


def _with_sentences(function: Endpoint, service: Service) -> Endpoint:
    """``function`` with every error as ``{"detail": ...}``."""

    @wraps(function)
    async def endpoint(request: Request) -> Response:
        try:
            return await function(request)
        except RefusedError as error:
            refused = error
        except UnknownNameError as error:
            refused = RefusedError(422, str(error))
        except ClientGoneError:
            request.scope[FACTS]["gone"] = True
            refused = RefusedError(503, "The client went away.")
        except Exception as error:
            log_failure(LOG, "A request failed", error)
            service.metrics.failed("request")
            refused = RefusedError(500, "The service failed; the error is in its log.")
        if refused.why:
            service.metrics.refused(refused.why)
        return _response(refused)

    endpoint.__annotations__ = {"request": Request, "return": Response}
    return endpoint


def _response(refused: RefusedError) -> Response:
    headers = {name.decode(): value.decode() for name, value in error_headers(refused)}
    return Response(dump({"detail": refused.detail}), refused.status, headers)


async def _framework_error(request: Request, error: Any) -> Response:
    """No such address, or not by this method."""
    path = request.url.path
    if error.status_code == 405:
        allowed = ", ".join(_methods(request))
        response = _response(
            RefusedError(405, f"{request.method} is not taken at {path}; expected {allowed}.")
        )
        response.headers["allow"] = allowed
        return response
    if error.status_code == 404:
        return _response(RefusedError(404, f"There is nothing at {path[:80]!r}; see /docs."))
    return _response(RefusedError(error.status_code, f"{error.detail}."))


def _methods(request: Request) -> list[str]:
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] != Match.NONE:
            found |= getattr(route, "methods", None) or {"GET", "HEAD"}
    return sorted(found)


async def _index(request: Request) -> Response:
    index = PAGE / "index.html"
    if not index.is_file():
        return _response(RefusedError(404, "The page is not installed; see /docs."))
    return FileResponse(index, headers={"cache-control": "no-cache"})


def _docs(app: FastAPI) -> Endpoint:
    async def docs(request: Request) -> Response:
        text = documents_page.as_html(app.openapi())
        return Response(
            text, headers={"content-security-policy": documents_page.POLICY}, media_type="text/html"
        )

    docs.__annotations__ = {"request": Request, "return": Response}
    return docs
