"""The rules for an instruction's fields, and the reasons for refusing it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

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

MAX_ID: Final = 128
UNITS_OF: Final[Mapping[str, tuple[CommandUnit, ...]]] = {
    "set_power": ("kW", "%"),
    "limit_power": ("%", "kW"),
    "limit_export": ("kW",),
    "limit_import": ("kW",),
    "target_soc": ("%",),
}
"""The units that each action's value may have, the default first; other actions have no value."""
RAMPED: Final = ("set_power", "limit_power", "limit_export", "limit_import")
"""The actions that a ramp may lead to, and that may have periods."""
MAX_PERIODS: Final = 200
"""The largest number of periods of a command.

Two days of quarter hours are 192, and a text of 8,192 bytes has room for them.
"""
MAX_STACK_LEVEL: Final = 9
"""The highest stack level; a target has at most one command of each kind and level in force."""
_LONGEST_S = 100 * 366 * 86_400
_LARGEST = 1e9
_PERIODS = '[{"start_s": 0, "value": 3.0}, {"start_s": 600, "value": 1.5}]'
LAST_MS = 7_258_118_400_000
_DEEPEST = 20
# Keys of the JSON object that describe the instruction itself.
_RESERVED = ("id", "command", "unreadable")


class Refused(ValueError):  # noqa: N818 - an answer to the sender, not a failure of gridsim
    """An instruction that is rejected. The message gives the reason and what to write instead."""


@dataclass(frozen=True, slots=True)
class Period:
    """A part of a command's schedule. It ends where the next one starts."""

    start_s: float
    """Seconds from the start of the command; 0 for the first period, and rising."""
    value: float
    """In the unit of the command."""


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


def check_name(key: str, name: object) -> None:
    """Raise Refused if the name of an event or a fault is not usable."""
    if not (isinstance(name, str) and 1 <= len(name) <= MAX_ID and name.isprintable()):
        raise Refused(f"{key!r} must be a text of 1 to {MAX_ID} printable characters")


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
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


def command_value(
    action: str, value: object, unit: object, in_periods: bool = False
) -> tuple[float | None, CommandUnit | None]:
    """Return a command's value and its unit; both None where it takes none. Raises Refused.

    The value is also None if the command has periods, each with its value.
    """
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
    if in_periods:
        if value is not None:
            raise Refused("'value' and 'periods' exclude each other: leave one out")
        return None, found
    if value is None:
        raise Refused(f"'value' is missing: {action} needs a number in {found}")
    return _number("value", value, -_LARGEST, f"a number in {found}, such as 3.5"), found


def check_periods(
    given: Sequence[Period], action: str, unit: CommandUnit | None, duration_s: float | None
) -> tuple[Period, ...]:
    """Return the periods of a command. Raises Refused, which names the place."""
    if action not in RAMPED:
        raise Refused(f"{action} takes no 'periods': leave it out")
    checked: list[Period] = []
    for place, period in enumerate(given):
        key = f"periods[{place}].start_s"
        start_s = _number(key, period.start_s, -_LARGEST, "a number of seconds, such as 600")
        if not checked and start_s != 0.0:
            raise Refused(f"{key!r} must be 0: the first period starts with the command")
        if checked and start_s <= checked[-1].start_s:
            raise Refused(f"{key!r} must be above {checked[-1].start_s:.15g}, the start before it")
        if start_s >= _LONGEST_S:
            raise Refused(f"{key!r} must be below 100 years")
        if duration_s is not None and start_s >= duration_s:
            raise Refused(f"{key!r} must be below 'duration_s', which is {duration_s:.15g}")
        value = _number(
            f"periods[{place}].value", period.value, -_LARGEST, f"a number in {unit}, such as 3.5"
        )
        checked.append(Period(start_s, value))
    return tuple(checked)


def read_periods(given: object) -> tuple[Period, ...]:
    """Return the periods of a list of JSON objects or of periods, unchecked. Raises Refused."""
    if not isinstance(given, list | tuple) or not 1 <= len(given) <= MAX_PERIODS:
        raise Refused(f"'periods' must be a list of 1 to {MAX_PERIODS} periods, such as {_PERIODS}")
    return tuple(_period(f"periods[{place}]", one) for place, one in enumerate(given))


def _period(where: str, given: Any) -> Period:
    if isinstance(given, Period):
        return given
    if not isinstance(given, Mapping) or given.keys() != {"start_s", "value"}:
        raise Refused(f"{where!r} must have the keys start_s and value, and no others")
    return Period(given["start_s"], given["value"])


def _number(key: str, value: object, least: float, shape: str) -> float:
    """Return a number that is at least `least` and not absurdly large. Raises Refused."""
    # Python counts booleans as numbers; no user does.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{key!r} must be {shape}")
    if not least <= value <= max(_LARGEST, _LONGEST_S) or not math.isfinite(value):
        raise Refused(f"{key!r} must be {shape}")
    return float(value)


def duration(given: object) -> float | None:
    """Return how long a command lasts, in seconds; None: without an end. Raises Refused."""
    if given is None:
        return None
    shape = "a number of seconds from 0.001 to 100 years, such as 600"
    value = _number("duration_s", given, 0.001, shape)
    if value > _LONGEST_S:
        raise Refused(f"'duration_s' must be {shape}")
    return value


def ramp(given: object, action: str) -> float:
    """Return how long a command's ramp takes, in seconds. Raises Refused."""
    if given is None:
        return 0.0
    shape = "a number of seconds from 0 to 100 years, such as 10"
    value = _number("ramp_s", given, 0.0, shape)
    if value > _LONGEST_S:
        raise Refused(f"'ramp_s' must be {shape}")
    if value and action not in RAMPED:
        raise Refused(f"{action} takes no 'ramp_s': leave it out")
    return value


def stack_level(given: object) -> int:
    """Return the stack level of a command; 0 if it has none. Raises Refused."""
    if given is None:
        return 0
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= MAX_STACK_LEVEL:
        raise Refused(f"'stack_level' must be a whole number from 0 to {MAX_STACK_LEVEL}")
    return given
