"""The server of the view: its socket, its thread, and the data that it shares with the views'
thread.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
import socket
import threading
import time
from typing import cast

import uvicorn
from loguru import logger

from gridsim.api import Control, Snapshot
from gridsim_plugins.views.web.access import Address
from gridsim_plugins.views.web.api import Api
from gridsim_plugins.views.web.app import make_app
from gridsim_plugins.views.web.overload import RefusalLog, most_connections, protocol_with
from gridsim_plugins.views.web.settings import WebSettings
from gridsim_plugins.views.web.status import DeliveryRates
from gridsim_plugins.views.web.stream import Stream

_TRIES = 21
_STARTUP_S = 4.0
# After this time connections are closed, even those that still send.
_SHUTDOWN_S = 0.2
_JOIN_S = 0.7
# The time in which open pages fetch the last state.
_LAST_S = 0.3
# The connections that are accepted at once, before the limit of all is looked at.
_BACKLOG = 64
_TAKEN = (errno.EADDRINUSE, errno.EACCES)


class WebServer:
    """A server in a thread with its own event loop.

    `start`, `show` and `close` are called from the views' thread.
    """

    def __init__(
        self, settings: WebSettings, control: Control, before: tuple[int, str] = (0, "")
    ) -> None:
        """Listen to nothing yet. `before`: the port and token of a server that this one follows."""
        self._settings = settings
        self._before, token = before
        self._control = control
        self._socket: socket.socket | None = None
        self._token = settings.token.get_secret_value()
        if not self._token and not settings.is_loopback:
            self._token = token or secrets.token_urlsafe(24)
        self._port = 0
        self._rates = DeliveryRates()
        self._stream = Stream(control.roster, self._rates)
        self._server: uvicorn.Server | None = None
        self._api: Api | None = None
        self._refusals = RefusalLog()
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    @property
    def url(self) -> str:
        """The address by which this machine reaches the server."""
        host = self._settings.host.strip("[]")
        if host in ("0.0.0.0", ""):
            host = "127.0.0.1"
        elif host == "::":
            host = "::1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    @property
    def port(self) -> int:
        """The port at which it listens; 0 before `start`."""
        return self._port

    @property
    def token(self) -> str:
        """The token that other machines need; "" without one."""
        return self._token

    def start(self) -> None:
        """Listen, and answer from now on. Raises OSError if no port is free."""
        self._socket = _listening(self._settings.host, self._before or self._settings.port)
        self._port = self._socket.getsockname()[1]
        self._api = Api(self._control, self.url, self._stream, self._rates)
        address = Address(
            self._settings.host,
            self._port,
            frozenset(name.lower() for name in (*self._settings.hosts, socket.gethostname())),
            self._token,
        )
        # Requests that fail are answered and logged by the application.
        for name in ("uvicorn", "sse_starlette"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._server = uvicorn.Server(
            uvicorn.Config(
                make_app(self._api, address, self._refusals),
                log_config=None,
                access_log=False,
                loop="asyncio",
                http=protocol_with(self._refusals, most_connections()),
                ws="none",
                lifespan="off",
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=cast("int", _SHUTDOWN_S),  # any number works
            )
        )
        self._thread.start()
        if self._token and not self._settings.token.get_secret_value():
            # A warning, because without this line the page cannot be opened.
            logger.warning(
                "other machines can reach the web view; its address with the token of this run: "
                "{}/?token={}",
                self.url,
                self._token,
            )
        deadline = time.monotonic() + _STARTUP_S
        while not self._server.started and time.monotonic() < deadline:
            self._thread.join(0.005)
            if not self._thread.is_alive():
                raise OSError("the server of the web view did not start")

    def show(self, snapshot: Snapshot) -> None:
        """Send a snapshot to the pages that are open."""
        self._rates.note(snapshot.status, time.monotonic())
        self._stream.show(snapshot)

    def close(self) -> None:
        """Send the end to the pages, and close all connections."""
        if self._server is None:
            return
        pages = len(self._stream)
        self._stream.end(self._control.snapshot())
        if pages:
            self._thread.join(_LAST_S)
        self._server.should_exit = True
        self._thread.join(_JOIN_S)
        self._refusals.log()

    def _serve(self) -> None:
        if self._server is None or self._socket is None:
            raise AssertionError("start was not called")
        server, listener = self._server, self._socket

        async def serve() -> None:
            self._stream.bind(asyncio.get_running_loop())
            await server.serve(sockets=[listener])

        asyncio.run(serve())


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens at a port, or at one of the next 20 if it is taken.

    Raises OSError.
    """
    ports = [0] if port == 0 else range(port, min(port + _TRIES, 65_536))
    family, _, _, _, where = socket.getaddrinfo(
        host.strip("[]"), ports[0], type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    failure = OSError(f"no port from {ports[0]} to {ports[-1]} is free")
    for one in ports:
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if socket.has_ipv6 and family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            # Restarting at the same port must not wait for connections that time out. On Windows
            # the option would allow two listeners.
            listener.setsockopt(socket.SOL_SOCKET, _reuse(), 1)
            # A client that does not read is detected after this many bytes.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 131_072)
            listener.bind((where[0], one, *where[2:]))
            listener.listen(_BACKLOG)
            listener.setblocking(False)
            return listener
        except OSError as error:
            listener.close()
            if error.errno not in _TAKEN:
                raise OSError(f"cannot listen at {host}:{one}: {error.strerror or error}") from None
    raise failure


def _reuse() -> int:
    return getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
