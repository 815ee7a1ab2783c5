"""Devices of one stanza without distributions differ, and a value that is set stays exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gridsim.api import Fleet, Floats, Orders
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.testing import make_members, make_sites, make_tick, make_weather
from gridsim_plugins.ders.battery import Battery
from gridsim_plugins.ders.heat_pump import HeatPump

HOMES = 50
NO_ORDERS = Orders(np.full(HOMES, np.nan), np.zeros(HOMES))


KINDS = {
    "battery": HOMES,
    "solar": HOMES - 2,  # readings have two decimals
    "heat_pump": HOMES,
    "water_heater": HOMES,
    "wind_turbine": HOMES,
    "ev_charger": 25,  # a car does not come home every day
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Floats:
    """The output and the state of charge of a day of January, [tick, 2, kind and home].

    Without a load, in ticks of three minutes.
    """
    path = tmp_path_factory.mktemp("clones") / "clones.toml"
    path.write_text(
        "[simulation]\ntick_s = 180.0\nstart = 2026-01-13T04:00:00Z\n[weather]\ntype = 'clear'\n"
        '[site]\ntimezone = "America/Moncton"\n[[transports]]\ntype = "stdout"\n'
        + "".join(
            f'[[projects]]\nid = "{kind}{{n}}"\ncount = {HOMES}\n[[projects.ders]]\n'
            f'id = "{{project_id}}_D"\ntype = "{kind}"\nnameplate_capacity = 5.0\n'
            for kind in KINDS
        )
    )
    simulation = Simulation(make_plan(Options(config=path)).configuration.scenario)
    batches = [simulation.step() for _ in range(480)]
    return np.array([[batch.current_output, batch.current_soc] for batch in batches])


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_homes_of_one_stanza_give_fifty_series(told: Floats, kind: str) -> None:
    first = list(KINDS).index(kind) * HOMES
    of_kind = told[:, :, first : first + HOMES]
    series = np.nan_to_num(of_kind, nan=-1.0).transpose(2, 0, 1).reshape(HOMES, -1)
    assert len(np.unique(series, axis=0)) >= KINDS[kind]
    if kind in ("heat_pump", "solar"):  # Not at the start alone: the homes stay different.
        late = of_kind[slice(240, 260) if kind == "solar" else slice(460, 480), 0]
        assert (np.ptp(late, axis=1) > 0.05).all()


def first_soc(**more: Any) -> Floats:
    settings = {"nameplate_capacity": 5.0, **more}
    fleet: Fleet[Any] = Battery(make_members(Battery.Settings, [settings] * HOMES))
    soc = fleet.step(make_tick(0), NO_ORDERS).current_soc
    assert soc is not None
    return soc


def test_a_state_of_charge_is_drawn_between_the_reserve_and_full_unless_it_is_set() -> None:
    assert first_soc(initial_soc=37.5).tolist() == [37.5] * HOMES
    for reserve in (0.0, 10.0, 90.0, 100.0):
        drawn = first_soc(min_soc=reserve)
        above = 100.0 - reserve
        assert (drawn >= reserve + 0.3 * above).all()
        assert (drawn <= reserve + 0.6 * above).all()
        assert len(np.unique(drawn)) == (HOMES if above else 1)


def rooms(**more: Any) -> Floats:
    """The rooms after two cold days."""
    settings = {"nameplate_capacity": 2.0, "internal_gains": 400.0, "solar_aperture": 0.0, **more}
    sites = make_sites(HOMES)
    pump = HeatPump(make_members(HeatPump.Settings, [settings] * HOMES, sites=sites))
    weather = make_weather(HOMES, temperature_c=-3.0)
    for index in range(96):
        told = pump.step(make_tick(index, tick_s=1800.0, weather=weather), NO_ORDERS)
    return told.extra["room_temperature"]


def test_a_heating_setpoint_is_drawn_unless_it_is_set() -> None:
    drawn = rooms()
    assert 19.0 <= drawn.min() < 19.3
    assert 20.7 < drawn.max() <= 21.0
    np.testing.assert_allclose(rooms(room_temperature=20.5), 20.5, atol=0.05)
    # A cooling setpoint that is set is kept, too: the heating setpoint is 3 K below at most.
    cooled = rooms(cooling_temperature=23.0)
    np.testing.assert_allclose(cooled[drawn > 20.01], 20.0, atol=0.05)
