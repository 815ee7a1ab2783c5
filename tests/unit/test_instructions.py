"""Instructions: what may be one, and their JSON there and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import (
    Acknowledgement,
    Action,
    CallEvent,
    CancelEvent,
    ClearFault,
    Command,
    InjectFault,
    Instruction,
    Refused,
    Target,
    Unreadable,
    acknowledgement_json,
    read_instruction,
    read_value,
    write_instruction,
)
from gridsim.contracts.instruction_json import MAX_BYTES, restore_instruction
from gridsim.contracts.instructions import ACTIONS, FLEET

BAT = Target("HOME", "BAT")


def test_a_command_has_its_usual_unit() -> None:
    assert Command(BAT, "c", "set_power", -3).unit == "kW"
    assert Command(BAT, "c", "limit_power", 50).unit == "%"
    assert Command(BAT, "c", "connect").unit is None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"action": "set_power"}, "'value' is missing"),
        ({"action": "set_power", "value": float("nan")}, "'value' must be a number"),
        ({"action": "set_power", "value": 1e9 * 4}, "'value' must be a number"),
        ({"action": "set_power", "value": True}, "'value' must be a number"),
        ({"action": "off"}, "'command' must be one of"),
        ({"action": "connect", "id": ""}, "'id' must be a text of 1 to 128"),
        ({"action": "connect", "id": "x" * 129}, "'id' must be a text of 1 to 128"),
        ({"action": "connect", "duration_s": 0.0009}, "'duration_s' must be"),
        ({"action": "connect", "ramp_s": 1.0}, "connect takes no 'ramp_s'"),
        ({"action": "connect", "start_ms": -1}, "from 1970 to 2199"),
        ({"action": "connect", "start_ms": 7_258_118_400_000}, "from 1970 to 2199"),
    ],
)
def test_a_command_of_a_program_is_checked_as_one_of_the_wire(
    settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        Command(**{"target": BAT, "id": "c-1", **settings})


def test_limits_of_a_command_are_inclusive() -> None:
    longest = 100 * 366 * 86_400
    made = Command(BAT, "x" * 128, "set_power", -1e9, duration_s=0.001, ramp_s=longest)
    assert (made.value, made.duration_s, made.ramp_s) == (-1e9, 0.001, longest)
    assert Command(BAT, "c", "connect", start_ms=7_258_118_399_999).start_ms
    assert Command(BAT, "c", "connect", start_ms=0).start_ms == 0


@pytest.mark.parametrize(
    "settings", [{"id": "x"}, {"command": "x"}, {"duration_s": float("inf")}, {"a": object()}]
)
def test_settings_are_what_json_can_hold(settings: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        CallEvent(FLEET, "i-1", "peak", settings)


def test_settings_of_a_caller_may_change_afterwards() -> None:
    settings = {"projects": ["A"]}
    call = CallEvent(FLEET, "i-1", "peak", settings)
    settings["projects"].append("B")
    assert call.settings == {"projects": ["A"]}


def test_the_fleet_says_so() -> None:
    assert [str(one) for one in (FLEET, Target("A"), BAT)] == ["the fleet", "A", "HOME/BAT"]


READ: list[tuple[dict[str, Any], Instruction]] = [
    (
        {"command": "call_event", "event": "peak", "projects": ["HOME_*"], "duration_s": 600},
        CallEvent(BAT, "i", "peak", {"projects": ["HOME_*"], "duration_s": 600}, "s"),
    ),
    ({"command": "cancel_event", "event": "peak"}, CancelEvent(BAT, "i", "peak", "s")),
    (
        {"command": "inject_fault", "type": "offline", "duration_s": {"uniform": [1, 2]}},
        InjectFault(BAT, "i", "", {"type": "offline", "duration_s": {"uniform": [1, 2]}}, "s"),
    ),
    (
        {"command": "inject_fault", "fault": "dark", "type": "offline"},
        InjectFault(BAT, "i", "dark", {"type": "offline"}, "s"),
    ),
    ({"command": "clear_fault", "fault": "dark"}, ClearFault(BAT, "i", "dark", "s")),
    (
        {"command": "set_power", "value": -3, "start": "2026-07-01T12:00:00.5+01:00"},
        Command(BAT, "i", "set_power", -3.0, "kW", 1_782_903_600_500, source="s"),
    ),
]


@pytest.mark.parametrize(("table", "wanted"), READ)
def test_what_is_read_is_written_back(table: dict[str, Any], wanted: Instruction) -> None:
    read = read_instruction(msgspec.json.encode({"id": "i", **table}), BAT, "s")
    assert read == wanted
    assert read_instruction(write_instruction(read), BAT, "s") == read


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"command": "call_event"}, "'event' is missing: call_event needs the id of the event"),
        ({"command": "call_event", "event": 3}, "'event' must be a text"),
        ({"command": "cancel_event", "event": "a", "x": 1}, "'x' is not a key of a command"),
        ({"command": "clear_fault", "fault": ""}, "'fault' must be a text"),
        ({"command": "inject_fault", "fault": "a\nb"}, "'fault' must be a text"),
        ({"command": "call_evnt"}, "did you mean 'call_event'"),
        ({"command": "call_event", "event": "p", "unreadable": 1}, "must not hold 'unreadable'"),
    ],
)
def test_what_cannot_be_read_has_a_reason(table: dict[str, Any], reason: str) -> None:
    read = read_instruction(msgspec.json.encode({"id": "i", **table}), BAT)
    assert isinstance(read, Unreadable)
    assert reason in read.reason
    assert read.id == "i"
    assert read.action == (table["command"] if table["command"] in ACTIONS else None)


TEXTS = st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
).map(lambda value: msgspec.json.encode({"id": "i", "command": "call_event", "event": value}))


@given(payload=TEXTS)
def test_whatever_comes_is_kept_and_comes_back(payload: bytes) -> None:
    read = read_instruction(payload, BAT, "wire")
    assert restore_instruction(write_instruction(read), BAT, "wire") == read


@pytest.mark.parametrize("length", [MAX_BYTES, MAX_BYTES + 1])
def test_the_longest_text_that_is_read(length: int) -> None:
    short = b'{"id":"i","command":"disconnect"}'
    read = read_instruction(short + b" " * (length - len(short)), BAT)
    assert isinstance(read, Unreadable) == (length > MAX_BYTES)
    assert len(getattr(read, "text", "")) <= MAX_BYTES


def test_nesting_beyond_reason_is_refused() -> None:
    deep = b'{"id":"i","command":"call_event","event":"p","x":' + b"[" * 900 + b"]" * 900 + b"}"
    read = read_instruction(deep, BAT)
    assert isinstance(read, Unreadable)
    assert "nested too deeply" in read.reason


def test_an_acknowledgement_as_json() -> None:
    told = Acknowledgement(BAT, "i", "cancelled", "by i-2", 3, 1_782_903_600_500, "s", "call_event")
    assert acknowledgement_json(told) == (
        b'{"id":"i","status":"cancelled","reason":"by i-2","command":"call_event",'
        b'"timestamp":"2026-07-01T11:00:00.500Z","tick":3}'
    )
    assert b'"command":null' in acknowledgement_json(replace(told, action=None))


@pytest.mark.parametrize(
    ("action", "payload", "expected"),
    [
        ("set_power", b"-3.5", ("set_power", -3.5, "kW")),
        ("set_power", b" 0 ", ("set_power", 0.0, "kW")),
        ("set_power", b"+.5e1", ("set_power", 5.0, "kW")),
        ("limit_power", b"50", ("limit_power", 50.0, "%")),
        ("target_soc", b"80.0", ("target_soc", 80.0, "%")),
        ("connect", b"ON", ("connect", None, None)),
        ("connect", b"off", ("disconnect", None, None)),
        ("connect", b"0", ("disconnect", None, None)),
        ("disconnect", b"true", ("disconnect", None, None)),
        ("disconnect", b"OFF", ("connect", None, None)),
    ],
)
def test_a_plain_value_is_a_command(
    action: Action, payload: bytes, expected: tuple[str, float | None, str | None]
) -> None:
    read = read_value(payload, action, BAT, "v-1", topic="t", qos=0)
    assert isinstance(read, Command)
    assert (read.action, read.value, read.unit) == expected
    assert (read.target, read.id) == (BAT, "v-1")
    assert read.received is not None
    assert read.received.payload == payload


@pytest.mark.parametrize(
    ("action", "payload", "reason"),
    [
        ("set_power", b"", "the value must be a number, such as -3.0"),
        ("set_power", b"ON", "the value must be a number, such as -3.0"),
        ("set_power", b"\xff", "the value must be a number, such as -3.0"),
        ("set_power", b"nan", "the value must be a number, such as -3.0"),
        ("set_power", b"1_0", "the value must be a number, such as -3.0"),
        ("set_power", "\u0663".encode(), "the value must be a number, such as -3.0"),
        ("set_power", b"1e999", "'value' must be"),
        ("connect", b"2", "the value must be ON or OFF"),
        ("connect", b"", "the value must be ON or OFF"),
    ],
)
def test_a_plain_value_that_is_none_is_answered_with_the_reason(
    action: Action, payload: bytes, reason: str
) -> None:
    read = read_value(payload, action, BAT, "v-1")
    assert isinstance(read, Unreadable)
    assert (read.id, read.action) == ("v-1", action)
    assert reason in read.reason
