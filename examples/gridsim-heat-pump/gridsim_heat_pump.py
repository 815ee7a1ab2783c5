"""A heat pump for gridsim: holds a building with one thermal mass between two temperatures.

All devices of the type are stepped at once, as arrays, so that 100,000 of them cost little
more than one.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from gridsim.api import (
    DerSettings,
    Fleet,
    Members,
    Orders,
    Register,
    Telemetry,
    Tick,
    Unit,
    hookimpl,
)


class HeatPump(Fleet):
    """An on-off heat pump: it starts half a kelvin under its setpoint and stops half over it."""

    class Settings(DerSettings):
        setpoint_c: Annotated[float, Unit("degC")] = Field(20.0, description="room temperature")
        loss_kw_per_k: Annotated[float, Unit("kW/K")] = Field(
            0.2, gt=0, description="heat that the building loses per kelvin to the outside"
        )
        mass_kwh_per_k: Annotated[float, Unit("kWh/K")] = Field(
            3.0, gt=0, description="heat that warms the building by a kelvin"
        )

    reported_type = "heat_pump"
    columns = {"room_temperature": "degC"}  # noqa: RUF012

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        self._room = members.columns["setpoint_c"].copy()
        self._on = np.zeros(len(members), np.bool_)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        settings, site = self.members.columns, self.members.site
        outside = tick.sky.temperature_c[site]
        room = self._room
        wish = settings["setpoint_c"]
        self._on = np.where(self._on, room < wish + 0.5, room < wish - 0.5)
        power = np.where(self._on, settings["nameplate_capacity"], 0.0)
        cop = np.maximum(1.5, 4.0 + 0.1 * (outside - 7.0))
        gain_kw = power * cop - settings["loss_kw_per_k"] * (room - outside)
        self._room = room + gain_kw * tick.dt_s / 3600 / settings["mass_kwh_per_k"]
        return Telemetry(-power, extra={"room_temperature": room})


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("heat_pump", HeatPump)
