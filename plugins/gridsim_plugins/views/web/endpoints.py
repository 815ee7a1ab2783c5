"""The endpoints of the API: each with its method, query, body and answers.

The server's routes and the OpenAPI description are made from this table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gridsim_plugins.views.web import models
from gridsim_plugins.views.web.models import Query

Handler = Callable[[Request, Any], Response | Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path."""

    path: str
    """The path; a parameter is written {id:path}, because ids may hold slashes."""
    method: str
    summary: str
    handler: str
    """The name of the method of `Api` that answers."""
    answer: Any
    """The type of the answer, or a media type."""
    query: type[Query] = Query
    body: Any = None
    """The type of the body; None if there is no body."""
    statuses: tuple[int, ...] = ()
    """The further statuses."""
    also: tuple[tuple[int, tuple[Any, ...]], ...] = ()
    """The further statuses that have their own answers."""


V1 = "/api/v1"
_INSTRUCTION = (
    (202, (models.InstructionAnswer,)),
    (422, (models.Problem, models.InstructionAnswer)),
)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "/healthz",
        "GET",
        "Whether the ticks go on",
        "health",
        models.Health,
        also=((503, (models.Health,)),),
    ),
    Endpoint("/metrics", "GET", "The run's metrics for Prometheus", "metrics", "text/plain"),
    Endpoint(f"{V1}/status", "GET", "The status of the run", "status", models.StatusAnswer),
    Endpoint(
        f"{V1}/stream",
        "GET",
        "Server-Sent Events: frame, status, entries, end",
        "stream",
        "text/event-stream",
        statuses=(503,),
    ),
    Endpoint(
        f"{V1}/history",
        "GET",
        "The past of the fleet",
        "history",
        models.HistoryAnswer,
        models.HistoryQuery,
    ),
    Endpoint(
        f"{V1}/projects",
        "GET",
        "The projects, filtered and sorted",
        "projects",
        models.ProjectsAnswer,
        models.ProjectsQuery,
    ),
    Endpoint(
        f"{V1}/projects/{{id:path}}",
        "GET",
        "One project with its devices",
        "project",
        models.ProjectAnswer,
    ),
    Endpoint(
        f"{V1}/devices",
        "GET",
        "The devices, filtered and sorted",
        "devices",
        models.DevicesAnswer,
        models.DevicesQuery,
        statuses=(404,),
    ),
    Endpoint(
        f"{V1}/devices/{{id:path}}/watch",
        "GET",
        "One device: its readings since it was opened, and earlier ones from the ledger",
        "watch",
        models.WatchAnswer,
        models.WatchQuery,
        statuses=(409,),
    ),
    Endpoint(f"{V1}/devices/{{id:path}}", "GET", "One device", "device", models.DeviceItem),
    Endpoint(
        f"{V1}/entries",
        "GET",
        "Events, faults, commands and failures",
        "entries",
        models.EntriesAnswer,
        models.EntriesQuery,
    ),
    Endpoint(
        f"{V1}/catalogue",
        "GET",
        "The faults that can be injected, the commands, and the types of DERs, with their settings",
        "catalogue",
        models.CatalogueAnswer,
    ),
    Endpoint(f"{V1}/roster", "GET", "The order of the devices", "roster", models.RosterAnswer),
    Endpoint(
        f"{V1}/fleet",
        "GET",
        "One byte for each device",
        "fleet",
        "application/octet-stream",
        models.FleetQuery,
    ),
    Endpoint(
        f"{V1}/events", "GET", "The demand-response events so far", "events", models.EventsAnswer
    ),
    Endpoint(f"{V1}/faults", "GET", "The faults so far", "faults", models.FaultsAnswer),
    Endpoint(
        f"{V1}/verify",
        "GET",
        "The checks that the run makes about itself",
        "verify",
        models.VerifyAnswer,
    ),
    Endpoint(
        f"{V1}/instructions",
        "GET",
        "The newest instructions of this API",
        "instructions",
        models.InstructionsAnswer,
    ),
    Endpoint(
        f"{V1}/instructions",
        "POST",
        "Send a command, call or cancel an event, inject or clear a fault",
        "instruct",
        models.InstructionAnswer,
        models.PostQuery,
        "instruction",
        (409, 503),
        _INSTRUCTION,
    ),
    Endpoint(
        f"{V1}/instructions/{{id:path}}",
        "GET",
        "One instruction and its acknowledgements",
        "instruction",
        models.InstructionAnswer,
    ),
    Endpoint(
        f"{V1}/equivalents",
        "POST",
        "The command line and the TOML that would do the same; nothing is done",
        "equivalents",
        models.Equivalents,
        body="instruction or control",
        statuses=(422,),
    ),
    Endpoint(
        f"{V1}/control",
        "POST",
        "Pause, resume, change the speed, or reload the configuration",
        "control",
        models.ControlAnswer,
        body=models.ControlBody,
        statuses=(409, 422),
        also=((202, (models.ControlAnswer,)),),
    ),
)
