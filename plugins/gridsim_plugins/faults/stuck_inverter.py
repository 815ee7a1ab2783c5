"""The fault `stuck_inverter`: the reported output of a device does not change."""

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


class StuckInverterSettings(Settings):
    """Settings of the fault `stuck_inverter`."""

    at: Annotated[float | None, Unit("kW")] = Field(
        None,
        ge=-1e6,
        le=1e6,
        description="the reported value; unset: the value at the start of the fault",
    )


class StuckInverter(DeviceFault[StuckInverterSettings]):
    """Devices that repeat one `current_output`; the state of charge stays correct."""

    Settings = StuckInverterSettings
    kept = ("_since", "_held")

    def __init__(self, members: Members[StuckInverterSettings]) -> None:
        super().__init__(members)
        self._at = members.columns["at"]
        self._since = np.full(len(members), -1, np.int64)
        self._held = np.zeros(len(members))

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        member = affected.member
        new = self._since[member] != affected.since_ms
        at = self._at[member[new]]
        self._since[member[new]] = affected.since_ms[new]
        self._held[member[new]] = np.where(np.isnan(at), affected.current_output[new], at)
        affected.current_output[:] = self._held[member]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("stuck_inverter", StuckInverter)
