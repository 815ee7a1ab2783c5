"""The application: routes, middleware, and errors as JSON."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from anyio.to_thread import run_sync
from loguru import logger
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gridsim_plugins.views.web.access import Address, Guard, RateLimit
from gridsim_plugins.views.web.answers import Failed, answer, failed
from gridsim_plugins.views.web.api import Api
from gridsim_plugins.views.web.endpoints import ENDPOINTS, Endpoint
from gridsim_plugins.views.web.openapi import description
from gridsim_plugins.views.web.overload import RefusalLog
from gridsim_plugins.views.web.requests import read_query
from gridsim_plugins.views.web.shortcut import Shortcut
from gridsim_plugins.views.web.site import Page

_READS_PER_S, _READS_AT_ONCE = 400.0, 800.0
_WRITES_PER_S, _WRITES_AT_ONCE = 20.0, 40.0

_Answering = Callable[[Request], Coroutine[Any, Any, Response]]


def make_app(api: Api, address: Address, refusals: RefusalLog | None = None) -> Starlette:
    """Return the application; `refusals` has the requests that were refused."""
    page = Page(api.first)
    routes = [
        Route("/", page.index),
        Route("/static/{path:path}", page.file),
        Route("/openapi.json", lambda request: answer(description())),
        *_routes(api),
    ]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(
                Guard,
                address=address,
                reads=RateLimit(_READS_PER_S, _READS_AT_ONCE),
                writes=RateLimit(_WRITES_PER_S, _WRITES_AT_ONCE),
                refusals=refusals or RefusalLog(),
            ),
            Middleware(Shortcut, shared=api.shared, stream=api.feed),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5),
        ],
        exception_handlers={Failed: _on_failed, HTTPException: _on_http_exception},
    )


def _routes(api: Api) -> list[Route]:
    """Return a route for each path; the methods of a path share it, for the answer 405."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [
        Route(path, _dispatcher(api, methods), methods=list(methods))
        for path, methods in paths.items()
    ]


def _dispatcher(api: Api, endpoints: Mapping[str, Endpoint]) -> _Answering:
    async def answer_request(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = endpoints[method]
        query = read_query(request, endpoint.query)
        handler = getattr(api, endpoint.handler)
        try:
            if inspect.iscoroutinefunction(handler):
                response: Response = await handler(request, query)
                return response
            return await run_sync(handler, request, query)
        except (Failed, HTTPException):
            raise
        except Exception as error:
            logger.error("the web view failed at {}: {!r}", request.url.path, error)
            return failed(500, f"the server failed: {type(error).__name__}; see the run's log")

    return answer_request


async def _on_failed(request: Request, error: Exception) -> Response:
    if not isinstance(error, Failed):
        raise error
    return answer({"error": str(error), **error.more}, error.status)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404:
        return failed(404, f"there is nothing at {request.url.path}; see /openapi.json")
    if error.status_code == 405:
        methods = (error.headers or {}).get("Allow", "")
        text = f"{request.url.path} does not take {request.method}, but {methods}"
        return failed(405, text, error.headers)
    return failed(error.status_code, error.detail, error.headers)
