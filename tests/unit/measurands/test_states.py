"""State, stored energy, temperature of cells, and the orders in force."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gridsim.api import Fleet, Orders, Target, Telemetry, read_instruction
from gridsim.simulation.step import Simulation
from gridsim.testing import make_members, make_tick, make_weather
from gridsim_plugins.ders.battery import Battery
from gridsim_plugins.ders.ev_charger import EvCharger
from gridsim_plugins.ders.solar import Solar
from gridsim_plugins.ders.solar.physics import ac_power
from tests.fixtures.runs import Bench

# Noon in Moncton, four hours after the start.
NOON_S = 4 * 3600
SITE = """
[simulation]
seed = 3
tick_s = 60
speed = 0
start = 2026-06-10T12:00:00Z
measurands = ["setpoint_kw", "lower_limit_kw", "upper_limit_kw", "state"]
[weather]
type = "clear"
[[transports]]
type = "stdout"
[[projects]]
id = "P"
load = { type = "constant", kw = 1.0 }
[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0
[[projects.ders]]
id = "WIND"
type = "wind_turbine"
nameplate_capacity = 5.0
"""


def fleet(of: type[Fleet[Any]], tick_s: float = 600.0, **settings: Any) -> Fleet[Any]:
    members = make_members(of.Settings, [settings], tick_s=tick_s)
    return of(replace(members, wanted=frozenset(of.measurands)))


def stepped(
    one: Fleet[Any], index: int, setpoint: float = np.nan, most: float = np.inf, ghi: float = 0.0
) -> Telemetry:
    tick_s = one.members.tick_ms / 1000.0
    tick = make_tick(index, tick_s=tick_s, weather=make_weather(ghi=ghi))
    orders = Orders(np.array([setpoint]), np.zeros(1), np.array([-most]), np.array([most]))
    return one.step(tick, orders)


@pytest.mark.parametrize("managed", [True, False])
def test_a_charger_has_the_status_of_its_connector(managed: bool) -> None:
    car = fleet(EvCharger, nameplate_capacity=11.0, managed=managed, battery_capacity_kwh=60.0)
    seen: dict[float, Telemetry] = {}
    for index in range(6 * 48):
        # Every third tick the limit is 0, which holds a car back that is not full.
        told = stepped(car, index, most=0.0 if index % 3 == 2 else np.inf)
        state, soc = told.extra["state"][0], np.asarray(told.current_soc)[0]
        seen.setdefault(state, told)
        assert (state == 101.0) == np.isnan(soc)
        assert (state == 103.0) == (told.current_output[0] < 0.0)
        if state == 104.0:
            assert index % 3 == 2
        energy = told.extra["energy_available_kwh"][0]
        assert np.isnan(energy) if np.isnan(soc) else energy == pytest.approx(0.6 * soc)
    assert set(seen) == {101.0, 103.0, 104.0, 105.0}


def test_a_battery_runs_or_stands_by() -> None:
    battery = fleet(
        Battery, nameplate_capacity=5.0, energy_capacity_kwh=10.0, initial_soc=100.0, min_soc=10.0
    )
    # Full, it cannot charge; with a limit of 0 it cannot discharge.
    cases = ((-5.0, np.inf, 8.0), (5.0, 0.0, 8.0), (5.0, np.inf, 4.0), (-1.0, np.inf, 4.0))
    for index, (setpoint, most, state) in enumerate(cases):
        told = stepped(battery, index, setpoint, most)
        assert told.extra["state"][0] == state, index
        soc = np.asarray(told.current_soc)[0]
        assert told.extra["energy_available_kwh"][0] == pytest.approx(0.1 * soc)
    assert soc < 95.0


def test_an_array_sleeps_follows_the_sun_or_is_throttled() -> None:
    array = fleet(
        Solar,
        nameplate_capacity=5.0,
        arrays=[
            {"capacity_kw": 3.0, "tilt": 30.0, "azimuth": 90.0},
            {"capacity_kw": 3.0, "tilt": 30.0, "azimuth": 270.0},
        ],
    )
    at = NOON_S // 600
    cases: Sequence[tuple[float, float, float]] = (
        (0.0, np.inf, 2.0),
        (800.0, np.inf, 4.0),
        (800.0, 0.5, 5.0),
        (800.0, 0.0, 5.0),
        (0.0, 0.0, 2.0),
    )
    cells: list[float] = []
    for index, (ghi, most, state) in enumerate(cases):
        told = stepped(array, at + index, most=most, ghi=ghi)
        assert told.extra["state"][0] == state, index
        cells.append(float(told.extra["cell_temperature_c"][0]))
    # In the dark it is that of the air; in the sun the cells are about 25 K warmer.
    assert cells[0] == cells[4] == 20.0
    assert 35.0 < cells[1] < 60.0


def test_the_dc_power_of_an_array_is_that_of_its_output() -> None:
    rated, efficiency = np.array([5.0]), np.array([0.96])
    array = fleet(Solar, nameplate_capacity=5.0, dc_ac_ratio=1.4, inverter_efficiency=96.0)
    at, low = NOON_S // 600, []
    cases = ((0.0, np.inf), (4.0, np.inf), (300.0, np.inf), (300.0, 0.5), (300.0, 0.0))
    for index, (ghi, most) in enumerate((*cases, (1100.0, np.inf), (0.0, 0.0))):
        told = stepped(array, at + index, most=most, ghi=ghi)
        dc, ac = told.extra["dc_power_kw"], told.current_output
        # The AC power is that of this DC power, also below a limit and at the rating.
        np.testing.assert_allclose(ac_power(dc, rated, efficiency), ac, atol=1e-9)
        assert dc[0] >= ac[0]
        low.append(float(dc[0]))
    # In the dark there is none; at dawn, and with a limit of 0, there is the inverter's own.
    assert low[0] == low[-1] == 0.0
    assert 0.0 < low[1] < 0.05
    assert 0.0 < low[4] < 0.05
    assert low[5] == pytest.approx(5.0 / 0.96, rel=0.02)


def test_the_dc_power_of_a_battery_is_that_of_its_cells() -> None:
    settings = {"nameplate_capacity": 5.0, "energy_capacity_kwh": 10.0, "cell_efficiency": 100.0}
    battery = fleet(Battery, initial_soc=50.0, **settings)
    for index, (setpoint, sign) in enumerate(((-3.0, -1), (3.0, 1), (0.0, 0), (-3.0, -1))):
        told = stepped(battery, index, setpoint)
        dc, ac = told.extra["dc_power_kw"][0], told.current_output[0]
        assert np.sign(dc) == sign
        # Charging loses on the way to the cells, discharging on the way from them.
        assert dc > ac if sign else dc == 0.0
        before = told.extra["energy_available_kwh"][0]
        after = stepped(battery, index, 0.0).extra["energy_available_kwh"][0]
        if sign:
            assert after - before == pytest.approx(-dc * 600 / 3600, rel=1e-6)


def test_orders_in_force_are_those_of_commands(bench: Bench) -> None:
    simulation = Simulation(bench.plan(SITE)[0])

    def told(**command: Any) -> dict[str, list[float]]:
        text = json.dumps({"id": f"c-{simulation.next_tick}", **command}).encode()
        instructions = [read_instruction(text, Target("P", "PV"))] if command else []
        extra = simulation.advance(instructions).batch.extra
        return {name: column.tolist() for name, column in extra.items()}

    orders = ("setpoint_kw", "lower_limit_kw", "upper_limit_kw")
    before = told()
    assert all(np.isnan(before[name]).all() for name in orders)
    assert before["state"][0] == 4.0
    assert np.isnan(before["state"][1])
    limited = told(command="limit_power", value=0)
    assert limited["upper_limit_kw"][0] == 0.0
    assert np.isnan(limited["upper_limit_kw"][1])
    assert limited["state"][0] == 5.0
    set_ = told(command="set_power", value=1.5)
    assert set_["setpoint_kw"][0] == 1.5
