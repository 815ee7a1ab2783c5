"""The DER type `newname`: a device that draws its rated power in a window of the day.

Replace the model in `_wanted_kw` and the settings by your own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from gridsim.api import (
    DerSettings,
    Device,
    DeviceCapability,
    DeviceReading,
    DeviceTick,
    Register,
    Unit,
    hookimpl,
)
from pydantic import Field


class NewNameSettings(DerSettings):
    """Settings of the DER type; it has `nameplate_capacity` already."""

    starts_at: Annotated[float, Unit("h")] = Field(
        8.0, ge=0, lt=24, description="hour at which it starts, by the local time of the site"
    )
    runs_for: Annotated[float, Unit("h")] = Field(
        10.0, ge=0, le=24, description="hours for which it then runs"
    )


class NewName(Device[NewNameSettings]):
    """Devices that draw their rated power in a window of the day.

    They take part in events and follow commands, because they define `capability`.
    """

    Settings = NewNameSettings
    consumes = True
    columns: ClassVar[Mapping[str, str]] = {"energy": "kWh"}

    def __init__(self, settings: NewNameSettings) -> None:
        super().__init__(settings)
        # An attribute is part of a checkpoint.
        self.energy_kwh = 0.0

    def capability(self, tick: DeviceTick) -> DeviceCapability:
        rated = self.settings.nameplate_capacity
        return DeviceCapability(min_kw=-rated, max_kw=0.0, preferred_kw=-self._wanted_kw(tick))

    def step(self, tick: DeviceTick) -> DeviceReading:
        # Positive feeds the site, negative draws from it.
        kw = -self._wanted_kw(tick) if tick.setpoint_kw is None else tick.setpoint_kw
        kw = min(max(kw, -self.settings.nameplate_capacity, tick.min_kw), tick.max_kw, 0.0)
        self.energy_kwh -= kw * tick.dt_s / 3600
        return DeviceReading(kw, extra={"energy": self.energy_kwh})

    def _wanted_kw(self, tick: DeviceTick) -> float:
        """Return the power that the device draws if nothing limits it."""
        now = tick.local_time
        hours = now.hour + now.minute / 60 - self.settings.starts_at
        return self.settings.nameplate_capacity if hours % 24 < self.settings.runs_for else 0.0


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("newname", NewName)
