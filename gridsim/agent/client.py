"""The client of a run's HTTP API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

from gridsim.errors import GridsimError, printable

_PATH: Final = "api/v1"
_TIMEOUT_S: Final = 20.0
_MAX_BYTES: Final = 20_000_000


class ApiError(GridsimError):
    """The run refused a request, or cannot be reached."""


class ApiClient:
    """A connection to the HTTP API of one run; not thread-safe."""

    def __init__(self, url: str, token: str = "") -> None:
        """Take the address of the page. Connects to nothing yet."""
        self.url = url.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        # The run is on this machine or the user gave its address: never use a proxy.
        self._opener = build_opener(ProxyHandler({}))

    def get(self, *path: str, **query: Any) -> Any:
        """Return the answer to a GET; a query of None is left out. Raises ApiError."""
        given = {key: _text(value) for key, value in query.items() if value is not None}
        return self._answer(self._request(path, given))

    def post(self, *path: str, body: Mapping[str, Any], **query: Any) -> Any:
        """Return the answer to a POST; keys of None are left out. Raises ApiError."""
        given = {key: value for key, value in body.items() if value is not None}
        request = self._request(path, {key: _text(value) for key, value in query.items()})
        request.data = json.dumps(given).encode()
        request.add_header("Content-Type", "application/json")
        return self._answer(request)

    def _request(self, path: tuple[str, ...], query: Mapping[str, str]) -> Request:
        parts = "/".join(quote(part, safe="") for part in path)
        address = f"{self.url}/{_PATH}/{parts}"
        return Request(f"{address}?{urlencode(query)}" if query else address, headers=self._headers)

    def _answer(self, request: Request) -> Any:
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                return json.loads(response.read(_MAX_BYTES))
        except HTTPError as error:
            raise ApiError(_reason(error)) from error
        except (URLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ApiError(
                f"the run at {self.url} does not answer: {printable(reason)}. It may have ended"
            ) from error


def _reason(error: HTTPError) -> str:
    """Return the reason that the run gives for an error."""
    try:
        return printable(json.loads(error.read(_MAX_BYTES))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"the run answered {error.code} {error.reason}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
