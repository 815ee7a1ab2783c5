"""The truth about a simulation, and copies that go on by themselves."""

from __future__ import annotations

import copy
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

import gridsim
from gridsim.simulation.step import Simulation

ROOT = Path(__file__).parents[2]
CONFIG = """
[simulation]
tick_s = 60
start = 2026-07-01T12:00:00-03:00

[site]
timezone = "America/Halifax"

[[projects]]
id = "HOME_{n}"
count = 2
contract_threshold = 1.0
load = { type = "constant", kw = 4.0 }

[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
initial_soc = 50
report_every_s = 120

[ledger]
rebound_s = 0

[[events]]
id = "noon"
after_s = 60
duration_s = 1200
target_kw = 2.0
compliance = 0.2
projects = ["HOME_1"]

[[faults]]
type = "ghost"
ders = ["HOME_2_BAT"]
"""
NOON = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("America/Halifax"))
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def at_start() -> gridsim.Simulator:
    """A simulator before its first tick, to be copied."""
    return gridsim.simulate(CONFIG)


@pytest.fixture
def sim(at_start: gridsim.Simulator) -> gridsim.Simulator:
    return at_start.copy()


def test_events_have_a_row_for_each_project_also_while_they_run(sim: gridsim.Simulator) -> None:
    assert len(sim.truth.events) == 0
    assert list(sim.truth.events.columns)[:5] == ["event", "project_id", "start", "end", "ending"]
    truth = sim.truth
    sim.run("11m")
    [row] = truth.events.to_dicts()
    assert (row["event"], row["project_id"], row["ending"]) == ("noon", "HOME_1", "running")
    assert (row["start"], row["end"]) == (NOON + MINUTE, NOON + 11 * MINUTE)
    assert row["delivered_kwh"] == pytest.approx(0.4 * 10 / 60, abs=0.01)
    assert row["true_kwh"] is None
    assert (row["violations"], row["violation_s"]) == (1, 5 * 60.0)
    assert "compliance" in row["reason"]
    # The last tick of the event has run, and the next one would settle it.
    sim.run("10m")
    [row] = truth.events.to_dicts()
    assert (row["ending"], row["end"], row["violation_s"]) == ("completed", NOON + 21 * MINUTE, 900)
    sim.run("1m")
    [row] = truth.events.to_dicts()
    assert (row["ending"], row["end"], row["violation_s"]) == ("completed", NOON + 21 * MINUTE, 900)
    # Without the event the battery would cover the load, 4 kW; in it, it delivers 0.4 kW.
    assert row["true_kwh"] == pytest.approx(-3.6 * 20 / 60)
    assert truth.violations.to_dicts() == [
        {
            "event": "noon",
            "project_id": "HOME_1",
            "start": NOON + 6 * MINUTE,
            "end": NOON + 21 * MINUTE,
            "duration_s": 900.0,
        }
    ]
    assert dict(truth.violations.units) == {"duration_s": "s"}


def test_true_readings_have_every_device_that_exists_at_every_tick(sim: gridsim.Simulator) -> None:
    sim.run("2m")
    sim.inject("offline", "HOME_1_BAT", id="dark", duration="3m")
    sim.send("HOME_1_BAT", "set_power", 3)
    reported = sim.run("5m")
    rows = sim.truth.readings.to_dicts()
    assert [row["timestamp"] for row in rows] == [NOON + n * MINUTE for n in range(2, 7)]
    assert {row["der_id"] for row in rows} == {"HOME_1_BAT"}
    assert [row["is_online"] for row in rows] == [False, False, False, True, True]
    assert [row["is_faulty"] for row in rows] == [True, True, True, False, False]
    # The event requests less than the command, which comes later.
    assert [row["current_output"] for row in rows][1:] == [3.0] * 4
    true = {row["timestamp"]: row for row in rows}
    own = [row for row in reported.to_dicts() if row["der_id"] == "HOME_1_BAT"]
    assert own
    for row in own:
        expected = true[row["timestamp"]]
        assert {key: row[key] for key in row if key in expected} == {
            key: expected[key] for key in expected if key in row
        }
    [fault] = [one for one in sim.truth.faults.to_dicts() if one["fault"] == "dark"]
    assert fault == {
        "fault": "dark",
        "der_id": "HOME_1_BAT",
        "start": NOON + 2 * MINUTE,
        "end": NOON + 5 * MINUTE,
        "duration_s": 180.0,
    }


