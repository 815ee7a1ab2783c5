"""The settings of the DER type `ev_charger`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from gridsim.api import DerSettings, Unit, windows


class EvChargerSettings(DerSettings):
    """Settings of the DER type `ev_charger`; `nameplate_capacity` limits the AC power."""

    sessions_per_day: Annotated[float, Unit("1/d")] = Field(
        0.58,
        ge=0.0,
        le=0.8,
        description="how often a car is plugged in, on average; weekends are as weekdays",
    )
    battery_capacity_kwh: Annotated[float, Unit("kWh")] = Field(
        60.0, gt=0.0, description="the car's battery"
    )
    onboard_limit: Annotated[float, Unit("kW")] = Field(
        11.0, gt=0.0, description="most AC power that the car's own charger takes"
    )
    target_soc: Annotated[float, Unit("%")] = Field(
        100.0, gt=10.0, le=100.0, description="state of charge at which the car is done"
    )
    efficiency: Annotated[float, Unit("%")] = Field(
        90.0, ge=50.0, le=100.0, description="between the meter and the car's battery, one way"
    )
    volts: Annotated[float, Unit("V")] = Field(
        240.0, gt=0.0, description="voltage of a phase, for the pilot's amperes"
    )
    phases: Annotated[int, Unit("1")] = Field(1, ge=1, le=3, description="number of phases")
    managed: bool = Field(
        False,
        description="whether the charger tells what it can do and takes setpoints each tick; "
        "needed for the strategy smart and for v2g",
    )
    strategy: Literal["immediate", "smart"] = Field(
        "immediate",
        description="without a setpoint: charge on arrival; or charge in the cheap windows only, "
        "and outside of them as late as still makes the car ready at its departure",
    )
    cheap_windows: tuple[str, ...] = Field(
        ("22:00-06:00",), description="for smart, by the site's clock: HH:MM-HH:MM"
    )
    v2g: bool = Field(
        False,
        description="vehicle-to-grid: whether a positive setpoint discharges the car; "
        "it never feeds back of its own accord",
    )
    min_soc: Annotated[float, Unit("%")] = Field(
        30.0, ge=0.0, le=100.0, description="for v2g: the car is never discharged below"
    )
    min_soc_at_departure: Annotated[float, Unit("%")] = Field(
        80.0,
        ge=0.0,
        le=100.0,
        description="for v2g: discharging stops while the car can still be charged back to this "
        "by its departure, and charging then begins whatever the setpoint says",
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
