"""A cold store for gridsim: one thermal mass between two temperatures.

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


class ColdStore(Fleet):
    """Its compressor starts a kelvin over the setpoint and stops a kelvin under it."""

    class Settings(DerSettings):
        setpoint_c: Annotated[float, Unit("degC")] = Field(-22.0, description="store temperature")
        gain_kw_per_k: Annotated[float, Unit("kW/K")] = Field(
            0.15, gt=0, description="heat that comes in per kelvin of difference to the outside"
        )
        mass_kwh_per_k: Annotated[float, Unit("kWh/K")] = Field(
            5.0, gt=0, description="heat that warms the store by a kelvin"
        )
        cop: float = Field(2.0, gt=0, description="heat moved per electricity used")

    reported_type = "cold_store"
    columns = {"store_temperature": "degC"}  # noqa: RUF012

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        # Each store starts somewhere in its band; or all compressors would run in step.
        start = members.draws.uniform("cold_store.start", members.keys)
        self._store = members.columns["setpoint_c"] + 2.0 * start - 1.0
        self._on = np.zeros(len(members), np.bool_)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        mine = self.members.columns
        outside = tick.weather.temperature_c[self.members.site]
        store, wish = self._store, mine["setpoint_c"]
        self._on = np.where(self._on, store > wish - 1.0, store > wish + 1.0)
        power = np.where(self._on, mine["nameplate_capacity"], 0.0)
        # The compressor is on or off: who may not draw all of it rests.
        power = np.where(orders.within(-power) > -power, 0.0, power)
        heat_kw = mine["gain_kw_per_k"] * (outside - store) - power * mine["cop"]
        self._store = store + heat_kw * tick.dt_s / 3600 / mine["mass_kwh_per_k"]
        return Telemetry(-power, extra={"store_temperature": store})


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("cold_store", ColdStore)
