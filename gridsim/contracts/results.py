"""Results: the data that leaves the simulation with each tick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

from gridsim.contracts.batch import Batch, Roster
from gridsim.contracts.fault import Fault
from gridsim.contracts.instructions import Acknowledgement, Instruction
from gridsim.contracts.settings import Settings
from gridsim.contracts.truth import TickTruth

Ending = Literal["completed", "superseded", "opted out", "interrupted", "cancelled"]
Change = Literal["announced", "begins", "ended", "cut off", "cancelled"]

_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Settlement:
    """The truth about one event on one project, once it is over.

    Energy and power are those of the reduction, from values rounded as they are reported.
    """

    event: str
    """The event's id, with `#2` from its second occurrence on."""
    project_id: str
    notice_ms: int
    start_ms: int
    settled_ms: int
    """Start plus ramp: t0 of the definition of a violation."""
    end_ms: int
    """The real end, which may be before the scheduled one."""
    ending: Ending
    target_kw: float
    """The reduction that the event calls for."""
    compliance: float
    """The part of `target_kw` that the project is set to deliver."""
    dispatched_kwh: float
    """The integral of the reduction that was requested from the DERs."""
    delivered_kwh: float
    """The integral of the reduction over the event."""
    violations: tuple[tuple[int, int], ...]
    """Intervals of UTC ms, from the first reading in violation to the first that is not, or to
    the event's end on this project."""
    asked_kw: float = 0.0
    """The reduction that was requested after the ramp, mean."""
    able_kw: float = 0.0
    """The part of it that the capability of the project's devices allowed, mean.

    An upper bound: a device may override its order, as a cold tank does.
    """
    reason: str = ""
    """The reason why the project fell short of the target; empty if it did not."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A project that fell short of an event's target."""

    project_id: str
    missing_kwh: float
    reason: str


@dataclass(frozen=True, slots=True)
class TrueReduction:
    """The effect of one event on one project, found by simulating it without the event.

    Energies are integrals of the net consumption without the event minus that with it, from
    values rounded as they are reported. All other events and instructions are in both.
    """

    event: str
    """The event's id, with `#2` from its second occurrence on."""
    project_id: str
    true_kwh: float
    """The true reduction, over the readings that the settlement counts."""
    rebound_kwh: float
    """The reduction after the event; negative where the project draws more than without it."""
    rebound_s: float
    """The time after the event that `rebound_kwh` covers; shorter if the run ended."""


@dataclass(frozen=True, slots=True)
class UnmeasuredEvent:
    """An event whose true reduction is not known."""

    event: str
    reason: str


@dataclass(frozen=True, slots=True)
class Episode:
    """A fault on one device, from its beginning to its end."""

    fault_id: str
    der_id: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class FleetFailure:
    """A fleet, or a fault, that was disabled because its plugin failed."""

    fleet: str
    """The name of the DER type or of the fault's type."""
    devices: int
    """The number of DERs that were disabled; 0 for a fault, which disables none."""
    tick: int
    reason: str
    fault: str = ""
    """The id of the fault; empty for a fleet."""

    @property
    def effect(self) -> str:
        """The part that was disabled, for people."""
        if self.fault:
            return f"fault {self.fault} disabled"
        return f"{self.devices:,} DER{'s' * (self.devices != 1)} disabled"


@dataclass(frozen=True, slots=True)
class Clipped:
    """A column in which a plugin returned values beyond the bounds of its devices."""

    plugin: str
    """The plugin, as errors name it: the DER type 'battery'."""
    name: str
    """The column, for example `current_output`."""
    example: str
    """The first such value, its device and the bound."""


