"""The view `web`. The server's libraries are imported when the view starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridsim.api import Control, Register, RunContext, Snapshot, View, hookimpl
from gridsim_plugins.views.web.settings import WebSettings

if TYPE_CHECKING:
    from gridsim_plugins.views.web.server import WebServer


class EarlierAddresses:
    """The port and token of each server of the run that has closed.

    The view of a reloaded configuration uses them again, so that open pages find it.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[WebSettings, int, str]] = []

    def keep(self, settings: WebSettings, port: int, token: str) -> None:
        """Keep those of a server that has closed."""
        self._kept.append((settings, port, token))

    def take(self, settings: WebSettings) -> tuple[int, str]:
        """Return those of a server with the same settings, once; 0 and "" if there was none."""
        for one in self._kept:
            if one[0] == settings:
                self._kept.remove(one)
                return one[1:]
        return 0, ""

    def close(self) -> None:
        """Forget all."""
        self._kept.clear()


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

        before = self.run.service("web.addresses", EarlierAddresses)
        server = WebServer(self.settings, control, before.take(self.settings))
        server.start()
        self._server = server
        self.run.announce("web", {"url": server.url})

    def show(self, snapshot: Snapshot) -> None:
        if self._server is not None:
            self._server.show(snapshot)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            before = self.run.service("web.addresses", EarlierAddresses)
            before.keep(self.settings, self._server.port, self._server.token)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.view("web", Web)
