"""Instructions as JSON, for sources that speak it, for the command line and for the ledger."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from gridsim.contracts.hints import did_you_mean
from gridsim.contracts.instruction_rules import Action, Refused, check_id, read_periods, stack_level
from gridsim.contracts.instructions import (
    ACTIONS,
    Acknowledgement,
    CallEvent,
    CancelEvent,
    ClearFault,
    Command,
    InjectFault,
    Instruction,
    Target,
    Unreadable,
    action_of,
)
from gridsim.contracts.message import KEPT_BYTES, MessageAddress, ReceivedText
from gridsim.helpers.timestamps import rfc3339

MAX_BYTES: Final = 8192
"""The length of the longest text that is read."""

_EXAMPLE = '{"id": "c-1", "command": "set_power", "value": -3.0}'
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_SWITCH = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
# Python's own numbers may also have other digits and underscores.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)
_KEYS = (
    "id",
    "command",
    "value",
    "unit",
    "start",
    "duration_s",
    "ramp_s",
    "periods",
    "stack_level",
)


def read_instruction(
    payload: bytes, target: Target, source: str = "", *, topic: str = "", qos: int | None = None
) -> Instruction:
    """Return the instruction that a text holds, or Unreadable with the reason. Never raises.

    `topic` and `qos` are those of the message, for the trace of a device.
    """
    instruction = _read(payload, target, source)
    text = ReceivedText(payload[:KEPT_BYTES], len(payload), MessageAddress(topic, qos))
    object.__setattr__(instruction, "received", text)
    return instruction


def read_value(
    payload: bytes,
    action: Action,
    target: Target,
    id: str,
    *,
    topic: str = "",
    qos: int | None = None,
) -> Instruction:
    """Return the command whose value a text is, or Unreadable with the reason. Never raises.

    The text is a number in the usual unit of the action. That of connect and disconnect is ON or
    OFF, true or false, or 1 or 0, in any case; OFF means the opposite action. The other arguments
    are those of `read_instruction`; the caller chooses the id.
    """
    text = payload[:KEPT_BYTES].decode(errors="backslashreplace").strip()
    received = ReceivedText(payload[:KEPT_BYTES], len(payload), MessageAddress(topic, qos))
    try:
        if action in ("connect", "disconnect"):
            return Command(target, id, _switched(action, text), received=received)
        if _NUMBER.fullmatch(text) is None:
            raise Refused("the value must be a number, such as -3.0")
        return Command(target, id, action, float(text), received=received)
    except Refused as refusal:
        return Unreadable(target, id, text, str(refusal), action, received=received)


def _switched(action: Action, text: str) -> Action:
    """Return the action that ON or OFF means. Raises Refused for another text."""
    on = _SWITCH.get(text.lower())
    if on is None:
        raise Refused("the value must be ON or OFF")
    return "connect" if on == (action == "connect") else "disconnect"


def _read(payload: bytes, target: Target, source: str, longest: int = MAX_BYTES) -> Instruction:
    id, action = "", None
    try:
        table = _table(payload, longest)
        id, action = _known_id(table), _known_action(table)
        if not id:
            if "id" in table:
                check_id(table["id"])
            raise Refused(f"'id' is missing: write an object such as {_EXAMPLE}")
        if action is None:
            raise Refused(_not_an_action(table))
        return _READERS.get(action, _command)(table, target, source)
    except (Refused, RecursionError) as refusal:
        text = payload[:MAX_BYTES].decode(errors="backslashreplace")
        return Unreadable(target, id, text, str(refusal), action, source)


def write_instruction(instruction: Instruction) -> bytes:
    """Return the instruction as JSON. `read_instruction` reads it back, apart from Unreadable,
    which `restore_instruction` reads."""
    return msgspec.json.encode(_written(instruction))


def restore_instruction(payload: bytes, target: Target, source: str) -> Instruction:
    """Return the instruction that `write_instruction` wrote."""
    table = msgspec.json.decode(payload)
    if "unreadable" in table:
        return Unreadable(
            target, table["id"], table["unreadable"], table["reason"], table["command"], source
        )
    # The text of a program's command may be longer than a text on the wire.
    return _read(payload, target, source, longest=len(payload))


def acknowledgement_json(acknowledgement: Acknowledgement) -> bytes:
    """Return an acknowledgement as JSON."""
    return msgspec.json.encode(
        {
            "id": acknowledgement.id,
            "status": acknowledgement.status,
            "reason": acknowledgement.reason,
            "command": acknowledgement.action,
            "timestamp": rfc3339(acknowledgement.time_ms),
            "tick": acknowledgement.tick,
        }
    )


def _command(table: Mapping[str, Any], target: Target, source: str) -> Command:
    _check_keys(table, _KEYS)
    ramp_s, periods = table.get("ramp_s"), table.get("periods")
    return Command(
        target,
        table["id"],
        table["command"],
        table.get("value"),
        table.get("unit"),
        _start_ms(table),
        table.get("duration_s"),
        0.0 if ramp_s is None else ramp_s,
        source,
        periods=() if periods is None else read_periods(periods),
        stack_level=stack_level(table.get("stack_level")),
    )


def _call_event(table: Mapping[str, Any], target: Target, source: str) -> CallEvent:
    event, settings = _name(table, "event"), _settings(table, "event")
    return CallEvent(target, table["id"], event, settings, source)


def _cancel_event(table: Mapping[str, Any], target: Target, source: str) -> CancelEvent:
    _check_keys(table, ("id", "command", "event"))
    return CancelEvent(target, table["id"], _name(table, "event"), source)


def _inject_fault(table: Mapping[str, Any], target: Target, source: str) -> InjectFault:
    fault = "" if table.get("fault") is None else _name(table, "fault")
    return InjectFault(target, table["id"], fault, _settings(table, "fault"), source)


def _clear_fault(table: Mapping[str, Any], target: Target, source: str) -> ClearFault:
    _check_keys(table, ("id", "command", "fault"))
    return ClearFault(target, table["id"], _name(table, "fault"), source)


_READERS: Mapping[str, Callable[[Mapping[str, Any], Target, str], Instruction]] = {
    "call_event": _call_event,
    "cancel_event": _cancel_event,
    "inject_fault": _inject_fault,
    "clear_fault": _clear_fault,
}


def _written(instruction: Instruction) -> dict[str, Any]:
    table: dict[str, Any] = {"id": instruction.id, "command": action_of(instruction)}
    match instruction:
        case Command():
            start_ms = instruction.start_ms
            table |= {
                "value": instruction.value,
                "unit": instruction.unit,
                "start": None if start_ms is None else rfc3339(start_ms),
                "duration_s": instruction.duration_s,
                "ramp_s": instruction.ramp_s or None,
                "periods": instruction.periods or None,
                "stack_level": instruction.stack_level or None,
            }
            table = {key: value for key, value in table.items() if value is not None}
        case CallEvent() | CancelEvent():
            table["event"] = instruction.event
        case InjectFault() | ClearFault():
            table |= {"fault": instruction.fault} if instruction.fault else {}
        case Unreadable():
            table |= {"unreadable": instruction.text, "reason": instruction.reason}
    if isinstance(instruction, CallEvent | InjectFault):
        table |= instruction.settings
    return table


def _table(payload: bytes, longest: int) -> dict[str, Any]:
    if len(payload) > longest:
        raise Refused(f"oversize: a command has at most {longest} bytes")
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise Refused("is not UTF-8: write JSON in UTF-8") from None
    try:
        table = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"is not JSON ({error}): write an object such as {_EXAMPLE}") from None
    if not isinstance(table, dict):
        raise Refused(f"must be one JSON object, such as {_EXAMPLE}")
    return table


def _known_id(table: Mapping[str, Any]) -> str:
    try:
        return check_id(table.get("id"))
    except Refused:
        return ""


def _known_action(table: Mapping[str, Any]) -> str | None:
    given = table.get("command")
    return next((action for action in ACTIONS if action == given), None)


def _not_an_action(table: Mapping[str, Any]) -> str:
    known = ", ".join(ACTIONS)
    if "command" not in table:
        return f"'command' is missing: write one of {known}"
    given = table["command"]
    if not isinstance(given, str):
        return f"'command' must be one of {known}"
    return f"there is no command {_shown(given)}{did_you_mean(given, ACTIONS)}; there are: {known}"


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise Refused(f"{_shown(key)} is not a key of a command{did_you_mean(key, known)}")


def _name(table: Mapping[str, Any], key: str) -> str:
    if key not in table:
        raise Refused(f"{key!r} is missing: {table['command']} needs the id of the {key}")
    name: str = table[key]
    return name


def _settings(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in ("id", "command", name)}


def _start_ms(table: Mapping[str, Any]) -> int | None:
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
    except Refused:
        raise
    except (ValueError, OverflowError):
        raise Refused(shape) from None
    return (time - _EPOCH) // timedelta(milliseconds=1)


def _shown(text: str) -> str:
    """Return the beginning of a text, with characters that cannot be printed escaped."""
    return ascii(text if len(text) <= 40 else text[:37] + "...")
