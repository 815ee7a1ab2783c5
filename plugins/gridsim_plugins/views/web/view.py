"""The view `web`. The server's libraries are imported when the view starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridsim.api import Control, Register, RunContext, Snapshot, View, hookimpl
from gridsim_plugins.views.web.settings import WebSettings

if TYPE_CHECKING:
    from gridsim_plugins.views.web.server import WebServer


class Web(View[WebSettings]):
    """A page in the browser, an HTTP API and metrics for Prometheus."""

    Settings = WebSettings

    def __init__(self, settings: WebSettings, run: RunContext) -> None:
        super().__init__(settings, run)
        self._server: WebServer | None = None

    def describe(self) -> str:
        return "" if self._server is None else self._server.url

    def start(self, control: Control) -> None:
        from gridsim_plugins.views.web.server import WebServer

        server = WebServer(self.settings, control)
        server.start()
        self._server = server
        self.run.announce("web", {"url": server.url})

    def show(self, snapshot: Snapshot) -> None:
        if self._server is not None:
            self._server.show(snapshot)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


@hookimpl
def gridsim_register(register: Register) -> None:
    register.view("web", Web)
