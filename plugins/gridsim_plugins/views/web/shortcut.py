"""The requests of open pages that come again and again, answered without the routes.

A fleet of 100,000 devices ticks in about 30 ms. Fifty pages ask four times a second, and each
request costs a worker thread and the routes more than its answer does.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gridsim_plugins.views.web.endpoints import V1
from gridsim_plugins.views.web.shared import SharedAnswers
from gridsim_plugins.views.web.site import cached
from gridsim_plugins.views.web.stream import Stream


class Shortcut:
    """ASGI middleware: gives answers that are held, and the stream; all others are the app's."""

    def __init__(self, app: ASGIApp, *, shared: SharedAnswers, stream: Stream) -> None:
        self._app = app
        self._shared = shared
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            path, query = scope["path"], scope["query_string"]
            if path == f"{V1}/stream" and not query and not self._stream.is_full:
                await self._stream.response()(scope, receive, send)
                return
            if (made := self._shared.held((path, query))) is not None:
                await cached(Request(scope), made)(scope, receive, send)
                return
        await self._app(scope, receive, send)
