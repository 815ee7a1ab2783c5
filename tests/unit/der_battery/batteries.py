"""Batteries of several kinds, and their course in a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gridsim.api import Floats, Orders
from gridsim.testing import make_members, make_tick
from gridsim_plugins.ders.battery import Battery
from gridsim_plugins.ders.battery.settings import BatterySettings

KINDS: tuple[Mapping[str, Any], ...] = (
    {"nameplate_capacity": 5.0},
    {"nameplate_capacity": 3.57, "energy_capacity_kwh": 8.85, "losses": "siemens_junelight"},
    {"nameplate_capacity": 10.0, "losses": "ideal", "strategy": "idle", "initial_soc": 100.0},
    {"nameplate_capacity": 11.04, "charge_power": 5.0, "strategy": "time_of_use", "min_soc": 20.0},
    {"nameplate_capacity": 9.0, "energy_capacity_kwh": 2.0, "initial_soc": 3.0},
    {
        "nameplate_capacity": 4.0,
        "loss_charge": [0.02, 0.01, 0.005],
        "loss_discharge": [0.03, 0.0, 0.005],
        "cell_efficiency": 92.0,
        "dead_time": 2.25,
        "time_constant": 3.0,
        "standby_full": 18.0,
        "standby_empty": 5.0,
    },
)


def drive(settings: Mapping[str, Any], powers: list[float], tick_s: float) -> tuple[Floats, Floats]:
    """Gives setpoints to one battery: (output, state of charge), one longer for the end."""
    fleet = Battery(make_members(BatterySettings, [settings], tick_s=tick_s))
    output, soc = [], []
    for index, power in enumerate([*powers, 0.0]):
        tick = make_tick(index, tick_s=tick_s)
        told = fleet.step(tick, Orders(np.array([power]), np.zeros(1)))
        assert told.current_soc is not None
        output.append(float(told.current_output[0]))
        soc.append(float(told.current_soc[0]))
    return np.array(output), np.array(soc)
