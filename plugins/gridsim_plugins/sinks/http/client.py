"""A connection to a server, and the outcome of a request."""

from __future__ import annotations

import gzip
import http.client
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from loguru import logger

from gridsim.api import Batch, Receipt, TransportError
from gridsim_plugins.sinks.http.settings import ServerSettings

_REFUSED = (400, 413, 422)
"""The answers about the content of a request: it is divided to find the reading."""
_PERMANENT = frozenset({*range(300, 400), 401, 403, 404, 405, 407, 410, 411, 415})
"""The answers that need a change of settings, or of the server."""
_LONGEST_ANSWER = 65_536
_LONGEST_WAIT_S = 300.0
_GONE = (http.client.RemoteDisconnected, ConnectionError)


class HttpClient:
    """A kept connection that posts readings; refused ones are found and dropped."""

    def __init__(
        self, settings: ServerSettings, path: str, headers: Mapping[str, str], method: str = "POST"
    ) -> None:
        """Open nothing. `path`: of the requests, with the query. `headers`: of each request."""
        self.by_group = False
        """True if a message has all readings of a project at one time."""
        self._settings = settings
        self._path = path
        self._method = method
        self._headers = {"User-Agent": "gridsim", **headers, **settings.headers}
        if settings.username:
            login = f"{settings.username}:{settings.password.get_secret_value()}"
            self._headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        if settings.gzip:
            self._headers["Content-Encoding"] = "gzip"
        self._connection: http.client.HTTPConnection | None = None
        self._is_used = False
        self._not_before = 0.0
        self._logged: set[int] = set()

    def connect(self) -> None:
        """Open the connection. Raises TransportError, also while the server asked to wait."""
        wait_s = self._not_before - time.monotonic()
        if wait_s > 0:
            raise TransportError(f"the server asked to wait {wait_s:.0f} s longer")
        self._open()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def post(
        self,
        part: Batch,
        receipt: Receipt,
        encode: Callable[[Batch], bytes],
        key: Callable[[Batch], Mapping[str, str]] = lambda part: {},
    ) -> None:
        """Send rows in one request; divide them if the server refuses the content.

        `encode` returns the body for some rows, and `key` the headers that identify them.
        """
        status, answer = self._request(encode(part), key(part))
        if 200 <= status < 300:
            receipt.delivered(len(part))
            return
        if status not in _REFUSED:
            raise TransportError(
                f"the server answers {_phrase(status)}{_after(answer)}",
                permanent=status in _PERMANENT,
            )
        self._log(status, answer)
        starts = part.groups() if self.by_group else range(len(part) + 1)
        if len(starts) <= 2:
            receipt.dropped(len(part), f"refused by the server: {_phrase(status)}")
            return
        middle = int(starts[(len(starts) - 1) // 2])
        self.post(part.rows(0, middle), receipt, encode, key)
        self.post(part.rows(middle), receipt, encode, key)

    def _log(self, status: int, answer: str) -> None:
        if status not in self._logged:
            self._logged.add(status)
            logger.warning(
                "{}: the server refuses readings: {}{}",
                _shown(self._settings.url),
                _phrase(status),
                _after(answer),
            )

    def _open(self) -> None:
        parts = urlsplit(self._settings.url)
        host, port, limit = parts.hostname or "", parts.port, self._settings.timeout_s
        try:
            if parts.scheme == "https":
                context = ssl.create_default_context(cafile=self._settings.ca_file or None)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                self._connection = http.client.HTTPSConnection(
                    host, port, timeout=limit, context=context
                )
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=limit)
            self._connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise TransportError(_text(error), permanent=True) from error
        except OSError as error:
            raise TransportError(_text(error)) from error
        self._is_used = False

    def _request(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Return status and text of the answer to one request."""
        if self._settings.gzip:
            body = gzip.compress(body, 6, mtime=0)
        try:
            try:
                return self._exchange(body, headers)
            except _GONE:
                if not self._is_used:
                    raise
                # The server has closed the idle connection. If it got the request all the same, the
                # repeated one has the same key or points.
                self.close()
                self._open()
                return self._exchange(body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise TransportError(_text(error)) from error

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        if self._connection is None:
            raise TransportError("not connected")
        self._connection.request(self._method, self._path, body, {**self._headers, **headers})
        response = self._connection.getresponse()
        answer = response.read(_LONGEST_ANSWER)
        if not response.isclosed():
            self._connection.close()  # It opens itself again for the next request.
        self._is_used = True
        wait = response.headers.get("Retry-After", "")
        if response.status in (429, 503) and wait.isascii() and wait.isdigit():
            self._not_before = time.monotonic() + min(float(wait[:6]), _LONGEST_WAIT_S)
        return response.status, answer.decode(errors="replace")


def _phrase(status: int) -> str:
    known = status in HTTPStatus._value2member_map_
    return f"{status} {HTTPStatus(status).phrase}" if known else str(status)


def _after(answer: str) -> str:
    text = " ".join(answer.split())
    return f": {text[:300]}" if text else ""


def _text(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _shown(url: str) -> str:
    """Return a URL without its query, which may have a key."""
    return url.partition("?")[0]
