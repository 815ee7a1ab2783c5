"""The fault `clock_step`: a clock that is set to a wrong time."""

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

_YEARS_S = 25 * 366 * 86_400


class ClockStepSettings(Settings):
    """Settings of the fault `clock_step`."""

    step_s: Annotated[float, Unit("s")] = Field(
        300.0, ge=-_YEARS_S, le=_YEARS_S, description="error of the clock; positive: ahead"
    )


class ClockStep(DeviceFault[ClockStepSettings]):
    """A clock with a constant error."""

    Settings = ClockStepSettings
    kept = ()

    def __init__(self, members: Members[ClockStepSettings]) -> None:
        super().__init__(members)
        self._step_ms = np.rint(members.columns["step_s"] * 1000.0).astype(np.int64)

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        affected.timestamp_ms += self._step_ms[affected.member]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("clock_step", ClockStep)
