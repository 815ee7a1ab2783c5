"""The frequent requests of open pages, answered without the routes. A fleet of 100,000 devices
ticks in about 30 ms. Fifty pages send four requests a second each, and a worker thread and the
routes cost more than an answer itself.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gridsim_plugins.views.web.endpoints import V1
from gridsim_plugins.views.web.shared import SharedAnswers
from gridsim_plugins.views.web.site import cached
from gridsim_plugins.views.web.stream import Stream


class Shortcut:
    """ASGI middleware that returns stored answers and the stream; the app answers all other
    requests.
    """

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
