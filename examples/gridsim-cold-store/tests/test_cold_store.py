"""The contract tests of gridsim, and one of the cold store."""

from __future__ import annotations

import numpy as np
from gridsim_cold_store import ColdStore

from gridsim.api import Orders
from gridsim.testing import FleetContract, make_members, make_tick, make_weather


class TestColdStore(FleetContract):
    fleet = ColdStore
    settings = ({"nameplate_capacity": 8.0}, {"nameplate_capacity": 12.0, "setpoint_c": -18.0})


def test_the_store_stays_near_its_setpoint_in_the_heat() -> None:
    store = ColdStore(make_members(ColdStore.Settings, [{"nameplate_capacity": 8.0}], tick_s=60))
    orders = Orders(setpoint_kw=np.array([np.nan]), balance_kw=np.zeros(1))
    temperatures = []
    for index in range(24 * 60):
        tick = make_tick(index, weather=make_weather(temperature_c=35.0), tick_s=60)
        temperatures.append(float(store.step(tick, orders).extra["store_temperature"][0]))
    assert min(temperatures) > -23.2
    assert max(temperatures) < -20.8
