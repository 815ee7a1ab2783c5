"""Access to the server: hosts, origins, the token, rate limits, and the headers of answers."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gridsim.helpers import is_loopback
from gridsim_plugins.views.web.answers import failed
from gridsim_plugins.views.web.overload import RefusalLog

HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""The headers of every answer. Scripts and styles come from this server only, and no other page
may frame, read or embed it."""

_OPEN = ("/healthz",)
"""The paths that need no token."""
_CLIENTS = 1024
"""The number of addresses whose requests are counted."""


class RateLimit:
    """A token bucket for each client, with a limit of requests at once and of requests per
    second.
    """

    def __init__(
        self, per_s: float, burst: float, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s, self._burst = per_s, burst
        self._monotonic = monotonic
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admits(self, client: str) -> bool:
        """Count one request, and return whether it is within the limit."""
        now = self._monotonic()
        left, at = self._clients.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        admitted = left >= 1
        self._clients[client] = (left - 1 if admitted else left, now)
        while len(self._clients) > _CLIENTS:
            self._clients.popitem(last=False)
        return admitted


@dataclass(frozen=True, slots=True)
class Address:
    """The host names under which the server accepts requests, and the token that it requires."""

    host: str
    port: int
    hosts: frozenset[str] = frozenset()
    token: str = ""
    """Empty: no token is needed."""

    @property
    def cookie(self) -> str:
        """The name of the cookie. Cookies ignore ports, and each run has its own token."""
        return f"gridsim_{self.port}"

    def admits(self, authority: str) -> bool:
        """Return whether a Host header is one of this server.

        An attacker's page can reach the server by its own host name that resolves to this address,
        but never with an address, or `localhost`, in the header.
        """
        try:
            name = urlsplit(f"//{authority}").hostname or ""
        except ValueError:
            return False
        if is_loopback(name) or name in self.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return not is_loopback(self.host)


class Guard:
    """ASGI middleware that refuses forbidden requests, and sets the headers."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        address: Address,
        reads: RateLimit,
        writes: RateLimit,
        refusals: RefusalLog,
    ) -> None:
        self._app = app
        self._address = address
        self._reads, self._writes = reads, writes
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The health of a run that has no ticks is not a refusal.
                if message["status"] == 503 and scope["path"] not in _OPEN:
                    self._refusals.note("without room (503)")
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._refusal(scope)
        await (answer or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        reading = scope["method"] in ("GET", "HEAD")
        limit = self._reads if reading else self._writes
        if not limit.admits(_client(scope)):
            self._refusals.note("too many a second from one client")
            return failed(429, "too many requests: try again in a second", {"retry-after": "1"})
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._address.admits(hosts[0]):
            return failed(
                403,
                "the Host header is not an address of this server: use its IP address or "
                "localhost, or add the name to `hosts` of the view web",
            )
        if not _is_own_origin(headers, hosts[0], reading):
            return failed(403, "requests from pages of another origin are refused")
        return self._without_token(scope, headers) if self._address.token else None

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request without the token; None if it has it."""
        path = scope["path"]
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if path == "/" and given:
            if len(given) == 1 and self._is_token(given[0]):
                return self._with_cookie()
        elif path in _OPEN or self._is_authorized(headers):
            return None
        return failed(
            401,
            "the token is missing or wrong: open the address in the first lines of the run's log, "
            "or send the header 'Authorization: Bearer TOKEN'",
            {"www-authenticate": "Bearer"},
        )

    def _is_authorized(self, headers: Headers) -> bool:
        kind, _, credentials = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(credentials.strip()):
            return True
        cookies = cookie_parser(headers.get("cookie", ""))
        return self._is_token(cookies.get(self._address.cookie, ""))

    def _is_token(self, given: str) -> bool:
        return compare_digest(given.encode(), self._address.token.encode())

    def _with_cookie(self) -> Response:
        # The address that the browser shows and stores must not contain the token.
        response = Response(status_code=303, headers={"location": "/"})
        response.set_cookie(
            self._address.cookie, self._address.token, httponly=True, samesite="strict"
        )
        return response


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _is_own_origin(headers: Headers, host: str, reading: bool) -> bool:
    """Return whether a request comes from this server's page, or from a program."""
    origin = headers.get("origin")
    if origin is not None:
        try:
            return urlsplit(origin).netloc.lower() == host.lower() != ""
        except ValueError:
            return False
    if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return True
    # A link on another page may be followed.
    return (
        reading
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
