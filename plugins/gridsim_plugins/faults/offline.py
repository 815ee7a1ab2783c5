"""The fault `offline`: a device cannot be reached."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import (
    LOST,
    STORED,
    DeviceFault,
    Floats,
    Members,
    Register,
    Settings,
    Struck,
    Tick,
    hookimpl,
)


class OfflineSettings(Settings):
    readings: Literal["lost", "stored", "flagged"] = Field(
        "lost",
        description="what becomes of the readings: lost; stored, and sent late once the device "
        "is back; or flagged: a gateway sends the last known values with is_online false",
    )
    room: int = Field(
        3600,
        ge=1,
        le=10_000_000,
        description="for stored: how many readings a device keeps; what it takes beyond is lost",
    )


class Offline(DeviceFault):
    """A device loses its connection; `connection_start_at` moves when it is back."""

    Settings = OfflineSettings

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        n = len(members)
        self._readings = members.choose(lambda s: s.readings)
        self._room = members.columns["room"]
        self._since = np.full(n, -1, np.int64)
        self._last: dict[str, Floats] = {
            name: np.zeros(n)
            for name in ("current_output", "power_meter_measurement", "current_soc")
        }

    def strike(self, tick: Tick, struck: Struck) -> None:
        member = struck.member
        readings = self._readings[member]
        fate = np.where((readings == "stored") & (struck.stored < self._room[member]), STORED, LOST)
        unreachable = readings != "flagged"
        struck.leaves[unreachable] = np.maximum(struck.leaves, fate)[unreachable]
        if not unreachable.all():
            self._flag(struck, ~unreachable)

    def _flag(self, struck: Struck, flagged: NDArray[np.bool_]) -> None:
        member = struck.member
        new = flagged & (self._since[member] != struck.since_ms)
        self._since[member[new]] = struck.since_ms[new]
        for name, last in self._last.items():
            column = getattr(struck, name)
            last[member[new]] = column[new]
            column[flagged] = last[member[flagged]]
        struck.is_online[flagged] = False


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("offline", Offline)
