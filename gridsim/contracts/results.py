"""What one tick brings forth."""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True, eq=False)
class TickResult:
    """What one tick brings forth, in the simulation's own words."""

    batch: Batch
    unsent: Batch | None = None
    """Readings of which it is now known that they will never leave, labelled with the cause."""
    requests: tuple[Request, ...] = ()
    """The requests that were drained in this tick."""
    acknowledgements: tuple[Acknowledgement, ...] = ()
    settlements: tuple[Settlement, ...] = field(default=())
    """Of the events that ended."""
    episodes: tuple[Episode, ...] = field(default=())
    """Of the faults that ended."""
    notes: tuple[str, ...] = ()
    """What a person may want to know: an event is announced, begins, ends."""
