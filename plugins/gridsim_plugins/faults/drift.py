"""The fault `drift`: a sensor whose error grows."""

from __future__ import annotations

from typing import Annotated, Literal

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
    """Settings of the fault `drift`."""

    field: Literal["current_output", "power_meter_measurement"] = Field(
        "current_output", description="the field that drifts"
    )
    rate: Annotated[float, Unit("kW/h")] = Field(
        0.1, ge=-1e5, le=1e5, description="growth of the error per hour"
    )


class Drift(DeviceFault[DriftSettings]):
    """An error that grows linearly from zero, and disappears when the fault ends."""

    Settings = DriftSettings
    kept = ()

    def __init__(self, members: Members[DriftSettings]) -> None:
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
