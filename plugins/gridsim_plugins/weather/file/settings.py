"""The settings of the weather `file`."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from gridsim.api import LocalPath, Settings, Unit


class WeatherFileSettings(Settings):
    """Settings of the weather `file`."""

    path: LocalPath = Field(
        min_length=1,
        description="file with the weather, relative to the folder of the configuration",
    )
    format: Literal["csv", "epw", "tmy3"] | None = Field(
        None,
        description="format of the file: CSV with the columns below, EnergyPlus weather, or TMY3; "
        "epw and tmy3 need the extra `weather`; unset: epw for *.epw, otherwise csv",
    )
    latitude: Annotated[float | None, Unit("deg")] = Field(
        None, ge=-90.0, le=90.0, description="CSV: latitude of the station, north positive"
    )
    longitude: Annotated[float | None, Unit("deg")] = Field(
        None, ge=-180.0, le=180.0, description="CSV: longitude of the station, east positive"
    )
    timezone: str = Field("UTC", description="CSV: IANA time zone of times without an offset")
    typical_year: bool | None = Field(
        None,
        description="true: the year repeats; unset: true for EPW, TMY3, and a CSV of one whole "
        "year; false: the weather ends with the file",
    )
    time_column: str = Field("time", description="CSV: start time of each row")
    ghi_column: str = Field("ghi", description="CSV: global horizontal irradiance, W/m2")
    dni_column: str = Field(
        "dni",
        description="CSV: direct normal irradiance, W/m2; needed, with dhi, if there is no ghi",
    )
    dhi_column: str = Field(
        "dhi",
        description="CSV: diffuse horizontal irradiance, W/m2; without it and dni, it is "
        "derived from ghi (Erbs 1982)",
    )
    temperature_column: str = Field(
        "temperature", description="CSV: air temperature, degrees Celsius"
    )
    wind_column: str = Field(
        "wind", description="CSV: wind speed at 10 m, m/s; without the column, 2 m/s"
    )

    @property
    def kind(self) -> Literal["csv", "epw", "tmy3"]:
        """The format of the file."""
        return self.format or ("epw" if self.path.lower().endswith(".epw") else "csv")

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"there is no time zone {zone!r}") from None
        return zone

    @model_validator(mode="after")
    def _a_csv_has_a_place(self) -> Self:
        if self.kind == "csv" and (self.latitude is None or self.longitude is None):
            raise ValueError("a CSV needs the latitude and longitude of its station")
        return self
