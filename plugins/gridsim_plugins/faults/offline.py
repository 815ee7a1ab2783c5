"""The fault `offline`: a device without a connection."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import (
    LOST,
    STORED,
    AffectedReadings,
    DeviceFault,
    Floats,
    Members,
    Register,
    Settings,
    Tick,
    hookimpl,
)


class OfflineSettings(Settings):
    """Settings of the fault `offline`."""

    readings: Literal["lost", "stored", "flagged"] = Field(
        "lost",
        description="lost: readings are lost; stored: the device stores them and sends them when "
        "it is back; flagged: a gateway sends the last known values with is_online false",
    )
    room: int = Field(
        3600,
        ge=1,
        le=10_000_000,
        description="for stored: number of readings that a device can store; further ones are lost",
    )


class Offline(DeviceFault[OfflineSettings]):
    """Devices without a connection; `connection_start_at` changes when they reconnect."""

    Settings = OfflineSettings
    kept = ("_since", "_last")

    def __init__(self, members: Members[OfflineSettings]) -> None:
        super().__init__(members)
        n = len(members)
        self._readings = members.choose(lambda s: s.readings)
        self._room = members.columns["room"]
        self._since = np.full(n, -1, np.int64)
        self._last: dict[str, Floats] = {
            name: np.zeros(n)
            for name in ("current_output", "power_meter_measurement", "current_soc")
        }

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        member = affected.member
        readings = self._readings[member]
        fate = np.where(
            (readings == "stored") & (affected.stored < self._room[member]), STORED, LOST
        )
        unreachable = readings != "flagged"
        affected.leaves[unreachable] = np.maximum(affected.leaves, fate)[unreachable]
        if not unreachable.all():
            self._flag(affected, ~unreachable)

    def _flag(self, affected: AffectedReadings, flagged: NDArray[np.bool_]) -> None:
        member = affected.member
        new = flagged & (self._since[member] != affected.since_ms)
        self._since[member[new]] = affected.since_ms[new]
        for name, last in self._last.items():
            column = getattr(affected, name)
            last[member[new]] = column[new]
            column[flagged] = last[member[flagged]]
        affected.is_online[flagged] = False


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("offline", Offline)
