"""Instructions from other systems to a run, and their acknowledgements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, get_args

from gridsim.contracts.instruction_rules import (
    LAST_MS,
    Action,
    CommandUnit,
    Period,
    Refused,
    check_action,
    check_id,
    check_name,
    check_periods,
    command_value,
    duration,
    plain,
    ramp,
    read_periods,
    stack_level,
)
from gridsim.contracts.message import ReceivedText

Status = Literal["accepted", "rejected", "completed", "superseded", "cancelled"]

ACTIONS: Final[tuple[str, ...]] = (
    *get_args(Action),
    "call_event",
    "cancel_event",
    "inject_fault",
    "clear_fault",
)
"""The names of all instructions, as `Acknowledgement.action` gives them."""


@dataclass(frozen=True, slots=True)
class Target:
    """The recipient of an instruction: a project, one of its DERs, or the whole fleet."""

    project_id: str
    """Empty: the whole fleet."""
    der_id: str | None = None

    def __str__(self) -> str:
        if not self.project_id and self.der_id is None:
            return "the fleet"
        return self.project_id if self.der_id is None else f"{self.project_id}/{self.der_id}"


FLEET: Final = Target("")
"""The target of instructions that name projects and DERs by patterns."""


@dataclass(frozen=True, slots=True)
class Command:
    """A well-formed command to a project or a DER.

    The simulation decides whether the target can follow it. Raises Refused if it is not
    well-formed.
    """

    target: Target
    id: str
    """Unique for each target."""
    action: Action
    value: float | None = None
    """kW or %, depending on `unit`; None for connect and disconnect, and with periods."""
    unit: CommandUnit | None = None
    """None: the action's usual unit."""
    start_ms: int | None = None
    """UTC, simulated time; None: at once."""
    duration_s: float | None = None
    """The time after which the device reverts; None: at the next command of this kind."""
    ramp_s: float = 0.0
    """The duration of the linear ramp from the present value to the new one."""
    source: str = ""
    """The name of the source that the command came from, which gets the acknowledgements."""
    received: ReceivedText | None = field(default=None, compare=False, repr=False)
    """The text that it was read from, until the source has posted it; only for the trace."""
    periods: tuple[Period, ...] = ()
    """The values over time, instead of `value`; the last one holds until the command's end."""
    stack_level: int = 0
    """0 to 9: of several commands of a kind to a target, the one of the highest level applies."""

    def __post_init__(self) -> None:
        check_id(self.id)
        check_action(self.action)
        value, unit = command_value(self.action, self.value, self.unit, bool(self.periods))
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "unit", unit)
        if self.start_ms is not None and not 0 <= self.start_ms < LAST_MS:
            raise Refused("'start' must be from 1970 to 2199")
        object.__setattr__(self, "duration_s", duration(self.duration_s))
        object.__setattr__(self, "ramp_s", ramp(self.ramp_s, self.action))
        periods = read_periods(self.periods) if self.periods else ()
        if periods:
            periods = check_periods(periods, self.action, unit, self.duration_s)
        object.__setattr__(self, "periods", periods)
        object.__setattr__(self, "stack_level", stack_level(self.stack_level))


@dataclass(frozen=True, slots=True)
class CallEvent:
    """A demand-response event that begins now, or at the time that its settings give."""

    target: Target
    id: str
    event: str
    """The event's id in the log and in the ledger."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The other keys of `[[events]]`. Without `projects`: the projects of the target."""
    source: str = ""
    received: ReceivedText | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_id(self.id)
        check_name("event", self.event)
        object.__setattr__(self, "settings", plain(self.settings))


@dataclass(frozen=True, slots=True)
class CancelEvent:
    """The end of a running event, or the withdrawal of one that has not begun."""

    target: Target
    id: str
    event: str
    source: str = ""
    received: ReceivedText | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_id(self.id)
        check_name("event", self.event)


@dataclass(frozen=True, slots=True)
class InjectFault:
    """A fault that begins now, or as its settings say."""

    target: Target
    id: str
    fault: str
    """The fault's id in the ledger; empty: the name of its type."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The other keys of `[[faults]]`, `type` among them. Without `ders` and `projects`: the DERs
    of the target."""
    source: str = ""
    received: ReceivedText | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_id(self.id)
        if self.fault != "":
            check_name("fault", self.fault)
        object.__setattr__(self, "settings", plain(self.settings))


@dataclass(frozen=True, slots=True)
class ClearFault:
    """The end of a fault on the target's DERs."""

    target: Target
    id: str
    fault: str
    source: str = ""
    received: ReceivedText | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_id(self.id)
        check_name("fault", self.fault)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A text that is not an instruction. The simulation answers "rejected" with the reason."""

    target: Target
    id: str
    """The id; empty if none can be read."""
    text: str
    """The beginning of the text; bytes that are not UTF-8 are escaped."""
    reason: str
    action: str | None = None
    """The action, if it can be read."""
    source: str = ""
    received: ReceivedText | None = field(default=None, compare=False, repr=False)


Instruction = Command | CallEvent | CancelEvent | InjectFault | ClearFault | Unreadable


def action_of(instruction: Instruction) -> str | None:
    """Return the instruction's name, as acknowledgements give it."""
    if isinstance(instruction, Command | Unreadable):
        return instruction.action
    return _NAMES[type(instruction)]


_NAMES: Mapping[type, str] = {
    CallEvent: "call_event",
    CancelEvent: "cancel_event",
    InjectFault: "inject_fault",
    ClearFault: "clear_fault",
}


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The answer to an instruction."""

    target: Target
    id: str
    """Empty if the instruction had none that could be read."""
    status: Status
    reason: str
    """The cause of a rejection or an early end; else empty."""
    tick: int
    """The tick that decided it."""
    time_ms: int
    """The same as simulated time, UTC."""
    source: str
    action: str | None = None
    """One of `ACTIONS`; None if it could not be read."""


class Inbox(Protocol):
    """The queue of instructions for the next tick. `post` may be called from any thread."""

    def post(self, instruction: Instruction) -> bool:
        """Return whether there was room. Never waits: without room the instruction is refused."""

    def lost(self, instructions: int) -> None:
        """Count instructions that arrived and were dropped unread, for the run's status."""
