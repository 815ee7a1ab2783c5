"""Views: the displays of a run for people and other programs while it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.batch import Roster
from gridsim.contracts.catalogue import Catalogue
from gridsim.contracts.instructions import Instruction, Status
from gridsim.contracts.run_context import RunContext
from gridsim.contracts.settings import S, Settings
from gridsim.contracts.status import RunStatus
from gridsim.helpers.randomness import Floats

Span = Literal["15m", "1d"]
"""The part of the past that a history covers: 15 minutes in steps of 1 s, or a day in steps of
1 min, of simulated time."""
EntryKind = Literal["event", "fault", "command", "failure"]

OFFLINE: int = 1
"""The bits of `DeviceStates.state`: the device has no connection."""
FAULTY: int = 2
"""A fault affects the device's readings."""
CALLED: int = 4
"""The device's project takes part in a demand-response event."""
DISABLED: int = 8
"""The device's plugin failed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry in the list of what happened: an event, a fault, a command or a failure."""

    number: int
    """The number of entries of the run before this one."""
    time_ms: int
    """The simulated time, UTC."""
    kind: EntryKind
    state: str
    """A state of its kind: begins, ended; injected, cleared; accepted, rejected, completed."""
    subject: str
    """The id of the event, fault or instruction, or the name of the DER type that failed."""
    text: str
    """One sentence for people."""
    end_ms: int | None = None
    """The end, where it is known."""


@dataclass(frozen=True, slots=True)
class PostedAnswer:
    """An acknowledgement of an instruction that a view has posted."""

    time_ms: int
    """The simulated time, UTC."""
    status: Status
    reason: str
    """The cause of a rejection or an early end; else empty."""
    text: str
    """One sentence for people."""


@dataclass(frozen=True, slots=True)
class OpenFault:
    """A fault that has begun, or was injected, and is not over."""

    id: str
    since_ms: int
    """The simulated time, UTC."""
    text: str
    """One sentence for people."""


@dataclass(frozen=True, slots=True, eq=False)
class SiteStates:
    """The true state of the projects, as columns in the roster's order, kW."""

    load_kw: Floats
    """The gross load."""
    baseline_kw: Floats
    threshold_kw: Floats
    """The contracted reduction; 0 for a standalone project."""
    output_kw: Floats
    """The sum of the outputs of the project's devices."""
    target_kw: Floats
    """The reduction that a running event calls for; NaN where there is none."""
    in_violation: NDArray[np.bool_]
    violations: NDArray[np.int32]
    """The number of violations that have begun so far."""

    @property
    def net_kw(self) -> Floats:
        """The net consumption."""
        return self.load_kw - self.output_kw

    @property
    def delivered_kw(self) -> Floats:
        """The reduction below the baseline."""
        return self.baseline_kw - self.net_kw


