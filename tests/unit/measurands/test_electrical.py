"""Voltage, current, power factor and reactive power: of devices, and of the meters of sites."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from gridsim.api import Floats
from gridsim.contracts.measurands import ELECTRICAL, LINES
from gridsim.contracts.results import TickResult
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed
from tests.fixtures.runs import Bench
from tests.unit.measurands.test_registers import DERS

TICKS = 10
ALL = DERS.replace("report_every_s = 26400", "")
ZONES = {"DE": "Europe/Berlin", "GB": "Europe/London", "US": "America/New_York"}
CAR = """
[[projects.ders]]
id = "{project_id}_two"
type = "ev_charger"
nameplate_capacity = 22
phases = 2
"""


def configuration(more: str = "", zones: Mapping[str, str] = ZONES, ders: str = ALL + CAR) -> str:
    head = f"""
[simulation]
seed = 3
tick_s = 6600
speed = 0
start = 2026-03-10T04:00:00Z
measurands = {sorted(ELECTRICAL)}
{more}
[weather]
type = "clear"
[[transports]]
type = "stdout"
"""
    homes = (
        f'[[projects]]\nid = "{name}"\ntimezone = "{zone}"\nlatitude = 45.0\n'
        f'load = {{ type = "household", annual_kwh = 9000 }}\n{ders}'
        for name, zone in zones.items()
    )
    return head + "".join(homes)


def truth(result: TickResult) -> Mapping[str, Floats]:
    assert result.truth is not None
    return result.truth.extra


def lines(columns: Mapping[str, Floats], name: str) -> Floats:
    return np.array([columns[name + line] for line in LINES])


def active(columns: Mapping[str, Floats], prefix: str = "") -> tuple[Floats, Floats]:
    """Return the power by U, I and cos(phi) of each row, and its largest error by rounding, kW."""
    volts, amperes = lines(columns, prefix + "voltage"), lines(columns, prefix + "current")
    factor = columns[prefix + "power_factor"]
    apparent = np.nansum(volts * amperes, axis=0) / 1000.0
    connected = (~np.isnan(volts)).sum(axis=0)
    error = 0.0005 * apparent + connected * (0.05 * np.nanmax(amperes, 0) + 0.005 * 300.0) / 1000.0
    return apparent * factor, error + 0.005


def test_power_is_voltage_times_current_in_every_row(bench: Bench) -> None:
    """For all types, on one, two and three lines, and for the meters; to rounding."""
    scenario, _ = bench.plan(configuration())
    simulation = Simulation(scenario)
    project, n = scenario.roster.project, len(ZONES)
    used = np.zeros(len(project), np.bool_)
    for _ in range(TICKS):
        result = simulation.advance()
        batch, extra = result.batch, result.batch.extra
        power, error = active(extra)
        assert (np.abs(power - batch.current_output) <= error).all()
        apparent = np.hypot(batch.current_output, extra["reactive_kvar"])
        factor = np.abs(extra["power_factor"])
        assert (np.abs(factor * apparent - np.abs(batch.current_output)) < 0.02).all()
        assert result.truth is not None
        net = result.truth.load_kw - np.bincount(project, result.truth.output_kw, n)
        power, error = active(extra, "meter_")
        assert (np.abs(power - net[project]) <= error).all()
        assert (lines(extra, "current")[~np.isnan(lines(extra, "current"))] >= 0.0).all()
        for prefix in ("", "meter_"):
            volts, amperes = lines(extra, prefix + "voltage"), lines(extra, prefix + "current")
            np.testing.assert_allclose(extra[prefix + "voltage"], np.nanmean(volts, 0), atol=0.11)
            np.testing.assert_allclose(extra[prefix + "current"], np.nansum(amperes, 0), atol=0.02)
        used |= batch.current_output != 0.0
    types = np.array(scenario.roster.type)
    assert set(types[used]) == set(types) - {"generator"}


def test_devices_are_on_the_lines_of_their_kind(bench: Bench) -> None:
    scenario, _ = bench.plan(configuration())
    columns = Simulation(scenario).step().extra
    phases = dict(
        zip(scenario.roster.der_id, (~np.isnan(lines(columns, "voltage"))).sum(0), strict=True)
    )
    # 8 kW are above what one line of three may carry, 4 kW are not; a car of 11 kW has three.
    expected = {"solar": 3, "wind_turbine": 1, "ev_charger": 3, "two": 2, "generator": 3}
    for name, number in expected.items():
        assert phases[f"DE_{name}"] == number
        assert phases[f"GB_{name}"] == phases[f"US_{name}"] == 1
    for site, volts in (("DE", 230.0), ("GB", 230.0), ("US", 240.0)):
        row = scenario.roster.der_id.index(f"{site}_solar")
        for name in ("voltage", "meter_voltage"):
            assert columns[name][row] == pytest.approx(volts, rel=0.05)
    # A single-phase site has the same voltage at the device and at the meter.
    row = scenario.roster.der_id.index("GB_solar")
    assert columns["voltage"][row] == columns["meter_voltage"][row]
    assert columns["voltage_l1"][row] == columns["meter_voltage_l1"][row]


def test_the_voltage_rises_by_the_power_that_is_fed(bench: Bench) -> None:
    """And falls by load, by the resistance of the feeder; a stiff feeder has no drop."""
    array = '[[projects.ders]]\nid = "PV"\ntype = "solar"\nnameplate_capacity = 8.0\n'
    text = configuration(zones={"GB": "Europe/London"}, ders="feeder_impedance = OHM\n" + array)
    text = text.replace('"household", annual_kwh = 9000', '"constant", kw = 2.0')
    columns = []
    for ohm in ("0.0", "0.5"):
        simulation = Simulation(bench.plan(text.replace("OHM", ohm))[0])
        each = [truth(simulation.advance()) for _ in range(TICKS)]
        columns.append({name: np.array([one[name][0] for one in each]) for name in ELECTRICAL})
    stiff, weak = columns
    # The slow course of the day alone: within 1 % around the level of the site.
    assert 1.0 < np.ptp(stiff["meter_voltage"]) <= 0.02 * 230.0
    power, _ = active(weak, "meter_")
    drop = stiff["meter_voltage"] - weak["meter_voltage"]
    np.testing.assert_allclose(drop, 0.5 * 0.848 * power * 1000.0 / 230.0, atol=0.11)
    assert drop.min() < -2.0 < 2.0 < drop.max()


def test_shards_and_checkpoints_change_nothing(bench: Bench) -> None:
    scenario, _ = bench.plan(configuration())
    whole = Simulation(scenario)
    # The sites of the second shard have one line, which is computed as the whole.
    shards = [Simulation(scenario.subset(names)) for names in (["DE"], ["GB", "US"])]
    first = scenario.roster.project == 0
    for tick in range(4):
        columns = whole.step().extra
        for shard, rows in zip(shards, (first, ~first), strict=True):
            own = shard.step().extra
            for name in sorted(ELECTRICAL):
                np.testing.assert_array_equal(columns[name][rows], own[name], err_msg=name)
        if tick == 1:
            whole = resumed(whole, scenario)


def test_a_run_has_only_the_columns_that_it_wants(bench: Bench) -> None:
    text = configuration().replace(f"{sorted(ELECTRICAL)}", '["meter_current_l3", "voltage_l2"]')
    scenario, _ = bench.plan(text.replace("Europe/Berlin", "Europe/Paris"))
    columns = Simulation(scenario).step().extra
    assert columns.keys() & ELECTRICAL == {"meter_current_l3", "voltage_l2"}
    assert all(np.isnan(columns[name]).all() for name in ("meter_current_l3", "voltage_l2"))


def test_the_only_line_of_all_sites_is_wanted_alone(bench: Bench) -> None:
    names = ["voltage_l1", "meter_current_l1", "meter_current_l2"]
    text = configuration(zones={"GB": "Europe/London"}).replace(f"{sorted(ELECTRICAL)}", str(names))
    scenario, _ = bench.plan(text)
    columns = Simulation(scenario).step().extra
    assert columns.keys() & ELECTRICAL == set(names)
    assert (columns["voltage_l1"] > 0.0).all()
    assert (columns["meter_current_l1"] > 0.0).all()
    assert np.isnan(columns["meter_current_l2"]).all()
