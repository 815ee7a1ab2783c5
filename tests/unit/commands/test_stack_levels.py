"""Stack levels: which of several commands of a kind applies."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from gridsim.api import Command, Instruction, Refused, read_instruction, write_instruction
from gridsim.running.monitor.orders import OpenCommands
from tests.unit.commands.stepped import BAT, HOME, PV, Run, body, request

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_a_lower_one_applies_again_when_the_higher_one_ends(run: Run) -> None:
    run.ask(BAT, "set_power", 1, duration_s=6)
    run.ask(BAT, "set_power", 3, duration_s=2, stack_level=1)
    # Below the highest one, it waits.
    run.ask(BAT, "set_power", 2, stack_level=0, duration_s=3)
    run.ticks(3)
    assert run.output("BAT") == [1, 3, 3, 2, 2, 0]
    assert run.statuses() == [
        ("set_power-1", "accepted", 0),
        ("set_power-3", "accepted", 1),
        ("set_power-2", "accepted", 2),
        ("set_power-1", "superseded", 2),
        ("set_power-3", "completed", 3),
        ("set_power-2", "completed", 5),
    ]


def test_the_schedule_below_goes_on(run: Run) -> None:
    periods = [{"start_s": n, "value": n / 4} for n in range(8)]
    run.ask(BAT, "set_power", periods=periods, duration_s=9)
    run.ticks(1)
    run.ask(BAT, "set_power", -1, duration_s=3, stack_level=9)
    run.ticks(7)
    assert run.output("BAT") == [0, 0.25, -1, -1, -1, 1.25, 1.5, 1.75, 1.75, 0]


def test_a_ramp_back_begins_at_the_limit_that_has_ended(run: Run) -> None:
    run.ask(BAT, "set_power", 5)
    run.ask(BAT, "limit_export", 4, ramp_s=2, duration_s=20)
    run.ticks(1)
    run.ask(BAT, "limit_export", 2, duration_s=2, stack_level=1)
    run.ticks(4)
    assert run.output("BAT") == [5, 4.75, 4.25, 2, 2, 2.5, 3.5, 4]


def test_a_target_state_of_charge_goes_on_after_a_higher_command(run: Run) -> None:
    run.tick()
    run.ask(BAT, "target_soc", 50.1)
    run.ask(BAT, "set_power", 5, duration_s=2, stack_level=1)
    run.ticks(1)
    assert run.output("BAT") == [0, -5, 5, 5]
    run.ticks(20)
    assert run.told[-1].id == "target_soc-50.1"
    assert (run.told[-1].status, run.told[-1].reason) == ("completed", "")
    assert run.soc[-1]["BAT"] == pytest.approx(50.1, abs=0.06)
    # Reached and answered: a higher one and back give no second answer.
    answers = len(run.told)
    run.ask(BAT, "set_power", 0, duration_s=1, stack_level=1)
    run.ticks(3)
    assert [one.id for one in run.told[answers:]] == ["set_power-0"] * 2


def test_a_connection_has_levels_and_kinds_do_not_mix(run: Run) -> None:
    run.ask(PV, "disconnect")
    run.ask(PV, "connect", stack_level=1, duration_s=2)
    run.ask(HOME, "disconnect", stack_level=5, duration_s=1)
    run.ticks(2)
    connected = [output > 0 for output in run.output("PV")]
    # The DER's own command overrides its project's, whatever their levels.
    assert connected == [False, True, True, False, False]


@pytest.mark.parametrize("level", [-1, 10, 1.0, True, "1", []])
def test_a_wrong_level_is_rejected(run: Run, level: Any) -> None:
    reason = "'stack_level' must be a whole number from 0 to 9"
    assert run.refused(BAT, body(stack_level=level)) == reason
    with pytest.raises(Refused, match=reason):
        Command(BAT, "c", "connect", stack_level=level)


def test_levels_are_written_back() -> None:
    for level, written in ((0, None), (1, 1), (9, 9)):
        made = Command(BAT, "c", "connect", stack_level=level)
        text = write_instruction(made)
        assert json.loads(text).get("stack_level") == written
        assert read_instruction(text, BAT) == made


def test_many_commands_apply_as_a_plain_search_finds(run: Run) -> None:
    """At each tick: the newest command of the highest level, in its present period."""
    random = Random(5)
    given: list[tuple[int, int, int, list[dict[str, float]]]] = []
    sent: list[Instruction] = []
    for number in range(40):
        start, length = random.randrange(60), random.randint(1, 25)
        level = random.randrange(4)
        edges = sorted({0, *(random.randrange(length) for _ in range(3))})
        periods = [{"start_s": at, "value": random.randrange(-20, 21) / 4} for at in edges]
        given.append((start, start + length, level, periods))
        at = (NOON + timedelta(seconds=start)).isoformat()
        more: dict[str, Any] = {
            "start": at,
            "duration_s": length,
            "periods": periods,
            "stack_level": level,
        }
        sent.append(request(BAT, "set_power", id=f"c-{number}", **more))

    def wanted(tick: int) -> float:
        # A newer one of the same level ends the older one for good.
        newest: dict[int, tuple[int, int]] = {}
        for number, (start, _, level, _) in enumerate(given):
            if start <= tick:
                newest[level] = max(newest.get(level, (0, 0)), (start, number))
        for _, (start, number) in sorted(newest.items(), reverse=True):
            if tick < given[number][1]:
                return [one["value"] for one in given[number][3] if start + one["start_s"] <= tick][
                    -1
                ]
        return 0.0

    run.tick(*sent)
    run.ticks(29)
    resumed = run.resumed()
    run.ticks(55)
    resumed.ticks(55)
    assert run.output("BAT") == [wanted(tick) for tick in range(85)]
    assert resumed.power == run.power
    assert resumed.told == run.told
    ended = [one.id for one in run.told if one.status in ("completed", "superseded")]
    assert sorted(ended) == sorted(f"c-{number}" for number in range(40))


def test_the_page_shows_the_command_of_the_highest_level(run: Run) -> None:
    shown = OpenCommands()
    for value, level in ((1, 1), (2, 0), (3, 1), (4, 2)):
        shown.take(run.tick(request(BAT, "set_power", value, id=f"c-{value}", stack_level=level)))
        applied = value if level else 1
        sentence = f"set_power {applied} kW (c-{applied}) to HOME/BAT"
        assert (run.output("BAT")[-1], shown.sentence("HOME", "BAT")) == (applied, sentence)
