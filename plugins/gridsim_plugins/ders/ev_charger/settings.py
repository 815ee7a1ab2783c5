"""The settings of the DER type `ev_charger`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from gridsim.api import DerSettings, Unit
from gridsim.helpers import windows


class EvChargerSettings(DerSettings):
    """Settings of the DER type `ev_charger`; `nameplate_capacity` limits the AC power."""

    sessions_per_day: Annotated[float, Unit("1/d")] = Field(
        0.58,
        ge=0.0,
        le=0.8,
        description="mean number of sessions per day; weekends are like weekdays",
    )
    battery_capacity_kwh: Annotated[float, Unit("kWh")] = Field(
        60.0, gt=0.0, description="energy capacity of the car's battery"
    )
    onboard_limit: Annotated[float, Unit("kW")] = Field(
        11.0, gt=0.0, description="maximum AC power of the car's onboard charger"
    )
    target_soc: Annotated[float, Unit("%")] = Field(
        100.0, gt=10.0, le=100.0, description="state of charge at which charging ends"
    )
    efficiency: Annotated[float, Unit("%")] = Field(
        90.0,
        ge=50.0,
        le=100.0,
        description="one-way efficiency between the meter and the car's battery",
    )
    volts: Annotated[float, Unit("V")] = Field(
        240.0, gt=0.0, description="voltage of a phase, converts pilot current to power"
    )
    phases: Annotated[int, Unit("1")] = Field(1, ge=1, le=3, description="number of phases")
    managed: bool = Field(
        True,
        description="true: events and its site's setpoint dispatch it, too; needed for the "
        "strategy smart and for v2g. Commands to the charger itself work either way",
    )
    strategy: Literal["immediate", "smart"] = Field(
        "immediate",
        description="behaviour without a setpoint: charge on arrival; or charge in the cheap "
        "windows, and outside of them as late as makes the car ready at its departure",
    )
    cheap_windows: tuple[str, ...] = Field(
        ("22:00-06:00",), description="for smart: windows in local time of the site, HH:MM-HH:MM"
    )
    v2g: bool = Field(
        False,
        description="vehicle-to-grid: a positive setpoint discharges the car; without a setpoint "
        "it never discharges",
    )
    min_soc: Annotated[float, Unit("%")] = Field(
        30.0, ge=0.0, le=100.0, description="for v2g: minimum state of charge when discharging"
    )
    min_soc_at_departure: Annotated[float, Unit("%")] = Field(
        80.0,
        ge=0.0,
        le=100.0,
        description="for v2g: minimum state of charge at departure; discharging stops, and "
        "charging begins regardless of the setpoint, in time to reach it",
    )

    @field_validator("cheap_windows")
    @classmethod
    def _windows_are_times(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for window in given:
            windows.parse_window(window)
        return given

    @model_validator(mode="after")
    def _management_is_on_where_needed(self) -> Self:
        for name, used in (("strategy smart", self.strategy == "smart"), ("v2g", self.v2g)):
            if used and not self.managed:
                raise ValueError(f"{name} needs managed = true")
        return self
