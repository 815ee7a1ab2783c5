"""The settings of the DER type `heat_pump`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gridsim.api import DerSettings, Unit


class HeatPumpSettings(DerSettings):
    """Settings of the DER type `heat_pump`; `nameplate_capacity` is the most electric power.

    The defaults are a house of 140 m2 from about the year 2000.
    """

    heat_loss: Annotated[float, Unit("W/K")] = Field(
        150.0,
        gt=1.0,
        description="heat that the building loses per K between inside and outside, by walls "
        "and air",
    )
    heat_capacity: Annotated[float, Unit("kWh/K")] = Field(
        6.4,
        gt=0.05,
        description="of the building; ISO 13790 gives 165 kJ/K per m2 of floor for a medium one",
    )
    internal_gains: Annotated[float, Unit("W")] = Field(
        400.0, ge=0.0, description="heat of people and appliances; TABULA takes 3 W per m2"
    )
    solar_aperture: Annotated[float, Unit("m2")] = Field(
        3.0,
        ge=0.0,
        description="area that gathers the horizontal irradiance as the windows do: glass, "
        "shade and orientation taken off",
    )
    room_temperature: Annotated[float, Unit("degC")] = Field(
        20.0, ge=5.0, le=28.0, description="setpoint for heating"
    )
    cooling_temperature: Annotated[float | None, Unit("degC")] = Field(
        None,
        ge=18.0,
        le=35.0,
        description="setpoint for cooling, at least 3 K above that for heating; unset: no cooling",
    )
    deadband: Annotated[float, Unit("K")] = Field(
        1.0, ge=0.1, le=3.0, description="between switching on and off, about the setpoint"
    )
    comfort_band: Annotated[float, Unit("K")] = Field(
        1.5,
        ge=0.0,
        le=5.0,
        description="how far from the setpoint the room may get, either way, under a setpoint "
        "of power",
    )
    min_modulation: Annotated[float, Unit("%")] = Field(
        25.0,
        ge=0.0,
        le=100.0,
        description="least power at which the compressor runs, of the nameplate; 100 for a "
        "machine that only switches on and off",
    )
    emitter: Literal["radiator", "floor"] = Field(
        "radiator",
        description="heating curve: flow of 40 degC at 0 degC outdoors and 1 K more per K "
        "colder, or 30 degC and 0.5 K",
    )
    cop_factor: Annotated[float, Unit("1")] = Field(
        0.85,
        ge=0.3,
        le=1.2,
        description="efficiency as installed over the manufacturers' (Ruhnau et al. 2019: 0.85)",
    )
    managed: bool = Field(
        False, description="whether events and commands may dispatch it within its comfort band"
    )

    @model_validator(mode="after")
    def _setpoints_are_apart(self) -> Self:
        cooling = self.cooling_temperature
        if cooling is not None and cooling < self.room_temperature + 3.0:
            raise ValueError("cooling_temperature must be at least 3 K above room_temperature")
        return self
