"""The true reduction of events, and the copies that measure it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridsim.api import CallEvent, CancelEvent, Command, InjectFault, Instruction, Target
from gridsim.contracts.instructions import FLEET
from gridsim.contracts.results import TrueReduction
from gridsim.simulation.counterfactual import MAX_BRANCHES
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed
from tests.unit.counterfactual.case import MIXED, TICK_S, Case, at, battery, counted, event

START_MS = 1_784_916_000_000  # 2026-07-24T18:00:00Z


def test_a_battery_delivers_its_target_truly_and_does_not_rebound(tmp_path: Path) -> None:
    case = Case(tmp_path, battery(), event()).run(40)
    truth = case.truths["peak", "HOME_1"]
    assert truth == TrueReduction("peak", "HOME_1", 0.5, 0.0, 600.0)
    assert case.settlements["peak", "HOME_1"].delivered_kwh == 0.5
    ticks = [result.tick for result in case.results if result.true_reductions]
    # The event ends with the tick at 18:24:30, the rebound with that at 18:34:30.
    assert ticks == [at("18:35") - 1]


def test_a_battery_that_would_have_delivered_anyway_delivers_nothing_truly(
    tmp_path: Path,
) -> None:
    """It balances its site all day, and the event asks for less."""
    case = Case(tmp_path, battery(strategy="self_consumption"), event(more="target_kw = 3.0"))
    case.run(40)
    assert case.settlements["peak", "HOME_1"].delivered_kwh == 0.75
    truth = case.truths["peak", "HOME_1"]
    assert (truth.true_kwh, truth.rebound_kwh) == (0.0, 0.0)


def test_the_rebound_is_what_the_battery_can_no_longer_deliver(tmp_path: Path) -> None:
    """It has 1 kWh for a site of 3 kW: 20 minutes. The event takes 5 kW for 10 minutes."""
    stored = battery(strategy="self_consumption", capacity=2.5).replace(
        "initial_soc = 50", "initial_soc = 50\nmin_soc = 10"
    )
    peak = event(start="18:00:00", minutes=10, more="target_kw = 5.0")
    case = Case(tmp_path, stored, peak, rebound_s=1800).run(45)
    truth = case.truths["peak", "HOME_1"]
    assert truth.true_kwh == pytest.approx((5 - 3) / 6, abs=0.01)
    assert truth.rebound_kwh == pytest.approx(-truth.true_kwh, abs=0.001)
    assert truth.rebound_s == 1800.0


def test_an_event_with_nothing_flexible_has_no_effect(tmp_path: Path) -> None:
    unmanaged = MIXED.format(count=5).replace("managed = true", "managed = false")
    solar_alone = unmanaged.replace('type = "battery"', 'type = "solar"')
    for line in ("energy_capacity_kwh = 6.0", 'strategy = "self_consumption"'):
        solar_alone = solar_alone.replace(line, "")
    case = Case(tmp_path, solar_alone, event()).run(40)
    assert len(case.truths) == 5
    assert {(one.true_kwh, one.rebound_kwh) for one in case.truths.values()} == {(0.0, 0.0)}
    # Their baselines are not what they draw, so that something is settled.
    assert all(abs(one.delivered_kwh) > 0.01 for one in case.settlements.values())


OTHER = event("other", "18:12:00", 30, 'projects = ["MIX_*"]\ntarget_kw = 2.0')
CHARGE = Command(Target("MIX_2", "MIX_2_BAT"), "c", "set_power", -2.0, duration_s=900)
FAULTS = """
[[faults]]
type = "noise"
field = "current_output"
ders = ["*_BAT"]
absolute = 1.0
[[faults]]
type = "ghost"
ders = ["*_WH"]
"""


HOMES = MIXED.format(count=16)
LATER = event("later", "18:40:00", 10)
KINDS = {
    "notice": ("[129]", "notice_s = 300"),
    "random": (
        "[34]",
        "randomize_start_s = 120\nramp_s = 60\ncompliance = { uniform = [0.5, 1.0] }",
    ),
    "chance": ("[5-8]", "opt_out = 0.5"),
    "export": ("1[2-6]", "export_limit_kw = 0.5"),
    "command": ("1[01]", ""),
}
"""Each kind of event with sites of its own, because no site depends on another."""


def test_the_truth_is_the_difference_from_a_run_without_the_event(tmp_path: Path) -> None:
    """Two whole runs, with and without the events, over every type of DER."""
    events = [
        event(name, more=f'projects = ["MIX_{sites}"]\n{more}')
        for name, (sites, more) in KINDS.items()
    ]
    command = replace(CHARGE, target=Target("MIX_10", "MIX_10_BAT"))
    true_reductions(tmp_path, [HOMES, *events, LATER], [HOMES, LATER], TICK_S, command)


def test_the_truth_is_the_difference_in_shorter_ticks_too(tmp_path: Path) -> None:
    homes = MIXED.format(count=2)
    true_reductions(tmp_path, [homes, event(), LATER], [homes, LATER], 20.0)


def true_reductions(
    folder: Path, whole: list[str], without: list[str], tick_s: float, *instructions: Instruction
) -> None:
    """Assert that all but the later event have the reductions that two runs differ by."""
    case = Case(folder, *whole, tick_s=tick_s).run(60, *instructions).finish()
    saved = Case(folder, *without, tick_s=tick_s).run(60, *instructions).net() - case.net()
    tick_kwh, tick_ms = tick_s / 3600, round(1000 * tick_s)
    effective, rebounds = set[str](), list[float]()
    for (name, project), settled in case.settlements.items():
        if name == "later":
            continue
        row = case.scenario.roster.project_id.index(project)
        window = (settled.start_ms, settled.end_ms)
        first, last = (-(-(time_ms - START_MS) // tick_ms) for time_ms in window)
        truth = case.truths[name, project]
        assert truth.true_kwh == pytest.approx(saved[first:last, row].sum() * tick_kwh, abs=1e-9)
        rebound = saved[last : last + 600_000 // tick_ms, row].sum() * tick_kwh
        assert truth.rebound_kwh == pytest.approx(rebound, abs=1e-9)
        if settled.ending == "opted out":
            assert (truth.true_kwh, truth.rebound_kwh) == (0.0, 0.0)
        if truth.true_kwh:
            effective.add(name)
        rebounds.append(truth.rebound_kwh)
    assert effective == {name for name, _ in case.settlements} - {"later"}
    assert any(rebounds)


def test_events_that_overlap_are_each_measured_with_the_other(tmp_path: Path) -> None:
    homes = MIXED.format(count=4)
    peak = event(minutes=20)
    case = Case(tmp_path, homes, peak, OTHER).run(60)
    no_peak = Case(tmp_path, homes, OTHER).run(60)
    no_other = Case(tmp_path, homes, peak).run(60)
    # At 18:12 the other event supersedes the first.
    of_peak = counted(case.net(), no_peak.net(), "18:10", "18:12")
    of_other = counted(case.net(), no_other.net(), "18:12", "18:42")
    for row, project in enumerate(case.scenario.roster.project_id):
        peak_truth, other_truth = case.truths["peak", project], case.truths["other", project]
        assert peak_truth.true_kwh == pytest.approx(of_peak[row], abs=1e-9)
        assert other_truth.true_kwh == pytest.approx(of_other[row], abs=1e-9)
    assert case.settlements["peak", "MIX_1"].ending == "superseded"


def test_faults_do_not_change_the_truth(tmp_path: Path) -> None:
    homes = MIXED.format(count=3)
    plain = Case(tmp_path, homes, event()).run(40)
    noisy = Case(tmp_path, homes, event(), FAULTS.replace('type = "ghost"', 'type = "offline"'))
    assert noisy.run(40).truths == plain.truths


def test_events_without_a_common_project_share_a_copy(tmp_path: Path) -> None:
    ids = [f"e{n}" for n in range(1, 7)]
    events = [
        event(id, f"18:0{n}:00", 10, f'projects = ["HOME_{n}"]') for n, id in enumerate(ids, 1)
    ]
    case = Case(tmp_path, battery(count=6), *events)
    copies = []
    for _ in range(30):
        case.run(1)
        assert case.simulation._counterfactuals is not None
        copies.append(len(case.simulation._counterfactuals._branches))
    assert max(copies) == 1
    assert copies[-1] == 0
    assert [one.true_kwh for one in case.truths.values()] == pytest.approx([2.0 * 10 / 60] * 6)
    assert len(case.truths) == 6


def test_more_events_at_once_than_copies_are_said_to_be_unmeasured(tmp_path: Path) -> None:
    events = [event(f"e{n}", "18:01:00", 5) for n in range(MAX_BRANCHES + 1)]
    case = Case(tmp_path, battery(), *events).run(20)
    unmeasured = [one for result in case.results for one in result.unmeasured]
    assert [one.event for one in unmeasured] == [f"e{MAX_BRANCHES}"]
    assert unmeasured[0].reason == "its projects have more than 8 events at once"


def test_a_run_that_ends_within_an_event_or_a_rebound_counts_so_far(tmp_path: Path) -> None:
    within = Case(tmp_path, battery(), event()).run(20).finish()
    truth = within.truths["peak", "HOME_1"]
    assert truth == replace(truth, rebound_kwh=0.0, rebound_s=0.0)
    assert truth.true_kwh == pytest.approx(2 / 6)
    after = Case(tmp_path, battery(), event()).run(28).finish()
    assert after.truths["peak", "HOME_1"] == TrueReduction("peak", "HOME_1", 0.5, 0.0, 180.0)


def test_a_rebound_of_no_length_is_not_measured(tmp_path: Path) -> None:
    case = Case(tmp_path, battery(), event(), rebound_s=0).run(26)
    assert case.truths["peak", "HOME_1"] == TrueReduction("peak", "HOME_1", 0.5, 0.0, 0.0)


def test_called_and_cancelled_events_are_measured(tmp_path: Path) -> None:
    call = CallEvent(Target("HOME_1"), "1", "now", {"duration_s": 600, "target_kw": 1.5})
    case = Case(tmp_path, battery(count=2)).run(5, call)
    case.run(1, CancelEvent(FLEET, "2", "now")).run(12)
    assert case.settlements["now", "HOME_1"].ending == "cancelled"
    assert case.truths["now", "HOME_1"].true_kwh == 1.5 * 5 / 60
    # The id may be used again.
    case.run(25, replace(call, id="3"))
    assert case.truths["now#2", "HOME_1"].true_kwh == 1.5 * 10 / 60


def test_an_event_that_is_cancelled_before_it_begins_has_no_truth(tmp_path: Path) -> None:
    case = Case(tmp_path, battery(), event(more="notice_s = 300"))
    case.run(7).run(20, CancelEvent(FLEET, "2", "peak"))
    assert (case.truths, case.settlements) == ({}, {})
    assert case.simulation._counterfactuals is not None
    assert case.simulation._counterfactuals._branches == []


def test_a_command_during_an_event_reaches_the_copy_too(tmp_path: Path) -> None:
    """The battery is told to charge with 1 kW, which the event overrides with 2 kW out."""
    command = Command(Target("HOME_1", "HOME_1_BAT"), "c", "set_power", -1.0)
    again: list[Instruction] = [
        command,
        replace(command, value=-4.0),
        InjectFault(FLEET, "f", "f", {"type": "noise", "relative": 0.0}),
    ]
    case = Case(tmp_path, battery(), event()).run(15).run(25, *again)
    statuses = [a.status for result in case.results for a in result.acknowledgements]
    assert statuses.count("rejected") >= 1  # The second has the id of the first.
    with_command = Case(tmp_path, battery()).run(15).run(25, command)
    saved = counted(case.net(), with_command.net(), "18:10", "18:25")[0]
    assert case.truths["peak", "HOME_1"].true_kwh == pytest.approx(saved, abs=1e-9)


def test_a_run_goes_on_from_checkpoints_with_open_copies(tmp_path: Path) -> None:
    """While they wait, run, and rebound; an event that was called is among them."""
    parts = (MIXED.format(count=3), event(more="notice_s = 300\nrandomize_start_s = 60"), OTHER)
    call = CallEvent(Target("MIX_2"), "1", "now", {"duration_s": 900, "target_kw": 1.0})
    case, copy = Case(tmp_path, *parts).run(7, call), Case(tmp_path, *parts).run(7, call)
    for minutes in (5, 12, 4, 26):
        # What one checkpoint loses, the next ones do not bring back.
        copy.simulation = resumed(copy.simulation, Simulation(copy.scenario))
        case.run(minutes)
        copy.run(minutes)
    case.finish()
    copy.finish()
    assert copy.truths == case.truths
    assert {event for event, _ in case.truths} == {"now", "other", "peak"}


def test_a_copy_does_not_change_the_run(tmp_path: Path) -> None:
    case = Case(tmp_path, MIXED.format(count=3), event(), OTHER).run(40)
    plain = Simulation(case.plain)
    for result in case.results:
        other = plain.advance()
        assert result.batch.current_output.tolist() == other.batch.current_output.tolist()
        assert result.batch.baseline.tolist() == other.batch.baseline.tolist()
        assert result.settlements == other.settlements
        assert other.true_reductions == ()
