"""Snapshots: the state and the past of a run, as views show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.instructions import Status
from gridsim.contracts.status import RunStatus
from gridsim.helpers.randomness import Floats

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
