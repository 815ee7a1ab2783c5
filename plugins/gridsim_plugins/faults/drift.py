"""The fault `drift`: a sensor that goes off little by little."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from gridsim.api import (
    AffectedReadings,
    DeviceFault,
    Members,
    Register,
    Settings,
    Tick,
    Unit,
    hookimpl,
)

_HOUR_MS = 3_600_000


class DriftSettings(Settings):
    field: Literal["current_output", "power_meter_measurement"] = Field(
        "current_output", description="what drifts"
    )
    rate: Annotated[float, Unit("kW/h")] = Field(
        0.1, ge=-1e5, le=1e5, description="by how much more it is off with each hour"
    )


class Drift(DeviceFault):
    """An error that grows in a straight line from nothing, and is gone when the fault ends."""

    Settings = DriftSettings

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        self._is_output = members.choose(lambda s: s.field == "current_output", bool)
        self._rate = members.columns["rate"]

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        member, output = affected.member, self._is_output[affected.member]
        off = self._rate[member] * ((tick.time_ms - affected.since_ms) / _HOUR_MS)
        affected.current_output[output] += off[output]
        affected.power_meter_measurement[~output] += off[~output]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("drift", Drift)
