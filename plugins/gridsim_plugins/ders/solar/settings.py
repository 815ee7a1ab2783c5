"""The settings of the DER type `solar`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gridsim.api import CurtailableSettings, Unit


class SolarSettings(CurtailableSettings):
    """Settings of the DER type `solar`; `nameplate_capacity` is the AC rating of the inverter."""

    tilt: Annotated[float, Unit("deg")] = Field(
        30.0, ge=0.0, le=90.0, description="slope of the array; 0 is flat"
    )
    azimuth: Annotated[float | None, Unit("deg")] = Field(
        None,
        ge=0.0,
        le=360.0,
        description="direction that the array faces, clockwise from north; "
        "unset: towards the equator",
    )
    dc_ac_ratio: Annotated[float, Unit("1")] = Field(
        1.2,
        gt=0.0,
        le=3.0,
        description="rated DC power over rated AC power; above 1 the inverter clips",
    )
    system_losses: Annotated[float | None, Unit("%")] = Field(
        None,
        ge=0.0,
        le=99.0,
        description="soiling, shading, mismatch, wiring and ageing together; unset: drawn for each "
        "array, 11.08 to 17.08 (PVWatts: 14.08)",
    )
    temperature_coefficient: Annotated[float, Unit("%/K")] = Field(
        -0.37, ge=-1.0, le=0.0, description="change of DC power per K above 25 degrees"
    )
    inverter_efficiency: Annotated[float, Unit("%")] = Field(
        96.0, ge=80.0, le=99.5, description="nominal efficiency of the inverter (PVWatts)"
    )
    albedo: Annotated[float, Unit("1")] = Field(
        0.2, ge=0.0, le=1.0, description="share of the irradiance that the ground reflects"
    )
