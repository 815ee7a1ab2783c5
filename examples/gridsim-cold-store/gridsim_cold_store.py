"""A cold store for gridsim: one thermal mass between two temperatures.

All devices of the type are stepped at once, as arrays, so 100,000 of them cost little more
than one.
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
    """Cold stores; the compressor starts 1 K above the setpoint and stops 1 K below it."""

    class Settings(DerSettings):
        setpoint_c: Annotated[float, Unit("degC")] = Field(-22.0, description="store temperature")
        gain_kw_per_k: Annotated[float, Unit("kW/K")] = Field(
            0.15, gt=0, description="heat gain per kelvin of difference to the outside"
        )
        mass_kwh_per_k: Annotated[float, Unit("kWh/K")] = Field(
            5.0, gt=0, description="heat capacity of the store"
        )
        cop: float = Field(2.0, gt=0, description="heat removed per electricity used")

    reported_type = "cold_store"
    columns = {"store_temperature": "degC"}  # noqa: RUF012

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        # Each store starts at a random point of its band, so that compressors do not run in step.
        start = members.draws.uniform("cold_store.start", members.keys)
        self._store = members.columns["setpoint_c"] + 2.0 * start - 1.0
        self._on = np.zeros(len(members), np.bool_)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        column = self.members.columns
        outside = tick.weather.temperature_c[self.members.site]
        store, setpoint = self._store, column["setpoint_c"]
        self._on = np.where(self._on, store > setpoint - 1.0, store > setpoint + 1.0)
        power = np.where(self._on, column["nameplate_capacity"], 0.0)
        # The compressor is on or off: it stays off under a limit below its full power.
        power = np.where(orders.within(-power) > -power, 0.0, power)
        heat_kw = column["gain_kw_per_k"] * (outside - store) - power * column["cop"]
        self._store = store + heat_kw * tick.dt_s / 3600 / column["mass_kwh_per_k"]
        return Telemetry(-power, extra={"store_temperature": store})


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("cold_store", ColdStore)
