"""Commands with periods: values that change over time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import Command, Period, Refused, Target, read_instruction, write_instruction
from gridsim.cli.sending import parse_periods
from gridsim.contracts.instruction_json import restore_instruction
from gridsim.errors import UsageError
from tests.unit.commands.stepped import BAT, BAT2, HOME, Run, body, request


def steps(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"start_s": start_s, "value": value} for start_s, value in pairs]


def test_each_period_begins_at_the_first_tick_at_or_after_its_start(run: Run) -> None:
    run.tick()
    periods = steps((0, -3), (2, 1), (3.001, 2), (4, 2.5), (6.999, 4))
    run.ask(BAT, "set_power", periods=periods, duration_s=9)
    run.ticks(10)
    # The third period begins between two ticks, and in the next one the fourth does.
    assert run.output("BAT") == [0, -3, -3, 1, 1, 2.5, 2.5, 2.5, 4, 4, 0, 0]
    assert [(one.status, one.tick) for one in run.told] == [("accepted", 1), ("completed", 10)]


def test_the_last_period_holds_without_a_duration(run: Run) -> None:
    run.ask(BAT, "set_power", periods=steps((0, 10), (1, 20)), unit="%")
    run.ticks(3)
    run.ask(BAT, "set_power", 2)
    assert run.output("BAT") == [0.5, 1, 1, 1, 2]
    assert [one.status for one in run.told] == ["accepted", "accepted", "superseded"]


def test_what_started_before_begins_in_the_period_of_now(run: Run) -> None:
    run.ticks(3)
    periods = steps((0, 1), (3, 2), (4, 3))
    run.ask(BAT, "set_power", periods=periods, start="2026-07-01T12:00:00Z", duration_s=6)
    run.ticks(3)
    assert run.output("BAT") == [0, 0, 0, 2, 3, 3, 0]


@pytest.mark.parametrize(
    ("target", "command", "values", "unit", "ramp_s"),
    [
        (BAT, "set_power", (-3, 2, 4), "kW", 0),
        (HOME, "set_power", (-5, 2, 4), "kW", 3),
        (HOME, "limit_power", (80, 5, 30), "%", 3),
        (HOME, "limit_export", (2, 0, 1), "kW", 3),
        (BAT, "limit_export", (2, 0, 1), "kW", 7),
    ],
)
def test_periods_do_what_commands_one_after_the_other_do(
    tmp_path: Path, target: Target, command: str, values: tuple[float, ...], unit: str, ramp_s: int
) -> None:
    one, several = Run(tmp_path), Run(tmp_path)
    background = request(BAT2, "set_power", 3), request(BAT, "set_power", 4, id="background")
    kept = background[: 1 if command == "set_power" else 2]
    starts = (1.5, 4, 9)
    base = "2026-07-01T12:00:{:06.3f}Z"
    more: dict[str, Any] = {"unit": unit, "ramp_s": ramp_s}
    periods = steps(*((at - 1.5, value) for at, value in zip(starts, values, strict=True)))
    one.tick(*kept, request(target, command, periods=periods, start=base.format(1.5), **more))
    several.tick(
        *kept,
        *(
            request(target, command, value, start=base.format(at), **more)
            for at, value in zip(starts, values, strict=True)
        ),
    )
    one.ticks(5)
    # In the middle of a period, and of a ramp.
    resumed = one.resumed()
    for run, ticks in ((one, 10), (resumed, 10), (several, 15)):
        run.ticks(ticks)
    assert one.power == several.power
    assert resumed.power == one.power
    assert len({tuple(power.values()) for power in one.power}) > 3


def test_a_newer_command_ends_the_whole_schedule(run: Run) -> None:
    run.ask(BAT, "set_power", periods=steps((0, 1), (2, 3)), duration_s=9)
    run.ask(BAT, "set_power", 2, duration_s=3)
    run.ticks(5)
    assert run.output("BAT") == [1, 2, 2, 2, 0, 0, 0]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (body(value=..., periods=[]), "'periods' must be a list of 1 to 200 periods, such as"),
        (body(value=..., periods={}), "'periods' must be a list of 1 to 200"),
        (body(value=..., periods=steps(*((n, 1) for n in range(201)))), "1 to 200 periods"),
        (body(value=..., periods=[3]), r"'periods\[0\]' must have the keys start_s and value"),
        (body(value=..., periods=[{"start_s": 0}]), r"'periods\[0\]' must have the keys"),
        (
            body(value=..., periods=[{"start_s": 0, "value": 1, "limit_kw": 1}]),
            "start_s and value, and no others",
        ),
        (body(periods=steps((0, 1))), "'value' and 'periods' exclude each other"),
        (body(value=..., periods=steps((1, 1))), r"'periods\[0\].start_s' must be 0"),
        (
            body(value=..., periods=steps((0, 1), (600, 1), (600, 2))),
            r"'periods\[2\].start_s' must be above 600",
        ),
        (
            body(value=..., periods=steps((0, 1), (10, 1)), duration_s=10),
            r"'periods\[1\].start_s' must be below 'duration_s', which is 10",
        ),
        (body(value=..., periods=steps((0, 1), (3.2e9, 1))), "must be below 100 years|a number of"),
        (
            body(value=..., periods=[{"start_s": 0, "value": True}]),
            r"'periods\[0\].value' must be a number in kW",
        ),
        (
            body(value=..., periods=[{"start_s": "0", "value": 1}]),
            r"'periods\[0\].start_s' must be a number of seconds",
        ),
        (
            body(value=..., periods=steps((0, 5), (1, 5.01))),
            r"'periods\[1\].value' is out of range: 5.01 kW, but set_power takes -5 to 5 kW",
        ),
        (
            body(command="target_soc", value=..., periods=steps((0, 5))),
            "target_soc takes no 'periods'",
        ),
        (body(command="connect", value=..., periods=steps((0, 5))), "connect takes no 'periods'"),
    ],
)
def test_wrong_periods_are_rejected_with_the_place(run: Run, payload: bytes, reason: str) -> None:
    text = run.refused(BAT, payload)
    assert re.search(reason, text), text


def test_the_limits_of_periods_are_inclusive(run: Run) -> None:
    periods = steps(*((n, 5 if n % 2 else -5) for n in range(200)))
    run.ask(BAT, "set_power", periods=periods, duration_s=199.001)
    assert run.told[0].status == "accepted"
    assert Command(BAT, "c", "set_power", periods=(Period(0, 1),)).periods == (Period(0.0, 1.0),)
    assert Command(BAT, "c", "set_power", 1, periods=()).value == 1
    with pytest.raises(Refused, match=r"'periods\[1\].value' must be a number"):
        Command(BAT, "c", "set_power", periods=(Period(0, 1), Period(1, float("nan"))))


def test_periods_are_written_back_and_restored_at_any_length() -> None:
    values = np.linspace(-1, 1, 200) / 3
    many = tuple(Period(n / 7, float(value)) for n, value in enumerate(values))
    for periods in ((Period(0, 1), Period(60.5, -2.25)), many):
        made = Command(BAT, "i", "set_power", unit="kW", ramp_s=2, source="s", periods=periods)
        written = write_instruction(made)
        assert restore_instruction(written, BAT, "s") == made
    assert len(written) > 8192
    text = json.dumps({"id": "i", "command": "set_power", "value": 1, "periods": None}).encode()
    assert read_instruction(text, BAT, "s") == Command(BAT, "i", "set_power", 1, source="s")


def test_periods_of_the_command_line() -> None:
    assert parse_periods("0:-3, 1m30s:2.5,100:1e-2") == steps((0, -3), (90, 2.5), (100, 0.01))
    for text, reason in (
        ("0:1,600", "'600' is not START:VALUE"),
        ("", "'' is not START:VALUE"),
        ("0:1,", "'' is not START:VALUE"),
        ("0:a", "'a' is not a number"),
        ("x:1", "'x' is not a duration"),
    ):
        with pytest.raises(UsageError, match=re.escape(reason)):
            parse_periods(text)
