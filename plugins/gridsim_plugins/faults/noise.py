"""The fault `noise`: a sensor with random errors."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
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


class NoiseSettings(Settings):
    """Settings of the fault `noise`.

    The default is the error that IEC 62053-21 allows for a meter of class 1.
    """

    field: Literal["current_output", "power_meter_measurement"] = Field(
        "current_output", description="the field that gets the noise"
    )
    relative: Annotated[float, Unit("%")] = Field(
        1.0, ge=0, le=1e4, description="standard deviation, as a share of the value"
    )
    absolute: Annotated[float, Unit("kW")] = Field(
        0.0, ge=0, le=1e6, description="additional standard deviation, independent of the value"
    )


class Noise(DeviceFault[NoiseSettings]):
    """Normal deviates, drawn for each reading, added to one of the powers."""

    Settings = NoiseSettings
    kept = ()

    def __init__(self, members: Members[NoiseSettings]) -> None:
        super().__init__(members)
        self._is_output = members.choose(lambda s: s.field == "current_output", bool)
        self._relative = members.columns["relative"] / 100.0
        self._absolute = members.columns["absolute"]

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        member, output = affected.member, self._is_output[affected.member]
        draws, keys = self.members.draws, self.members.keys[member]
        values = np.where(output, affected.current_output, affected.power_meter_measurement)
        # Two independent errors: their variances add up.
        spread = np.hypot(values * self._relative[member], self._absolute[member])
        off = spread * draws.normal("noise", keys, tick.time_ms)
        affected.current_output[output] += off[output]
        affected.power_meter_measurement[~output] += off[~output]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("noise", Noise)
