"""`[[events]]`: demand-response events, and limits on the exchange with the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import Unit
from gridsim.config.settings.distributions import Distribution
from gridsim.config.settings.validation import Findings, Validated, validate
from gridsim.config.tables.occurring import NOW, Occurring, check_times, matching, schedule_of
from gridsim.config.text.document import Document
from gridsim.config.text.locate import KeyPath
from gridsim.simulation.scenario import EventSpec, Sampler, Scenario
from gridsim.simulation.schedule import Schedule

SPREAD = ("target_kw", "compliance")
_DAYS_S = 7 * 86_400
_LARGEST_KW = 1e9
_EVENTS = "write [[events]]"


class Event(Occurring):
    """`[[events]]`: a demand-response event, or limits on the exchange with the grid."""

    id: str = Field(
        pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="name in the log and in the ledger"
    )
    projects: list[str] = Field(
        default_factory=lambda: ["*"],
        min_length=1,
        description="ids of the projects that take part, with the wildcards *, ? and [...]. "
        "Standalone projects never take part",
    )
    duration_s: Annotated[float, Unit("s")] = Field(
        gt=0, le=_DAYS_S, description="duration, including the ramp; at least a tick"
    )
    target_kw: Annotated[float | None, Unit("kW")] = Field(
        None,
        gt=0,
        le=_LARGEST_KW,
        description="reduction requested from each project; without it, the contract_threshold",
    )
    compliance: Annotated[float | None, Unit("1")] = Field(
        None,
        ge=0,
        le=100,
        description="part of the target that a project tries to deliver, drawn for each "
        "occurrence: { uniform = [1.1, 1.3] } meets the contract, { uniform = [0.7, 0.9] } "
        "violates it. Without it 1: a project that can deliver keeps its contract",
    )
    notice_s: Annotated[float, Unit("s")] = Field(
        0.0, ge=0, le=_DAYS_S, description="time between the announcement and the start"
    )
    ramp_s: Annotated[float, Unit("s")] = Field(
        0.0,
        ge=0,
        le=_DAYS_S,
        description="time for a linear ramp to the target; the contract is checked after it",
    )
    randomize_start_s: Annotated[float, Unit("s")] = Field(
        0.0, ge=0, le=_DAYS_S, description="each project starts up to this much later, at random"
    )
    opt_out: Annotated[float, Unit("1")] = Field(
        0.0, ge=0, le=1, description="probability that a project does not take part"
    )
    cancel_after_s: Annotated[float | None, Unit("s")] = Field(
        None,
        gt=0,
        le=2 * _DAYS_S,
        description="time from the announcement to the cancellation of the event for all its "
        "projects, less than notice_s + duration_s. Before the start, which is notice_s after the "
        "announcement, the event is withdrawn; unset: it is not cancelled",
    )
    export_limit_kw: Annotated[float | None, Unit("kW")] = Field(
        None,
        ge=0,
        le=_LARGEST_KW,
        description="largest power that a project may feed into the grid during the event. An "
        "event with a limit and neither target_kw nor compliance requests no reduction",
    )
    import_limit_kw: Annotated[float | None, Unit("kW")] = Field(
        None,
        ge=0,
        le=_LARGEST_KW,
        description="largest power that a project may draw from the grid during the event",
    )


@dataclass(frozen=True, slots=True)
class EventStanza:
    """A checked table of `[[events]]`, with the findings of its file."""

    findings: Findings
    event: Validated[Event]


def read_events(sheets: Sequence[Findings]) -> list[EventStanza]:
    """Return the events of all files; valid only if there are no findings."""
    stanzas = []
    known: dict[str, tuple[Document, KeyPath]] = {}
    for findings in sheets:
        tables = findings.document.data.get("events", [])
        for index, table in findings.tables(tables, ("events",), _EVENTS):
            path = ("events", index)
            stanza = read_event(findings, table, path)
            if stanza is None:
                continue
            name = stanza.event.settings.id
            if name in known:
                document, other = known[name]
                findings.add(
                    (*path, "id"),
                    f"the event id {name!r} is already taken {document.where(other)} of "
                    f"{document.path}",
                )
            known.setdefault(name, (findings.document, (*path, "id")))
            stanzas.append(stanza)
    return stanzas


def read_event(
    findings: Findings, table: Mapping[str, Any], path: KeyPath, *, called: bool = False
) -> EventStanza | None:
    """Return one event, None if there is a finding. A called event needs no start."""
    event = validate(findings, Event, table, path, owner="an event", spread=SPREAD)
    if event is None:
        return None
    _check(findings, event, called)
    return EventStanza(findings, event)


def bind_events(stanzas: Sequence[EventStanza], scenario: Scenario, timezone: str) -> Scenario:
    """Return the scenario with its events; `timezone` is the default of cron expressions."""
    if not stanzas:
        return scenario
    events = []
    for stanza in stanzas:
        spec = bound_event(stanza, scenario, timezone)
        if spec is not None:
            events.append(spec)
    return replace(scenario, events=tuple(events))


def _check(findings: Findings, event: Validated[Event], called: bool) -> None:
    settings, path = event.settings, event.path
    if settings.ramp_s >= settings.duration_s:
        findings.add((*path, "ramp_s"), "'ramp_s' must be less than 'duration_s'")
    cancelled_s = settings.cancel_after_s
    if cancelled_s is not None and cancelled_s >= settings.notice_s + settings.duration_s:
        findings.add(
            (*path, "cancel_after_s"),
            "'cancel_after_s' must be less than 'notice_s' + 'duration_s', which is "
            f"{settings.notice_s + settings.duration_s:g} s",
        )
    if not check_times(findings, settings, path) and not called:
        findings.add((*path, "start"), "the event has no start: give 'start', 'after_s' or 'cron'")


def bound_event(
    stanza: EventStanza, scenario: Scenario, timezone: str, *, called_ms: int | None = None
) -> EventSpec | None:
    """Return the event with its projects, None if there is a finding.

    `called_ms`, UTC, is the time of a call: an event without a start begins then, or after its
    notice.
    """
    findings, event = stanza.findings, stanza.event
    settings, path = event.settings, event.path
    names = scenario.roster.project_id
    if called_ms is None:
        schedule = schedule_of(
            findings, settings, path, begin_ms=scenario.start_ms, timezone=timezone
        )
    else:
        schedule = schedule_of(
            findings, settings, path, begin_ms=called_ms, timezone=timezone, what=NOW
        )
        if schedule is None and not len(findings):
            schedule = Schedule(at_ms=called_ms + round(settings.notice_s * 1000))
    if round(settings.duration_s * 1000) < scenario.tick_ms:
        message = f"'duration_s' must be at least a tick, {scenario.tick_ms / 1000:g} s"
        findings.add((*path, "duration_s"), message)
    projects = _projects(findings, event, scenario, names)
    limits = settings.export_limit_kw is not None or settings.import_limit_kw is not None
    reduces = not limits or settings.target_kw is not None or settings.compliance is not None
    if reduces and settings.target_kw is None:
        without = projects[scenario.contract_threshold[projects] <= 0.0]
        if len(without):
            findings.add(
                path,
                f"the project {names[without[0]]!r} has no contract_threshold: give it one, "
                "give the event a 'target_kw', or leave the project out of 'projects'",
            )
    if schedule is None:
        return None
    return EventSpec(
        id=settings.id,
        projects=projects,
        schedule=schedule,
        duration_ms=round(settings.duration_s * 1000),
        notice_ms=round(settings.notice_s * 1000),
        ramp_ms=round(settings.ramp_s * 1000),
        randomize_ms=round(settings.randomize_start_s * 1000),
        cancel_after_ms=None
        if settings.cancel_after_s is None
        else round(settings.cancel_after_s * 1000),
        reduces=reduces,
        target_kw=_sampler(event, "target_kw"),
        compliance=_sampler(event, "compliance") or _constant(1.0),
        opt_out=settings.opt_out,
        export_limit_kw=settings.export_limit_kw,
        import_limit_kw=settings.import_limit_kw,
    )


def _projects(
    findings: Findings, event: Validated[Event], scenario: Scenario, names: Sequence[str]
) -> NDArray[np.intp]:
    """Return the event's projects, as places in the roster."""
    taking = np.flatnonzero(~scenario.roster.is_standalone)
    path: KeyPath = (*event.path, "projects")
    if not len(taking):
        findings.add(
            path, "all projects are standalone, and standalone projects take part in no event"
        )
        return taking
    able = [names[place] for place in taking.tolist()]
    what = "project, apart from standalone ones,"
    patterns = event.settings.projects
    return taking[matching(findings, patterns, able, path, what, is_part=scenario.is_part)]


def _sampler(event: Validated[Event], name: str) -> Sampler | None:
    if name in event.spread:
        return event.spread[name]
    value = getattr(event.settings, name)
    return None if value is None else _constant(value)


def _constant(value: float) -> Distribution:
    return Distribution("choice", (value,), (1.0,))
