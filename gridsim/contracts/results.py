"""Results: the data that leaves the simulation with each tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gridsim.contracts.batch import Batch
from gridsim.contracts.instructions import Acknowledgement, Request

Ending = Literal["completed", "superseded", "opted out", "interrupted"]


@dataclass(frozen=True, slots=True)
class Settlement:
    """The truth about one event on one project, once it is over.

    Energy and power are those of the reduction, from values rounded as they are reported.
    """

    event: str
    """The event's id, with `#2` from its second occurrence on."""
    project: int
    """Index into the roster's projects."""
    notice_ms: int
    start_ms: int
    settled_ms: int
    """Start plus ramp: t0 of the definition of a violation."""
    end_ms: int
    """When it really ended."""
    ending: Ending
    target_kw: float
    """The reduction that the event calls for."""
    compliance: float
    """What part of it the project sets out to deliver."""
    dispatched_kwh: float
    """What was asked of the DERs, as reduction over the event."""
    delivered_kwh: float
    """The integral of the reduction over the event."""
    violations: tuple[tuple[int, int], ...]
    """Intervals of UTC ms, from the first reading in violation to the tick after the last."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A fault on one device, from its beginning to its end."""

    fault: int
    """Index into the scenario's faults."""
    device: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class FleetFailure:
    """A fleet that was disabled because its plugin failed."""

    fleet: str
    """The DER type's name."""
    devices: int
    tick: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class TickResult:
    """The result of one tick, and at a run's end of what was still open."""

    tick: int
    """The tick's index; at the end, that of the tick that would have come next."""
    batch: Batch
    unsent: Batch | None = None
    """The readings that are now known never to leave, labelled with the cause."""
    requests: tuple[Request, ...] = ()
    """The requests that took effect in this tick, in order."""
    acknowledgements: tuple[Acknowledgement, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    """The settlements of the events that ended."""
    episodes: tuple[Episode, ...] = ()
    """The faults that ended."""
    notes: tuple[str, ...] = ()
    """Lines about events that are announced, begin or end."""
    failures: tuple[FleetFailure, ...] = ()
    """The fleets that were disabled in this tick."""
