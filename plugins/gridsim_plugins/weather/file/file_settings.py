"""The settings that say how the file of the weather `file` is read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from gridsim.api import LocalPath, TableSettings, Unit, UnitName, check_zone

Format = Literal["csv", "epw", "tmy3"]


class StationFileSettings(TableSettings):
    """The settings that say how the file is read."""

    path: LocalPath = Field(
        min_length=1,
        description="file with the weather, relative to the folder of the configuration",
    )
    format: Format | None = Field(
        None,
        description="format of the file: epw (EnergyPlus), tmy3, or csv: a table with the columns "
        "below, from Open-Meteo, PVGIS, NSRDB or elsewhere; unset: recognised",
    )
    latitude: Annotated[float | None, Unit("deg")] = Field(
        None,
        ge=-90.0,
        le=90.0,
        description="latitude of the station, north positive; unset: as the file states",
    )
    longitude: Annotated[float | None, Unit("deg")] = Field(
        None,
        ge=-180.0,
        le=180.0,
        description="longitude of the station, east positive; unset: as the file states",
    )
    timezone: str | None = Field(
        None,
        description="IANA time zone of times without an offset, with its summer time; unset: as "
        "the file states, otherwise UTC",
    )
    typical_year: bool | None = Field(
        None,
        description="true: the year repeats; unset: true for one whole year; false: the weather "
        "ends with the file. In a year that repeats, 29 February is like the 28th",
    )
    stamp: Literal["start", "middle", "end"] | None = Field(
        None,
        description="the part of a row's interval that its time means; unset: end for EPW, TMY3, "
        "Open-Meteo and where a time is 24:00, otherwise start",
    )
    units: dict[Literal["ghi", "dni", "dhi", "temperature", "wind"], UnitName] = Field(
        {},
        description='units of columns, such as { wind = "km/h", ghi = "kW/m2" }, or factors; '
        "unset: as the column's header states, otherwise W/m2, degrees Celsius and m/s",
    )
    ghi_column: str = Field("ghi", min_length=1, description="global horizontal irradiance, W/m2")
    dni_column: str = Field(
        "dni",
        min_length=1,
        description="direct normal irradiance, W/m2; needed, with dhi, if there is no ghi",
    )
    dhi_column: str = Field(
        "dhi",
        min_length=1,
        description="diffuse horizontal irradiance, W/m2; without it and dni, it is derived from "
        "ghi (Erbs 1982)",
    )
    temperature_column: str = Field(
        "temperature", min_length=1, description="air temperature, degrees Celsius"
    )
    wind_column: str = Field(
        "wind", min_length=1, description="wind speed at 10 m, m/s; without the column, 2 m/s"
    )

    _zone = field_validator("timezone")(check_zone)