def test_a_fault_that_lasts_ends_now(sim: gridsim.Simulator) -> None:
    sim.inject("frozen_meter", "HOME_1_BAT")
    sim.run("3m")
    [fault] = [one for one in sim.truth.faults.to_dicts() if one["fault"] == "frozen_meter"]
    assert (fault["start"], fault["end"]) == (NOON, NOON + 3 * MINUTE)
    sim.clear("frozen_meter")
    sim.run("2m")
    [fault] = [one for one in sim.truth.faults.to_dicts() if one["fault"] == "frozen_meter"]
    assert (fault["start"], fault["end"]) == (NOON, NOON + 3 * MINUTE)


def test_truth_keeps_the_columns_and_the_interval_of_the_run(sim: gridsim.Simulator) -> None:
    sim.run("10m", every="5m", columns=["seq", "current_soc"])
    readings = sim.truth.readings
    assert list(readings.columns) == ["seq", "current_soc", "is_faulty"]
    assert readings.columns["seq"].tolist() == [0, 5]


def test_a_copy_goes_on_by_itself_with_all_that_is_pending(sim: gridsim.Simulator) -> None:
    sim.run("3m")
    sent = sim.send("HOME_1_BAT", "set_power", 1)
    what_if = sim.copy()
    other = what_if.send("HOME_1_BAT", "set_power", -2, start=NOON + 10 * MINUTE)
    assert (sent.id, other.id) == ("python-1", "python-2")
    assert len(sim.instructions) == 1
    what_if.run("5m")
    assert (sent.state, sim.tick, what_if.tick) == ("pending", 3, 8)
    assert [one.state for one in what_if.instructions] == ["accepted", "accepted"]
    sim.run("5m")
    assert sent.state == "accepted"
    what_if.run("10m")
    assert what_if.truth.readings.columns["current_output"].tolist() == [1.0] * 2 + [-2.0] * 8
    assert sim.truth.readings.columns["current_output"].tolist() == [1.0] * 5
    # The copy has the settlements of its past, and its own after that.
    what_if.run("10m")
    assert what_if.truth.events.columns["ending"].tolist() == ["completed"]
    assert sim.truth.events.columns["ending"].tolist() == ["running"]