@dataclass(frozen=True, slots=True, eq=False)
class DeviceStates:
    """The state of the devices, as columns in the roster's order."""

    output_kw: Floats
    """The true output."""
    soc: Floats
    """The true state of charge, %; NaN where there is no storage."""
    state: NDArray[np.uint8]
    """Bits: OFFLINE, FAULTY, CALLED, DISABLED."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The run at one tick, and what happened before it. All arrays are read-only."""

    status: RunStatus
    tick: int
    time_ms: int
    """The simulated time of the tick, UTC."""
    kw: Mapping[str, float]
    """The true output of each reported type, summed."""
    load_kw: float
    baseline_kw: float
    target_kw: float
    """The reduction that running events call for, summed."""
    delivered_kw: float
    """The reduction of the projects that an event calls, summed."""
    online: int
    """The number of devices with a connection."""
    sites: SiteStates
    devices: DeviceStates
    entries: tuple[Entry, ...]
    """The newest 200 entries, the oldest first."""
    running_events: tuple[str, ...] = ()
    open_faults: tuple[OpenFault, ...] = ()
    """The faults that are not over, in the order of their beginnings."""

    @property
    def net_kw(self) -> float:
        """The net consumption of all projects."""
        return self.load_kw - sum(self.kw.values())


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The past of the fleet, the oldest first; at most 900 or 1,440 points.

    A point is the mean over a step; where a tick is longer than the step, there is a point for
    each tick. A step without a tick has no point.
    """

    time_ms: NDArray[np.int64]
    """Simulated times, UTC."""
    kw: Mapping[str, Floats]
    """The true output of each reported type, summed, kW."""
    load_kw: Floats
    target_kw: Floats
    delivered_kw: Floats
    violating: Floats
    """The number of projects in violation."""


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """A message as it was sent or received."""

    number: int
    """The number of messages of the device's trace before this one."""
    time_ms: int
    """The wall clock, UTC."""
    direction: Literal["out", "in"]
    channel: str
    """The name of the transport or source."""
    topic: str
    """The address within the channel, such as an MQTT topic; else empty."""
    qos: int | None
    payload: bytes
    """The whole payload if it has at most 4,096 bytes; else the first 4,096, or those around the
    device's id if it is beyond them. Empty if the reading was dropped before it was encoded."""
    size: int
    """The size of the whole payload in bytes."""
    fate: str
    """delivered, unconfirmed, pending, or `dropped: REASON`, with `, attempt N` if it was sent N
    times; for a received one its last answer, such as `rejected: REASON`."""
    changed: int = 0
    """The number of changes of the trace before the last change of this message: it was sent, or
    its fate became known.
    """
    start: int = 0
    """The place of `payload` in the whole payload, bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class DeviceView:
    """One device that is watched, from the moment at which it was opened.

    If the run has a ledger, the last readings before that moment precede the others.
    """

    der_id: str
    project_id: str
    type: str
    """The type that it reports."""
    settings: Mapping[str, object]
    """The settings of its DER type, without secrets."""
    time_ms: NDArray[np.int64]
    """The simulated times of its readings, UTC; at most 900."""
    true: Mapping[str, Floats]
    """The true columns: current_output, current_soc, power_meter_measurement, and further ones."""
    reported: Mapping[str, Floats]
    """The same as reported; NaN where nothing was reported."""
    faults: NDArray[np.bool_]
    """True where a fault affected the reading."""
    order: str
    """The command in force, as a sentence; empty if there is none."""
    messages: tuple[TracedMessage, ...]
    """The last 50 messages, the oldest first."""


class Control(Protocol):
    """The control of a run by its views. May be used from any thread."""

    @property
    def roster(self) -> Roster:
        """Return the devices and projects."""

    def catalogue(self) -> Catalogue:
        """Return the faults, commands and types of DERs of the run."""

    def status(self) -> RunStatus:
        """Return the run's status, at this moment."""

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot."""

    def history(self, span: Span) -> History:
        """Return the fleet's past."""

    def project_history(self, projects: NDArray[np.intp]) -> Floats:
        """Return the reduction of some projects, float32[projects, 60], kW, every 15 s.

        The last column is the present one. NaN where the run had no tick. Where a tick is longer
        than 15 s, there is a column for each tick.
        """

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction for the next tick; return whether there was room.

        Its acknowledgements become entries, and `answers` returns them.
        """

    def answers(self, instruction: Instruction) -> Sequence[PostedAnswer] | None:
        """Return the acknowledgements so far of an instruction that a view has posted.

        None: 10,000 others were posted since, and its acknowledgements are not kept.
        """

    def pause(self) -> None:
        """Start no more ticks until `resume`."""

    def resume(self) -> None:
        """Continue after `pause`."""

    def set_speed(self, speed: float) -> None:
        """Change the speed. Raises ValueError if it is neither 0 nor in 0.001 to 1,000,000."""

    def watch(self, der_id: str) -> DeviceView:
        """Return a device's own view, and keep recording it for the next 30 s.

        The first call for a device takes up to a second if the run has a ledger. Raises
        KeyError for an unknown device, and ValueError if 20 others are watched.
        """


class View(ABC, Generic[S]):
    """The contract of a view. It is called from the thread of the run's views, in this order:
    `start` once, `show` any number of times, `close` once.

    A view that raises is disabled, and the run goes on. A slow view delays other views, but
    never the run: the snapshots in between are left out.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: S, run: RunContext) -> None:
        """Open nothing. Raises ValueError if the settings cannot be used."""
        self.settings = settings
        self.run = run

    def describe(self) -> str:
        """Return the place where the view is seen, for people: one line, without secrets; may be
        empty.
        """
        return ""

    @abstractmethod
    def start(self, control: Control) -> None:
        """Open the view, before the first tick. Raises OSError if that cannot be done."""

    @abstractmethod
    def show(self, snapshot: Snapshot) -> None:
        """Show the run. Called at most four times a second while the run goes on, and once at
        its end."""

    @abstractmethod
    def close(self) -> None:
        """Release everything."""
