"""Instructions from other systems to a run, and the acknowledgements that they get."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, Literal, Protocol, get_args

Action = Literal[
    "set_power",
    "limit_power",
    "limit_export",
    "limit_import",
    "target_soc",
    "connect",
    "disconnect",
]
"""The action that a command requests from a project or a DER."""
CommandUnit = Literal["kW", "%"]
Status = Literal["accepted", "rejected", "completed", "superseded", "cancelled"]

ACTIONS: Final[tuple[str, ...]] = (
    *get_args(Action),
    "call_event",
    "cancel_event",
    "inject_fault",
    "clear_fault",
)
"""The names of all instructions, as `Acknowledgement.action` gives them."""

MAX_ID: Final = 128
UNITS_OF: Final[Mapping[str, tuple[CommandUnit, ...]]] = {
    "set_power": ("kW", "%"),
    "limit_power": ("%", "kW"),
    "limit_export": ("kW",),
    "limit_import": ("kW",),
    "target_soc": ("%",),
}
"""The units that each action's value may have, the default first; other actions have no value."""
_RAMPED = ("set_power", "limit_power", "limit_export", "limit_import")
_LONGEST_S = 100 * 366 * 86_400
_LARGEST = 1e9
_LAST_MS = 7_258_118_400_000
_DEEPEST = 20
# Keys of the JSON object that mean the instruction itself.
_RESERVED = ("id", "command", "unreadable")


class Refused(ValueError):  # noqa: N818 - an answer to the sender, not a failure of gridsim
    """An instruction that is rejected. The message gives the reason and what to write instead."""


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
    """kW or %, depending on `unit`; None for connect and disconnect."""
    unit: CommandUnit | None = None
    """None: the action's usual unit."""
    start_ms: int | None = None
    """UTC, simulated time; None: at once."""
    duration_s: float | None = None
    """The time after which the device reverts; None: at the next command of this kind."""
    ramp_s: float = 0.0
    """The time that a straight line from the present value to the new one takes."""
    source: str = ""
    """The name of the source that the command came from, which gets the acknowledgements."""

    def __post_init__(self) -> None:
        check_id(self.id)
        check_action(self.action)
        value, unit = _value_of(self.action, self.value, self.unit)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "unit", unit)
        if self.start_ms is not None and not 0 <= self.start_ms < _LAST_MS:
            raise Refused("'start' must be from 1970 to 2199")
        object.__setattr__(self, "duration_s", _duration(self.duration_s))
        object.__setattr__(self, "ramp_s", _ramp(self.ramp_s, self.action))


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

    def __post_init__(self) -> None:
        check_id(self.id)
        _check_name("event", self.event)
        object.__setattr__(self, "settings", _plain(self.settings))


@dataclass(frozen=True, slots=True)
class CancelEvent:
    """The end of a running event, or the withdrawal of one that has not begun."""

    target: Target
    id: str
    event: str
    source: str = ""

    def __post_init__(self) -> None:
        check_id(self.id)
        _check_name("event", self.event)


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

    def __post_init__(self) -> None:
        check_id(self.id)
        if self.fault != "":
            _check_name("fault", self.fault)
        object.__setattr__(self, "settings", _plain(self.settings))


@dataclass(frozen=True, slots=True)
class ClearFault:
    """The end of a fault on the target's DERs."""

    target: Target
    id: str
    fault: str
    source: str = ""

    def __post_init__(self) -> None:
        check_id(self.id)
        _check_name("fault", self.fault)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A text that is not an instruction. The simulation answers "rejected" with the reason."""

    target: Target
    id: str
    """The id, empty if there is none that can be read."""
    text: str
    """The beginning of the text; bytes that are not UTF-8 are escaped."""
    reason: str
    action: str | None = None
    """The action, if it can be read."""
    source: str = ""


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


def check_id(id: object) -> str:
    """Return the id of an instruction. Raises Refused."""
    if isinstance(id, str) and 1 <= len(id) <= MAX_ID and id.isprintable():
        return id
    raise Refused(f"'id' must be a text of 1 to {MAX_ID} printable characters, such as \"c-1\"")


def check_action(action: object) -> str:
    """Return the name of a command. Raises Refused."""
    known = get_args(Action)
    if isinstance(action, str) and action in known:
        return action
    raise Refused(f"'command' must be one of {', '.join(known)}")


def near(given: str, known: Collection[str]) -> str:
    """Return a hint at the nearest known name, empty if none is near."""
    found = get_close_matches(given[:40], list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def _check_name(key: str, name: object) -> None:
    if not (isinstance(name, str) and 1 <= len(name) <= MAX_ID and name.isprintable()):
        raise Refused(f"{key!r} must be a text of 1 to {MAX_ID} printable characters")


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the settings as JSON has them. Raises Refused if JSON cannot hold them."""
    for key in _RESERVED:
        if key in settings:
            raise Refused(f"the settings must not hold {key!r}")
    try:
        if _is_deeper(settings, _DEEPEST):
            raise Refused("the settings are nested too deeply")
        plain: dict[str, Any] = json.loads(json.dumps(dict(settings), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused(f"the settings cannot be written as JSON: {error}") from None
    return plain


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether a value nests deeper than this."""
    inner: Iterable[Any] = ()
    if isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    return not levels or any(_is_deeper(one, levels - 1) for one in inner)


def _value_of(action: str, value: object, unit: object) -> tuple[float | None, CommandUnit | None]:
    units = UNITS_OF.get(action)
    if units is None:
        for key, given in (("value", value), ("unit", unit)):
            if given is not None:
                raise Refused(f"{action} takes no {key!r}: leave it out")
        return None, None
    found = next((one for one in units if one == unit), units[0] if unit is None else None)
    if found is None:
        known = " or ".join(f'"{one}"' for one in units)
        raise Refused(f"'unit' of {action} must be {known}")
    if value is None:
        raise Refused(f"'value' is missing: {action} needs a number in {found}")
    return _number("value", value, -_LARGEST, f"a number in {found}, such as 3.5"), found


def _number(key: str, value: object, least: float, shape: str) -> float:
    """Return a number that is at least `least` and not absurdly large. Raises Refused."""
    # Python counts booleans as numbers; no user does.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{key!r} must be {shape}")
    if not least <= value <= max(_LARGEST, _LONGEST_S) or not math.isfinite(value):
        raise Refused(f"{key!r} must be {shape}")
    return float(value)


def _duration(given: object) -> float | None:
    if given is None:
        return None
    shape = "a number of seconds from 0.001 to 100 years, such as 600"
    value = _number("duration_s", given, 0.001, shape)
    if value > _LONGEST_S:
        raise Refused(f"'duration_s' must be {shape}")
    return value


def _ramp(given: object, action: str) -> float:
    if given is None:
        return 0.0
    shape = "a number of seconds from 0 to 100 years, such as 10"
    value = _number("ramp_s", given, 0.0, shape)
    if value > _LONGEST_S:
        raise Refused(f"'ramp_s' must be {shape}")
    if value and action not in _RAMPED:
        raise Refused(f"{action} takes no 'ramp_s': leave it out")
    return value