@dataclass(frozen=True, slots=True)
class FuseOverload:
    """A current at the meter of a site that exceeds its main fuse."""

    project: str
    line: int
    """The number of the line with the largest current, from 1."""
    current_a: float
    main_fuse_a: float


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A fault that an instruction injected."""

    fault: int
    """Its index, which no other fault of the run has; configured faults come first."""
    number: int
    """Its bit in `Labels.faults`, 0 to 62. A number may be used again by a later fault."""
    id: str
    name: str
    """The name of its type."""
    type: type[Fault]
    settings: Settings


@dataclass(frozen=True, slots=True)
class EventTotals:
    """The outcome of one event, or of several: sums over the projects that took part."""

    took_part: int = 0
    opted_out: int = 0
    superseded: int = 0
    interrupted: int = 0
    cancelled: int = 0
    in_violation: int = 0
    """The number of projects with a violation, those that opted out included."""
    opted_out_in_violation: int = 0
    target_kwh: float = 0.0
    delivered_kwh: float = 0.0

    @classmethod
    def of(cls, own: Settlement) -> EventTotals:
        """Return the totals of one settlement."""
        violates = int(bool(own.violations))
        if own.ending == "opted out":
            return cls(opted_out=1, in_violation=violates, opted_out_in_violation=violates)
        return cls(
            took_part=1,
            superseded=int(own.ending == "superseded"),
            interrupted=int(own.ending == "interrupted"),
            cancelled=int(own.ending == "cancelled"),
            in_violation=violates,
            target_kwh=own.target_kw * (own.end_ms - own.start_ms) / _MS_PER_HOUR,
            delivered_kwh=own.delivered_kwh,
        )

    def plus(self, other: EventTotals) -> EventTotals:
        """Return the sums of both."""
        names = [field.name for field in fields(self)]
        return EventTotals(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, slots=True)
class EventChange:
    """A change of one occurrence of an event."""

    event: str
    """The event's id, with `#2` from its second occurrence on."""
    kind: Change
    time_ms: int
    """The time of the tick with the change, UTC."""
    start_ms: int
    """The scheduled start."""
    duration_ms: int
    notice_ms: int
    randomize_ms: int
    """The longest delay of a project's own start."""
    projects: int
    """The number of projects that take part."""
    opted_out: int
    """The number of projects that stay away."""
    reduces: bool
    """True if the event calls for a reduction."""
    target_kw: float
    """The reduction that the event calls for, summed over the projects that take part."""
    export_limit_kw: float | None
    """The limit of each project."""
    import_limit_kw: float | None
    totals: EventTotals = EventTotals()
    """The outcome so far."""
    short: int = 0
    """The number of projects that took part and fell short so far."""
    worst: tuple[Shortfall, ...] = ()
    """The few of them that missed the most energy."""


@dataclass(frozen=True, slots=True, eq=False)
class Reloaded:
    """A reload of the configuration, between two ticks."""

    digest: str
    """The SHA-256 of the settings that the truth depends on, hexadecimal."""
    tick: int = 0
    """The index of the first tick with the new configuration."""
    time_ms: int = 0
    """The time of that tick, UTC."""
    added: tuple[str, ...] = ()
    """The ids of the devices that are new."""
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """The ids of the devices that restarted, because their settings or places have changed."""
    projects_added: tuple[str, ...] = ()
    projects_removed: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    """The transports and sources that were started, each with its kind."""
    ended: tuple[str, ...] = ()
    """The transports and sources that were closed."""
    roster: Roster | None = None
    """The devices from that tick on."""


@dataclass(frozen=True, slots=True, eq=False)
class TickResult:
    """The result of one tick, and at a run's end of what was still open."""

    tick: int
    """The tick's index; at the end, that of the tick that would have come next."""
    batch: Batch
    unsent: Batch | None = None
    """The readings that are now known never to leave, labelled with the cause."""
    instructions: tuple[Instruction, ...] = ()
    """The instructions that this tick received, in order."""
    acknowledgements: tuple[Acknowledgement, ...] = ()
    settlements: Sequence[Settlement] = ()
    """The settlements of the events that ended."""
    episodes: tuple[Episode, ...] = ()
    """The faults that ended."""
    injected: tuple[InjectedFault, ...] = ()
    """The faults that instructions injected in this tick."""
    changes: tuple[EventChange, ...] = ()
    """The events that were announced, began or ended."""
    failures: tuple[FleetFailure, ...] = ()
    """The fleets and faults that were disabled in this tick."""
    true_reductions: tuple[TrueReduction, ...] = ()
    """The true reductions of events whose rebound is over."""
    unmeasured: tuple[UnmeasuredEvent, ...] = ()
    """The events that were announced and will have no true reduction."""
    clipped: tuple[Clipped, ...] = ()
    """The columns that were clipped for the first time in this tick."""
    overloads: tuple[FuseOverload, ...] = ()
    """The sites whose current exceeded the main fuse for the first time."""
    reload: Reloaded | None = None
    """The reload before this tick, in a result without readings; None in the result of a tick."""
    truth: TickTruth | None = None
    """The true state in this tick; None at the run's end."""
