"""The text of a command, read strictly: whatever the bytes, a command or the reason why not."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final, get_args

import msgspec

from gridsim.api import Action, Command
from gridsim.contracts.instructions import CommandUnit

MAX_BYTES: Final = 8192
MAX_ID: Final = 128

_KEYS = ("id", "command", "value", "unit", "start", "duration_s", "ramp_s")
_UNITS: Mapping[str, tuple[CommandUnit, ...]] = {
    "set_power": ("kW", "%"),
    "limit_power": ("%", "kW"),
    "limit_export": ("kW",),
    "limit_import": ("kW",),
    "target_soc": ("%",),
}
"""What each action's value may be in, the default first; actions without a value are absent."""
_RAMPED = ("set_power", "limit_power", "limit_export", "limit_import")
_LONGEST_S = 100 * 366 * 86_400
_LARGEST = 1e9
_EXAMPLE = '{"id": "c-1", "command": "set_power", "value": -3.0}'
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)


class Refused(Exception):  # noqa: N818 - an answer to the sender, no failure of ours
    """The command is rejected; the message says what to write instead."""


class MalformedCommand(Refused):
    """Its text is no command; `id` and `action` as far as they could be read."""

    def __init__(self, reason: str, id: str = "", action: Action | None = None) -> None:
        super().__init__(reason)
        self.id = id
        self.action = action


def parse(payload: bytes) -> Command:
    """Raises Malformed, and nothing else, whatever the payload."""
    table = _table(payload)
    id = _read_id(table)
    action = _read_action(table)
    try:
        if id is None:
            raise Refused(
                f"'id' must be a text of 1 to {MAX_ID} printable characters, such as \"c-1\""
                if "id" in table
                else f"'id' is missing: write an object such as {_EXAMPLE}"
            )
        if action is None:
            raise Refused(_not_an_action(table))
        for key in table:
            if key not in _KEYS:
                raise Refused(f"{_shown(key)} is not a key of a command{_near(key, _KEYS)}")
        value, unit = _value(table, action)
        return Command(
            id=id,
            action=action,
            value=value,
            unit=unit,
            start_ms=_start(table),
            duration_s=_duration(table),
            ramp_s=_ramp(table, action),
        )
    except Refused as refusal:
        raise MalformedCommand(str(refusal), id or "", action) from None


def read_id(payload: bytes) -> str:
    """The id of what may be a command; empty if none can be read."""
    try:
        return _read_id(_table(payload)) or ""
    except MalformedCommand:
        return ""


def _table(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_BYTES:
        raise MalformedCommand(f"oversize: a command has at most {MAX_BYTES} bytes")
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise MalformedCommand("is not UTF-8: write JSON in UTF-8") from None
    try:
        table = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise MalformedCommand(
            f"is not JSON ({error}): write an object such as {_EXAMPLE}"
        ) from None
    if not isinstance(table, dict):
        raise MalformedCommand(f"must be one JSON object, such as {_EXAMPLE}")
    return table


def _read_id(table: Mapping[str, Any]) -> str | None:
    id = table.get("id")
    if isinstance(id, str) and 1 <= len(id) <= MAX_ID and id.isprintable():
        return id
    return None


def _read_action(table: Mapping[str, Any]) -> Action | None:
    given = table.get("command")
    return next((action for action in get_args(Action) if action == given), None)


def _not_an_action(table: Mapping[str, Any]) -> str:
    known = ", ".join(get_args(Action))
    if "command" not in table:
        return f"'command' is missing: write one of {known}"
    given = table["command"]
    if not isinstance(given, str):
        return f"'command' must be one of {known}"
    return f"there is no command {_shown(given)}{_near(given, get_args(Action))}; there are {known}"


def _value(table: Mapping[str, Any], action: Action) -> tuple[float | None, CommandUnit | None]:
    units = _UNITS.get(action)
    if units is None:
        for key in ("value", "unit"):
            if table.get(key) is not None:
                raise Refused(f"{action} takes no {key!r}: leave it out")
        return None, None
    given = table.get("unit")
    unit = next((one for one in units if one == given), units[0] if given is None else None)
    if unit is None:
        known = " or ".join(f'"{one}"' for one in units)
        raise Refused(f"'unit' of {action} must be {known}")
    if table.get("value") is None:
        raise Refused(f"'value' is missing: {action} needs a number in {unit}")
    return _number(table, "value", -_LARGEST, f"a number in {unit}, such as 3.5"), unit


def _number(table: Mapping[str, Any], key: str, least: float, shape: str) -> float:
    """A number at least `least`, and not beyond all measure."""
    value = table[key]
    # A boolean is a number to Python, and to nobody else.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{key!r} must be {shape}")
    if not least <= value <= max(_LARGEST, _LONGEST_S) or not math.isfinite(value):
        raise Refused(f"{key!r} must be {shape}")
    return float(value)


def _start(table: Mapping[str, Any]) -> int | None:
    given = table.get("start")
    if given is None:
        return None
    shape = "'start' must be a time with its offset, such as \"2026-07-01T12:00:00Z\""
    if not isinstance(given, str) or _TIME.fullmatch(given) is None:
        raise Refused(shape)
    try:
        time = datetime.fromisoformat(given.upper())
        if not _EPOCH <= time < _LAST:
            raise Refused("'start' must be from 1970 to 2199")
    except (ValueError, OverflowError):
        raise Refused(shape) from None
    return (time - _EPOCH) // timedelta(milliseconds=1)


def _duration(table: Mapping[str, Any]) -> float | None:
    if table.get("duration_s") is None:
        return None
    shape = "a number of seconds from 0.001 to 100 years, such as 600"
    value = _number(table, "duration_s", 0.001, shape)
    if value > _LONGEST_S:
        raise Refused(f"'duration_s' must be {shape}")
    return value


def _ramp(table: Mapping[str, Any], action: Action) -> float:
    if table.get("ramp_s") is None:
        return 0.0
    shape = "a number of seconds from 0 to 100 years, such as 10"
    value = _number(table, "ramp_s", 0.0, shape)
    if value > _LONGEST_S:
        raise Refused(f"'ramp_s' must be {shape}")
    if value and action not in _RAMPED:
        raise Refused(f"{action} takes no 'ramp_s': leave it out")
    return value


def _shown(text: str) -> str:
    """Its beginning, with nothing in it that could not be printed."""
    return ascii(text if len(text) <= 40 else text[:37] + "...")


def _near(given: str, known: Collection[str]) -> str:
    found = get_close_matches(given[:40], list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""
