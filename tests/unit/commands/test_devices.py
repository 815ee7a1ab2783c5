"""Commands to a device: their times, their ramps and what they change."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.unit.commands.stepped import BAT, BAT2, HOME, PV, Run, request


def test_a_setpoint_holds_for_its_duration_then_reverts(run: Run) -> None:
    run.tick()
    run.ask(BAT, "set_power", -3.0, duration_s=4)
    run.ticks(5)
    assert run.output("BAT") == [0, -3, -3, -3, -3, 0, 0]
    assert run.statuses() == [("set_power--3.0", "accepted", 1), ("set_power--3.0", "completed", 5)]
    assert run.output("BAT2") == [0] * 7


def test_it_begins_at_its_start_on_the_simulated_clock(run: Run) -> None:
    run.ask(BAT, "set_power", 50, unit="%", start="2026-07-01T14:00:03+02:00", duration_s=2)
    run.ticks(6)
    assert run.output("BAT") == [0, 0, 0, 2.5, 2.5, 0, 0]


def test_what_started_before_holds_for_what_is_left_of_it(run: Run) -> None:
    run.ticks(3)
    run.ask(BAT, "set_power", 1, start="2026-07-01T12:00:00Z", duration_s=5)
    run.ticks(3)
    assert run.output("BAT") == [0, 0, 0, 1, 1, 0, 0]


def test_a_ramp_is_a_straight_line_from_what_flows(run: Run) -> None:
    run.ask(BAT, "set_power", -1)
    run.ask(BAT, "set_power", 4, ramp_s=5)
    run.ticks(6)
    # The mean of each tick of a line from -1 to 4.
    assert run.output("BAT") == [-1, -0.5, 0.5, 1.5, 2.5, 3.5, 4, 4]


def test_dead_time_passes_before_it_shows(tmp_path: Path) -> None:
    run = Run(tmp_path, losses="siemens_junelight")
    run.tick()
    run.ask(BAT, "set_power", -4, ramp_s=8, duration_s=20)
    run.ticks(27)
    output = np.array(run.output("BAT"))
    assert (output[:2] == output[0]).all()  # 1.6 s dead time, 0.6 s time constant
    assert abs(output[2]) < 0.2
    asked = -4 * np.minimum((np.arange(len(output)) - 1 + 0.5) / 8, 1)
    # Behind by the dead time and the time constant: 2.2 s of a ramp of 0.5 kW/s.
    np.testing.assert_allclose(output[6:9] - asked[6:9], 1.1, atol=0.05)
    assert output[20] == output[21] == -4
    assert output[-1] == output[0]
    assert run.told[-1].status == "completed"
    assert run.told[-1].tick == 21


def test_a_newer_one_of_the_same_kind_supersedes(run: Run) -> None:
    run.ask(BAT, "set_power", 1, duration_s=60)
    run.ask(BAT, "limit_power", 50, duration_s=60)
    run.ask(BAT, "set_power", 4, duration_s=3)
    run.ticks(4)
    assert run.output("BAT") == [1, 1, 2.5, 2.5, 2.5, 0, 0]
    superseded = [one for one in run.told if one.status == "superseded"]
    assert [(one.id, one.reason) for one in superseded] == [("set_power-1", "by set_power-4")]
    assert run.told[-1].id == "set_power-4"


def test_what_waits_supersedes_when_it_begins(run: Run) -> None:
    run.ask(BAT, "set_power", 1, start="2026-07-01T12:00:03Z", duration_s=2)
    run.ask(BAT, "set_power", 2)
    run.ticks(4)
    assert run.output("BAT") == [0, 2, 2, 1, 1, 0]
    assert run.statuses()[2:] == [("set_power-2", "superseded", 3), ("set_power-1", "completed", 5)]


def test_limits_bound_whatever_is_asked(run: Run) -> None:
    run.ask(BAT, "limit_export", 2, duration_s=4)
    run.ask(BAT, "set_power", 4)
    run.ask(BAT, "limit_import", 1)
    run.tick()
    run.ask(BAT, "set_power", -4)
    assert run.output("BAT") == [0, 2, 2, 2, -1]


def test_a_limit_ramps_from_the_rated_power(run: Run) -> None:
    run.ask(BAT, "set_power", 5)
    run.ask(BAT, "limit_power", 0, ramp_s=5)
    run.ticks(5)
    assert run.output("BAT") == [5, 4.5, 3.5, 2.5, 1.5, 0.5, 0]


def test_solar_is_cut_and_disconnected(run: Run) -> None:
    run.tick()
    free = run.power[0]["PV"]
    assert free > 1.2
    run.ask(PV, "limit_export", 1.25, duration_s=2)
    run.tick()
    run.ask(PV, "disconnect")
    run.ask(PV, "connect")
    run.tick()
    assert run.output("PV")[1:4] == [1.25, 1.25, 0]
    np.testing.assert_allclose(run.output("PV")[-1], free, atol=0.05)
    assert run.output("PV2")[3] > 1.5


def test_a_checkpoint_in_the_middle_of_commands_goes_on_alike(tmp_path: Path) -> None:
    run = Run(tmp_path, losses="siemens_junelight")
    run.tick(
        request(BAT, "set_power", -4, ramp_s=8, duration_s=15),
        request(BAT2, "target_soc", 50.2),
        request(HOME, "limit_export", 1, start="2026-07-01T12:00:10Z", duration_s=3),
        request(PV, "limit_power", 10, ramp_s=20, duration_s=12),
    )
    run.ticks(5)
    other = run.resumed()
    run.ticks(30)
    other.ticks(30)
    assert other.power == run.power
    assert other.told == run.told
    assert sorted(one.status for one in run.told) == ["accepted"] * 4 + ["completed"] * 4


def test_without_commands_nothing_is_asked(run: Run) -> None:
    outcome = run.tick()
    assert (outcome.instructions, outcome.acknowledgements) == ((), ())
