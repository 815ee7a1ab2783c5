"""The fault `clock_skew`: a clock that runs too fast or too slow."""

from __future__ import annotations

from typing import Annotated

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
    """Settings of the fault `clock_skew`.

    The default is the frequency error of an ordinary quartz crystal, including temperature and
    ageing: 100 ppm are 8.6 s a day.
    """

    skew: Annotated[float, Unit("ppm")] = Field(
        100.0, ge=-1e6, le=1e6, description="rate error of the clock; positive: too fast"
    )


class ClockSkew(DeviceFault[ClockSkewSettings]):
    """A clock whose error grows linearly until the fault ends and the clock is set."""

    Settings = ClockSkewSettings
    kept = ()

    def __init__(self, members: Members[ClockSkewSettings]) -> None:
        super().__init__(members)
        self._rate = members.columns["skew"] * 1e-6

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        off = self._rate[affected.member] * (tick.time_ms - affected.since_ms)
        affected.timestamp_ms += np.rint(off).astype(np.int64)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("clock_skew", ClockSkew)
