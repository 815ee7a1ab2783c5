"""JSON answers and errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

JSON = "application/json"


class Failed(Exception):  # noqa: N818 - an answer to the client, not a failure of gridsim
    """A request that is answered with an error."""

    def __init__(self, status: int, text: str, **more: Any) -> None:
        super().__init__(text)
        self.status = status
        self.more = more
        """Further keys of the answer."""


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer as JSON; a number that is NaN becomes null."""
    return Response(msgspec.json.encode(content), status, headers, JSON)


def failed(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as JSON."""
    return answer({"error": text}, status, headers)
