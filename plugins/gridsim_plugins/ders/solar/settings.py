"""The settings of the DER type `solar`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from gridsim.api import CurtailableSettings, GridSupportSettings, Settings, Unit

Azimuth = Annotated[
    float | None,
    Unit("deg"),
    Field(
        ge=0.0,
        le=360.0,
        description="direction that the array faces, clockwise from north; "
        "unset: towards the equator",
    ),
]
_MONTHS = 12


class ArraySettings(Settings):
    """One of several arrays behind an inverter."""

    tilt: Annotated[float, Unit("deg")] = Field(
        30.0, ge=0.0, le=90.0, description="slope of the array; 0 is flat"
    )
    azimuth: Azimuth = None
    capacity_kw: Annotated[float, Unit("kW")] = Field(
        gt=0.0, le=1e9, description="rated DC power of the array"
    )


class SolarSettings(CurtailableSettings, GridSupportSettings):
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
    arrays: tuple[ArraySettings, ...] = Field(
        (),
        description="arrays behind the inverter, instead of tilt, azimuth and dc_ac_ratio: "
        "[{ tilt = 30, azimuth = 90, capacity_kw = 3 }, ...]; each has its own tracker",
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
    sky_model: Literal["perez", "hay_davies", "isotropic"] = Field(
        "perez",
        description="origin of the diffuse light: around the sun, the dome and the horizon "
        "(Perez, in the continuous form of Driesse 2024); around the sun and the dome (Hay and "
        "Davies); or uniform over the sky",
    )
    iam: Literal["physical", "ashrae", "none"] = Field(
        "physical",
        description="incidence-angle modifier of the direct light: reflection and absorption of "
        "glass, the formula of ASHRAE with b = 0.05, or none",
    )
    diffuse_iam: bool = Field(
        False,
        description="true: the glass reflects diffuse light, too, by the mean of iam over the sky "
        "and over the ground that the plane sees (Marion 2017), 1.4 to 2.4 % of a year; PVWatts 5 "
        "and pvlib's ModelChain do without",
    )
    horizon: tuple[tuple[float, float], ...] = Field(
        (),
        description="profile of hills and buildings: [[azimuth, elevation], ...] in degrees, "
        "linear in between; it hides the sun and its part of the sky; unset: flat",
    )
    snowfall: tuple[Annotated[float, Field(ge=0.0, le=1000.0)], ...] | Literal["weather"] = Field(
        (),
        description='"weather": the snow of the weather covers the modules from 1 cm in a day on, '
        "in air below 1.5 degrees, until it slides off (Marion 2013); or the cm that fall in each "
        "month, January to December, on days that are drawn, 5 cm each; unset: no snow",
    )
    soiling_rate: Annotated[float, Unit("%/day")] = Field(
        0.0,
        ge=0.0,
        le=5.0,
        description="loss by dirt per dry day, at most 30 % (Kimber 2006: 0.1 to 0.3)",
    )
    rain_days: Annotated[float | None, Unit("1")] = Field(
        None,
        ge=0.0,
        le=31.0,
        description="days a month, drawn, with rain that removes the dirt; unset: days with 6 mm "
        "of the rain of the weather, or 10 drawn ones under a weather without rain",
    )
    module_scatter: Annotated[float, Unit("%")] = Field(
        0.0,
        ge=0.0,
        le=20.0,
        description="standard deviation of the power of single modules: arrays then differ, and "
        "lose by mismatch (Bucciarelli 1979)",
    )

    @model_validator(mode="after")
    def _one_description_of_the_arrays(self) -> Self:
        for name in ("tilt", "azimuth", "dc_ac_ratio"):
            if self.arrays and name in self.model_fields_set:
                raise ValueError(f"{name}: must be left out, because each of 'arrays' has its own")
        return self

    @field_validator("horizon")
    @classmethod
    def _profile_is_one(
        cls, given: tuple[tuple[float, float], ...]
    ) -> tuple[tuple[float, float], ...]:
        for azimuth, elevation in given:
            if not 0.0 <= azimuth <= 360.0:
                raise ValueError(f"has the azimuth {azimuth:g}, which must be from 0 to 360")
            if not 0.0 <= elevation <= 90.0:
                raise ValueError(f"has the elevation {elevation:g}, which must be from 0 to 90")
        if len({azimuth for azimuth, _ in given}) < len(given):
            raise ValueError("has an azimuth twice")
        return given

    @field_validator("snowfall")
    @classmethod
    def _a_value_for_each_month(
        cls, given: tuple[float, ...] | Literal["weather"]
    ) -> tuple[float, ...] | Literal["weather"]:
        if given != "weather" and len(given) not in (0, _MONTHS):
            raise ValueError(f"must have 12 values, one for each month, and has {len(given)}")
        return given
