"""Requests: queries and bodies."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from gridsim_plugins.views.web.answers import JSON, Failed
from gridsim_plugins.views.web.models import Query

MAX_BODY: Final = 65_536
_DRAINED = 1_000_000
"""The amount of a too long body that is still read, so that the client reads the answer."""
_BODY_S = 10.0
Q = TypeVar("Q", bound=Query)


def read_query(request: Request, type: type[Q]) -> Q:
    """Return the parameters of a query. Raises Failed."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise Failed(400, f"the parameter {name!r} is given twice")
        if name not in type.__struct_fields__:
            known = ", ".join(type.__struct_fields__) or "none"
            raise Failed(400, f"there is no parameter {name!r} here; there are: {known}")
        given[name] = value
    try:
        return msgspec.convert(given, type, strict=False)
    except ValueError as error:
        text, _, place = str(error).partition(" - at `$.")
        raise Failed(400, f"the parameter {place.rstrip('`')!r}: {text}") from None


async def read_body(request: Request) -> bytes:
    """Return the body of a request. Raises Failed if it is too long or not JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        raise Failed(415, f"the body must be JSON: send the header 'Content-Type: {JSON}'")
    try:
        async with asyncio.timeout(_BODY_S):
            return await _body(request)
    except TimeoutError:
        raise Failed(408, f"the body did not arrive within {_BODY_S:g} s") from None
    except ClientDisconnect:
        raise Failed(400, "the body is incomplete") from None


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
        elif size > _DRAINED:
            break
    if size > MAX_BODY:
        raise Failed(413, f"the body must have at most {MAX_BODY} bytes")
    return b"".join(parts)
