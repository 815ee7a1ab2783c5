"""The contract tests of gridsim, and what this heat pump adds."""

from __future__ import annotations

import numpy as np
from gridsim_heat_pump import HeatPump

from gridsim.api import Orders
from gridsim.testing import FleetContract, make_members, make_sky, make_tick


class TestHeatPump(FleetContract):
    fleet = HeatPump
    settings = ({"nameplate_capacity": 3.0}, {"nameplate_capacity": 5.0, "setpoint_c": 22.0})


def test_the_room_stays_near_its_setpoint_in_the_cold() -> None:
    fleet = HeatPump(make_members(HeatPump.Settings, [{"nameplate_capacity": 3.0}], tick_s=60))
    orders = Orders(setpoint_kw=np.array([np.nan]), balance_kw=np.zeros(1))
    rooms = []
    for index in range(24 * 60):
        tick = make_tick(index, sky=make_sky(temperature_c=-5.0), tick_s=60)
        rooms.append(float(fleet.step(tick, orders).extra["room_temperature"][0]))
    assert min(rooms) > 19.3
    assert max(rooms) < 20.7
