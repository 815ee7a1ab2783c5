"""The answers of the API."""

from __future__ import annotations

import shlex
from typing import Any, TypeVar

import anyio
import msgspec
import numpy as np
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from gridsim.api import Control, Span
from gridsim_plugins.views.web import models
from gridsim_plugins.views.web.answers import JSON, Failed, answer
from gridsim_plugins.views.web.equivalents import of_control
from gridsim_plugins.views.web.fleet import FleetMap, groups
from gridsim_plugins.views.web.instructions import Instructions
from gridsim_plugins.views.web.metrics import exposition
from gridsim_plugins.views.web.requests import read_body
from gridsim_plugins.views.web.run_actions import PaceControl, watched
from gridsim_plugins.views.web.shared import Shared, SharedAnswers
from gridsim_plugins.views.web.site import cached
from gridsim_plugins.views.web.status import (
    DeliveryRates,
    account_items,
    entries_after,
    event_items,
    fault_counts,
    status_of,
)
from gridsim_plugins.views.web.stream import Stream
from gridsim_plugins.views.web.tables import Tables, numbers

_PACE_S = 5.0
T = TypeVar("T")


class Api:
    """The handlers of `ENDPOINTS`. Those that are not coroutines are called in a worker thread."""

    def __init__(self, control: Control, url: str, stream: Stream, rates: DeliveryRates) -> None:
        self._control = control
        self._url = url
        self.feed = stream
        """The stream of events."""
        self._rates = rates
        self._tables = Tables(control)
        self._fleet = FleetMap(control.roster)
        self.shared = SharedAnswers(stream.hold_s)
        """The answers that many pages request."""
        self._instructions = Instructions(control, url)
        self._pace = PaceControl(control)
        self._roster_bytes: bytes | None = None

    def health(self, request: Request, query: models.Query) -> Response:
        status = self._control.status()
        health = models.Health(status.state, status.ticking, status.is_backfilling)
        return answer(health, 200 if status.ticking else 503)

    def metrics(self, request: Request, query: models.Query) -> Response:
        content, type = exposition(self._control, len(self.feed))
        return Response(content, headers={"content-type": type})

    def first(self) -> bytes:
        """Return the data of the page's first picture, as JSON."""
        return msgspec.json.encode({"status": self._status(), "history": self._history("15m")})

    def status(self, request: Request, query: models.Query) -> Response:
        return answer(self._status())

    def _status(self) -> models.StatusAnswer:
        control = self._control
        snapshot, status = control.snapshot(), control.status()
        return status_of(snapshot, status, control.roster, self._rates, len(self.feed))

    async def stream(self, request: Request, query: models.Query) -> Response:
        return self.feed.response()

    def history(self, request: Request, query: models.HistoryQuery) -> Response:
        return answer(self._history(query.span))

    def _history(self, span: Span) -> models.HistoryAnswer:
        past = self._control.history(span)
        outputs = sum(past.kw.values(), np.zeros(len(past.time_ms)))
        return models.HistoryAnswer(
            span=span,
            timezone=self._control.status().timezone,
            time_ms=past.time_ms.tolist(),
            kw={type: numbers(column) for type, column in past.kw.items()},
            load_kw=numbers(past.load_kw),
            net_kw=numbers(past.load_kw - outputs),
            target_kw=numbers(past.target_kw),
            delivered_kw=numbers(past.delivered_kw),
            violating=numbers(past.violating),
        )

    def projects(self, request: Request, query: models.ProjectsQuery) -> Response:
        def make() -> bytes:
            return msgspec.json.encode(self._tables.projects(query))

        made = self.shared.get(self._control.snapshot().devices, _key(request), JSON, make)
        return cached(request, made)

    def project(self, request: Request, query: models.Query) -> Response:
        return answer(self._tables.project(request.path_params["id"]))

    def devices(self, request: Request, query: models.DevicesQuery) -> Response:
        return answer(self._tables.devices(query))

    def device(self, request: Request, query: models.Query) -> Response:
        return answer(self._tables.device(request.path_params["id"]))

    def watch(self, request: Request, query: models.WatchQuery) -> Response:
        id = request.path_params["id"]
        self._tables.place(id)
        try:
            view = self._control.watch(id)
        except KeyError:
            raise Failed(404, f"the device {id!r} cannot be watched") from None
        except ValueError as error:
            raise Failed(409, str(error)) from None
        return answer(watched(view, query))

    def entries(self, request: Request, query: models.EntriesQuery) -> Response:
        return answer(entries_after(self._control.snapshot().entries, query.after, query.limit))

    def catalogue(self, request: Request, query: models.Query) -> Response:
        found = self._control.catalogue()
        return answer(msgspec.convert(found, models.CatalogueAnswer, from_attributes=True))

    def roster(self, request: Request, query: models.Query) -> Response:
        if self._roster_bytes is None:
            roster = self._control.roster
            self._roster_bytes = msgspec.json.encode(
                {"devices": len(roster), "types": self._fleet.types, **groups(roster)}
            )
        # Compressed by the middleware; its name consists of the length of the text and the run.
        start = self._control.status().start_ms
        etag = f'"roster-{len(self._roster_bytes):x}-{start:x}"'
        return cached(request, Shared(JSON, self._roster_bytes, None, etag))

    def fleet(self, request: Request, query: models.FleetQuery) -> Response:
        snapshot = self._control.snapshot()
        devices = snapshot.devices
        made = self.shared.get(
            devices,
            _key(request),
            "application/octet-stream",
            lambda: self._fleet.of(devices, query.show),
            {"x-time-ms": str(snapshot.time_ms)},
        )
        return cached(request, made)

    def events(self, request: Request, query: models.Query) -> Response:
        running = list(self._control.snapshot().running_events)
        return answer(models.EventsAnswer(running, event_items(self._control.status().events)))

    def faults(self, request: Request, query: models.Query) -> Response:
        counts = fault_counts(self._control.status().faults)
        active = [
            models.ActiveFault(one.id, one.since_ms, one.text)
            for one in self._control.snapshot().open_faults
        ]
        return answer(models.FaultsAnswer(counts, active))

    def verify(self, request: Request, query: models.Query) -> Response:
        status = self._control.status()
        ledger = None if status.ledger is None else status.ledger.path
        command = None
        if ledger is not None:
            command = shlex.join(["gridsim", "verify", ledger, "readings.jsonl"])
        return answer(
            models.VerifyAnswer(
                account_items(status.transports), event_items(status.events), ledger, command
            )
        )

    def instructions(self, request: Request, query: models.Query) -> Response:
        return answer(models.InstructionsAnswer(self._instructions.answers()))

    def instruction(self, request: Request, query: models.Query) -> Response:
        return answer(self._instructions.answer(request.path_params["id"]))

    async def instruct(self, request: Request, query: models.PostQuery) -> Response:
        body = await read_body(request)
        id = await run_sync(self._instructions.post, body)
        if query.wait_s and self._control.status().state != "paused":
            await self._instructions.wait(id, query.wait_s)
        result = self._instructions.answer(id)
        return answer(result, {"queued": 202, "rejected": 422}.get(result.status, 200))

    async def equivalents(self, request: Request, query: models.Query) -> Response:
        body = await read_body(request)
        if _has_action(body):
            return answer(of_control(decoded(body, models.ControlBody), self._url))
        _, equivalents = await run_sync(self._instructions.read, body)
        return answer(equivalents)

    async def control(self, request: Request, query: models.Query) -> Response:
        body = decoded(await read_body(request), models.ControlBody)
        done = False
        with anyio.move_on_after(_PACE_S):
            # A plugin that blocks the run delays this, too.
            await run_sync(self._pace.change, body, abandon_on_cancel=True)
            done = True
        status = self._control.status()
        result = models.ControlAnswer(status.state, status.speed, of_control(body, self._url))
        return answer(result, 200 if done else 202)


def decoded(body: bytes, type: type[T]) -> T:
    """Return a body as an object. Raises Failed."""
    try:
        return msgspec.json.decode(body, type=type)
    except (ValueError, RecursionError) as error:
        raise Failed(400, str(error)) from None


def _key(request: Request) -> tuple[str, bytes]:
    return request.scope["path"], request.scope["query_string"]


def _has_action(body: bytes) -> bool:
    try:
        table: Any = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(table, dict) and "action" in table
