"""The OpenAPI description, made from the table of endpoints and the shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, get_args

import msgspec

from gridsim.api import Action
from gridsim.version import __version__
from gridsim_plugins.views.web import models
from gridsim_plugins.views.web.answers import JSON
from gridsim_plugins.views.web.endpoints import ENDPOINTS, Endpoint

_REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")
_MEANINGS: Final = {
    200: "done",
    202: "not done yet",
    304: "not changed",
    400: "a query or a body that cannot be read",
    401: "the token is missing or wrong",
    403: "another origin, or an unknown Host header",
    404: "not found",
    405: "the method is not allowed",
    408: "the body did not arrive in time",
    409: "not possible now",
    413: "the body is too long",
    415: "the body is not JSON",
    422: "refused, with the reason",
    429: "too many requests",
    503: "no room, or no ticks",
}
_ALWAYS = (400, 401, 403, 429)
_WITH_BODY = (408, 413, 415)
_INSTRUCTION: Final[dict[str, Any]] = {
    "type": "object",
    "description": "The JSON of a command on MQTT, and `target`; the further keys of events and "
    "faults are those of [[events]] and [[faults]].",
    "required": ["target", "command"],
    "properties": {
        "target": {
            "type": "string",
            "minLength": 1,
            "description": "a DER, a project, PROJECT/DER, a pattern or *",
        },
        "command": {
            "enum": [
                *get_args(Action),
                "call_event",
                "cancel_event",
                "inject_fault",
                "clear_fault",
            ]
        },
        "id": {"type": "string", "minLength": 1, "maxLength": 128},
        "value": {"type": ["number", "null"]},
        "unit": {"enum": ["kW", "%", None]},
        "start": {"type": ["string", "null"]},
        "duration_s": {"type": ["number", "null"]},
        "ramp_s": {"type": ["number", "null"]},
        "periods": {
            "type": ["array", "null"],
            "minItems": 1,
            "maxItems": 200,
            "description": "the values over time, instead of `value`",
            "items": {
                "type": "object",
                "required": ["start_s", "value"],
                "properties": {"start_s": {"type": "number"}, "value": {"type": "number"}},
                "additionalProperties": False,
            },
        },
        "stack_level": {"type": ["integer", "null"], "minimum": 0, "maximum": 9},
        "event": {"type": "string", "minLength": 1, "maxLength": 128},
        "fault": {"type": "string", "minLength": 1, "maxLength": 128},
        "type": {"type": "string"},
    },
    "example": {"target": "DER_123456", "command": "set_power", "value": -3, "duration_s": 600},
}


@cache
def description() -> dict[str, Any]:
    """Return the description as an object."""
    types = [models.Problem, models.ControlBody, *_answers()]
    _, components = msgspec.json.schema_components(types, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        path = _PARAMETER.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gridsim",
            "version": __version__,
            "summary": "A run of gridsim: its status, its devices, and instructions to it",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Instruction": _INSTRUCTION},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _answers() -> Iterator[Any]:
    for endpoint in ENDPOINTS:
        if not isinstance(endpoint.answer, str):
            yield endpoint.answer
        for _, types in endpoint.also:
            yield from types


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.handler,
        "summary": endpoint.summary,
        "responses": _responses(endpoint),
    }
    if parameters := [*_path_parameters(endpoint), *_query_parameters(endpoint)]:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": _body(endpoint)}},
        }
    return operation


def _path_parameters(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(endpoint.path):
        schema = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    (_schema,), components = msgspec.json.schema_components([endpoint.query], ref_template=_REF)
    for name, field in components[endpoint.query.__name__]["properties"].items():
        yield {"name": name, "in": "query", "required": False, "schema": field}


def _body(endpoint: Endpoint) -> dict[str, Any]:
    instruction = {"$ref": _REF.format(name="Instruction")}
    control = {"$ref": _REF.format(name="ControlBody")}
    if endpoint.body is models.ControlBody:
        return control
    return instruction if endpoint.body == "instruction" else {"oneOf": [instruction, control]}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    statuses = [*_ALWAYS, *endpoint.statuses]
    if endpoint.body is not None:
        statuses += _WITH_BODY
    if "{" in endpoint.path:
        statuses.append(404)
    responses = {status: _response(status, models.Problem) for status in statuses}
    responses[200] = _response(200, endpoint.answer)
    for status, types in endpoint.also:
        responses[status] = _response(status, *types)
    if endpoint.handler in ("fleet", "roster"):
        responses[304] = {"description": _MEANINGS[304]}
    return {str(status): responses[status] for status in sorted(responses)}


def _response(status: int, *types: Any) -> dict[str, Any]:
    if isinstance(types[0], str):
        content: dict[str, Any] = {types[0]: {"schema": {"type": "string"}}}
    else:
        schemas, _ = msgspec.json.schema_components(types, ref_template=_REF)
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
        content = {JSON: {"schema": schema}}
    return {"description": _MEANINGS[status], "content": content}
