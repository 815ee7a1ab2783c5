"""The fault `clock_skew`: a clock that goes too fast or too slow."""

from __future__ import annotations

from typing import Annotated, Any

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


class ClockSkewSettings(Settings):
    """The default is a plain quartz crystal's frequency error, temperature and ageing
    included: 100 ppm are 8.6 s a day."""

    skew: Annotated[float, Unit("ppm")] = Field(
        100.0, ge=-1e6, le=1e6, description="by how much too fast; negative: too slow"
    )


class ClockSkew(DeviceFault):
    """The timestamp runs away from the true time, until the fault ends and the clock is set."""

    Settings = ClockSkewSettings

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        self._rate = members.columns["skew"] * 1e-6

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        off = self._rate[affected.member] * (tick.time_ms - affected.since_ms)
        affected.timestamp_ms += np.rint(off).astype(np.int64)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("clock_skew", ClockSkew)
