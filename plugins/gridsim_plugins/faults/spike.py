"""The fault `spike`: single readings with a large error."""

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

_SIGNS = {"up": 0.0, "down": 1.0, "either": 0.5}


class SpikeSettings(Settings):
    """Settings of the fault `spike`."""

    field: Literal["current_output", "power_meter_measurement"] = Field(
        "current_output", description="the field that gets the spikes"
    )
    height: Annotated[float, Unit("kW")] = Field(
        50.0, gt=0, le=1e6, description="error of an affected reading"
    )
    direction: Literal["up", "down", "either"] = Field(
        "either", description="direction of the error; either: drawn for each reading"
    )


class Spike(DeviceFault[SpikeSettings]):
    """Readings with a large error. `probability = 0.001` affects one in a thousand."""

    Settings = SpikeSettings
    kept = ()

    def __init__(self, members: Members[SpikeSettings]) -> None:
        super().__init__(members)
        self._is_output = members.choose(lambda s: s.field == "current_output", bool)
        self._downward = members.choose(lambda s: _SIGNS[s.direction], np.float64)
        self._height = members.columns["height"]

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        member, output = affected.member, self._is_output[affected.member]
        u = self.members.draws.uniform("spike.sign", self.members.keys[member], tick.time_ms)
        off = np.where(u < self._downward[member], -1.0, 1.0) * self._height[member]
        affected.current_output[output] += off[output]
        affected.power_meter_measurement[~output] += off[~output]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("spike", Spike)
