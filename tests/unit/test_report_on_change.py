"""Reports on change: when a device reports, and when it does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gridsim.api import StateError, identities
from gridsim.simulation.batch import BatchMaker
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from tests.fixtures.runs import HEAD, Bench, Done

SITE = """
[[projects]]
id = "HOME"
load = { type = "constant", kw = 1.0 }
"""
PUMP = """
[[projects.ders]]
id = "PUMP"
type = "heat_pump"
nameplate_capacity = 5.0
"""
BATTERY = """
[[projects.ders]]
id = "BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
"""
NAN = float("nan")


def scenario_of(folder: Path, settings: str, ders: str = BATTERY) -> Scenario:
    return Bench(folder).plan(HEAD + SITE + ders + settings)[0]


def reporting(scenario: Scenario, column: str, values: Sequence[float]) -> list[int]:
    """Return the ticks at which the first device reports, with these values of a column."""
    maker = BatchMaker(scenario)
    n = len(scenario.roster)
    ticks = []
    for tick, value in enumerate(values):
        device = {"current_output": np.zeros(n), "current_soc": np.full(n, 50.0)}
        site = {"power_meter_measurement": np.zeros(1), "baseline": np.zeros(1)}
        (site if column in site else device)[column][0] = value
        batch = maker.make(
            tick,
            device["current_output"],
            device["current_soc"],
            site["power_meter_measurement"],
            site["baseline"],
            {name: np.zeros(n) for name in scenario.roster.columns},
        )
        if 0 in batch.device:
            ticks.append(tick)
    return ticks


@pytest.mark.parametrize(
    ("deadband", "values", "ticks"),
    [
        # 0.3 - 0.2 is less than 0.1 in floating point, and equal to it in a reading.
        ("current_output = 0.1", [0.2, 0.3, 0.39, 0.4, 0.31, 0.3], [0, 1, 3, 5]),
        ("current_output = 0.1", [-0.05, 0.05, -0.04, -0.05], [0, 1, 3]),
        # A drift counts from the last reading, not from the last tick.
        ("current_output = 0.1", [0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24], [0, 3, 6]),
        # What a reading does not show is not a change.
        ("current_output = 0", [1.0, 1.0, 1.004, 1.01, 1.01], [0, 3]),
        ("current_output = 0", [0.0, -0.0, -0.001], [0]),
        ("current_output = 0.015", [0.0, 0.01, 0.02], [0, 2]),
        ("current_output = 1e300", [0.0, 1e9, -1e9], [0]),
        ("current_soc = 1.0", [50.0, 50.9, 51.0, 51.0], [0, 2]),
        # Storage appears and disappears.
        ("current_soc = 100.0", [NAN, NAN, 50.0, 51.0, NAN, NAN], [0, 2, 4]),
        ("power_meter_measurement = 0.5", [1.0, 1.49, 1.5], [0, 2]),
        ("baseline = 0.5", [1.0, 1.49, 0.5], [0, 2]),
        # Other columns do not count, and any of several does.
        ("current_soc = 1.0", [50.0], [0]),
        ("current_output = 9.0, current_soc = 1.0", [50.0, 50.5, 52.0], [0, 2]),
    ],
)
def test_a_change_of_at_least_the_deadband_is_reported(
    deadband: str, values: Sequence[float], ticks: Sequence[int], tmp_path: Path
) -> None:
    scenario = scenario_of(tmp_path, f"report_on_change = {{ {deadband} }}")
    column = deadband.rpartition(",")[2].split()[0]
    assert reporting(scenario, column, values) == ticks


def test_a_column_of_a_der_type_is_compared_too(tmp_path: Path) -> None:
    settings = "report_on_change = { room_temperature = 0.5 }"
    scenario = scenario_of(tmp_path, settings, BATTERY + PUMP)
    maker = BatchMaker(scenario)
    seen = []
    for tick, value in enumerate([20.0, 20.499, 20.5, 20.999, 21.0]):
        # The battery has no such setting, so it reports each tick.
        extra = {name: np.array([NAN, value]) for name in scenario.roster.columns}
        batch = maker.make(tick, np.zeros(2), np.zeros(2), np.zeros(1), np.zeros(1), extra)
        seen.append(batch.device.tolist())
    assert seen == [[0, 1], [0], [0, 1], [0], [0, 1]]


def test_a_register_is_there_and_compared_without_another_part_that_wants_it(
    tmp_path: Path,
) -> None:
    scenario = scenario_of(tmp_path, "report_on_change = { energy_import_kwh = 0.5 }")
    assert scenario.roster.columns["energy_import_kwh"] == "kWh"
    maker, zero = BatchMaker(scenario), np.zeros(1)
    other = dict.fromkeys(scenario.roster.columns, zero)
    registers = [0.0, 0.4994, 0.4996, 0.9, 1.0]
    seen = [
        maker.make(tick, zero, zero, zero, zero, {**other, "energy_import_kwh": np.array([value])})
        for tick, value in enumerate(registers)
    ]
    assert [len(batch.device) for batch in seen] == [1, 0, 1, 0, 1]


@pytest.mark.parametrize("every", [1, 4])
def test_a_heartbeat_keeps_its_times_between_the_changes(every: int, tmp_path: Path) -> None:
    settings = f"report_every_s = {every * 10}\nreport_on_change = {{ current_output = 1.0 }}"
    values = [0.0] * 6 + [2.0] * 10
    beats = {tick for tick in range(16) if (tick - int(identities(["BAT"])[0])) % every == 0}
    found = reporting(scenario_of(tmp_path, settings), "current_output", values)
    assert found == sorted(beats | {0, 6})


@pytest.mark.parametrize(
    ("readings", "sent", "lost"),
    # It is offline in the ticks 5 to 9, and comes back in tick 10.
    [("lost", [0, 10], []), ("stored", [0, 10], []), ("flagged", [0, 5, 10], [])],
)
def test_a_connection_that_changes_is_reported(
    readings: str, sent: Sequence[int], lost: Sequence[int], tmp_path: Path
) -> None:
    fault = f"""