@pytest.mark.parametrize(
    "name",
    sorted(
        str(path.relative_to(ROOT / "configs"))
        for path in (ROOT / "configs").glob("**/*.toml")
        if "[[projects]]" in path.read_text() and path.parent.name != "days"
    ),
)
def test_a_copy_of_each_shipped_configuration_continues_bit_by_bit(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        # Their own events are at 12:00 and at 15:30.
        start = "15:29:40" if name == "dr-event.toml" else "11:59:00"
        sim = gridsim.simulate(ROOT / "configs" / name, start=f"2026-07-14T{start}-03:00", seed=3)
        before, after = (3, 2) if len(sim.run(ticks=1)) > 1000 else (40, 40)
        sim.call_event("extra", duration=timedelta(seconds=30 * sim.tick_s), target_kw=1.0)
        sim.inject("delay", id="late", delay_s=3 * sim.tick_s, probability=0.5)
        sim.run(ticks=before // 2)
        dark = timedelta(seconds=25 * sim.tick_s)
        sim.inject("offline", id="dark", duration=dark, readings="stored")
        sim.run(ticks=before - before // 2)
        other = sim.copy()
        ones, others = sim.run(ticks=after), other.run(ticks=after)
    assert len(ones) > 0
    assert "extra" in sim.truth.events.columns["event"]
    assert {"late", "dark"} <= set(sim.truth.faults.columns["fault"])
    for one, two in ((ones, others), (sim.truth.readings, other.truth.readings)):
        for column, values in one.columns.items():
            np.testing.assert_array_equal(values, two.columns[column], err_msg=column)
    for table in ("events", "violations", "faults"):
        assert getattr(sim.truth, table).to_dicts() == getattr(other.truth, table).to_dicts()


def test_the_copy_module_copies_a_simulator_in_the_same_way(sim: gridsim.Simulator) -> None:
    sim.run("1m")
    for other in (copy.copy(sim), copy.deepcopy(sim)):
        other.run("2m")
    assert (sim.tick, other.tick) == (1, 3)


def test_before_the_first_run_the_truth_is_empty(sim: gridsim.Simulator) -> None:
    readings = sim.truth.readings
    assert len(readings) == len(readings.to_pandas()) == len(readings.to_dicts()) == 0
    assert "current_output" in readings.columns
    assert repr(sim.truth) == "Truth: the tables events, violations, faults and readings"


def test_readings_that_have_no_room_are_refused_before_the_first_tick(
    sim: gridsim.Simulator,
) -> None:
    with pytest.raises(MemoryError, match=r"no room for about 1,000,.* readings: give run"):
        sim.run(ticks=10**18)
    assert sim.tick == 0
    assert len(sim.run("1m")) > 0


def test_late_and_repeated_readings_are_sampled_once_for_each_interval() -> None:
    faults = """
[[faults]]
type = "offline"
readings = "stored"
ders = ["HOME_1_BAT"]
after_s = 240
duration_s = 1500

[[faults]]
type = "duplicate"
"""
    sim = gridsim.simulate(CONFIG.replace("report_every_s = 120", "") + faults)
    every = sim.copy().run("40m", every="5m").to_dicts()
    seen = [(row["der_id"], row["timestamp"]) for row in every]
    both = ("HOME_1_BAT", "HOME_2_BAT")
    assert sorted(seen) == [(der, NOON + 5 * n * MINUTE) for der in both for n in range(8)]
    whole = sim.run("40m").to_dicts()
    assert [row for row in whole if row in every and row["timestamp"].minute % 5 == 0]
    assert len(whole) > 2 * 40


def test_a_fleet_that_is_disabled_is_a_warning(tmp_path: Path) -> None:
    plugin = tmp_path / "torn.py"
    plugin.write_text(
        """
from gridsim.api import DerSettings, Device, hookimpl

class Torn(Device):
    class Settings(DerSettings):
        pass

    def step(self, tick):
        raise ValueError("torn")

@hookimpl
def gridsim_register(register):
    register.der("torn", Torn)
"""
    )
    text = CONFIG.replace("[simulation]", '[simulation]\non_error = "skip_fleet"')
    text += '[[projects]]\nid = "T"\n[[projects.ders]]\nid = "T"\ntype = "torn"\n'
    text += "nameplate_capacity = 1.0\n"
    sim = gridsim.simulate(text, plugins=[plugin])
    with pytest.warns(UserWarning, match=r"1 DER disabled \(torn\): .*torn") as caught:
        readings = sim.run("2m")
    assert caught[0].filename == __file__
    assert "T" not in readings.columns["der_id"].tolist()
    with pytest.raises(gridsim.PluginError, match="torn"):
        gridsim.simulate(text.replace("skip_fleet", "stop"), plugins=[plugin]).run("1m")


def test_a_simulator_that_failed_says_so(
    sim: gridsim.Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.run("2m")
    earlier = sim.copy()

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(Simulation, "advance", fail)
        with pytest.raises(KeyboardInterrupt):
            sim.run("1m")
    for call in (lambda: sim.run("1m"), sim.copy, lambda: sim.send("HOME_1_BAT", "connect")):
        with pytest.raises(RuntimeError, match="failed in tick 2: use a copy of an earlier moment"):
            call()
    assert sim.truth.events.to_dicts() == []
    assert len(earlier.run("2m")) == 2