report_on_change = {{ current_output = 100.0 }}
[[faults]]
type = "offline"
readings = "{readings}"
after_s = 50
duration_s = 50
"""
    done = Bench(tmp_path).run(HEAD + SITE + BATTERY + fault, 15)
    assert [tick for one in done.batches for tick in one.tick.tolist()] == sent
    assert [tick for one in done.unsent for tick in one.tick.tolist()] == lost
    online = [one["is_online"] for one in done.records()]
    assert online == [tick != 5 for tick in sent]


def test_a_change_in_a_lost_reading_is_not_reported_again(tmp_path: Path) -> None:
    text = HEAD + SITE.replace("constant", "household").replace("kw = 1.0", "annual_kwh = 9000")
    text += BATTERY + "report_on_change = { power_meter_measurement = 0.05 }\n"

    def ticks(done: Done) -> list[int]:
        every = [*done.batches, *done.unsent]
        return sorted(tick for one in every for tick in one.tick.tolist())

    whole = Bench(tmp_path).run(text, 60)
    lossy = Bench(tmp_path).run(text + '[[faults]]\ntype = "drop"\nprobability = 0.5\n', 60)
    assert 5 < len(ticks(whole)) < 60
    assert ticks(lossy) == ticks(whole)
    assert len(lossy.payloads) < len(whole.payloads)


def test_a_checkpoint_with_other_devices_on_change_is_refused(tmp_path: Path) -> None:
    first = Simulation(scenario_of(tmp_path, "report_on_change = { current_output = 1.0 }"))
    first.advance()
    state = first.state()
    second = Simulation(scenario_of(tmp_path, "report_on_change = { current_soc = 1.0 }"))
    with pytest.raises(StateError, match="other devices or columns that report on change"):
        second.restore(state)


def test_the_shortest_interval_of_a_device_on_change_is_a_tick(tmp_path: Path) -> None:
    settings = "report_every_s = 60\nreport_on_change = { current_output = 1.0 }"
    other = BATTERY.replace("BAT", "BAT_2") + "report_every_s = 60\n"
    scenario = scenario_of(tmp_path, settings, other + BATTERY)
    assert scenario.report_every_ticks.tolist() == [6, 6]
    assert scenario.shortest_report_ticks.tolist() == [6, 1]
