"""The settings of the weather `file`."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from gridsim.api import Settings, Unit


class WeatherFileSettings(Settings):
    """Settings of the weather `file`."""

    path: str = Field(
        min_length=1, description="the file with the weather, relative to the working folder"
    )
    format: Literal["csv", "epw", "tmy3"] | None = Field(
        None,
        description="what the file is: CSV with the columns below, EnergyPlus weather, or TMY3; "
        "the latter two need the extra `weather`; unset: epw for *.epw, else csv",
    )
    latitude: Annotated[float | None, Unit("deg")] = Field(
        None, ge=-90.0, le=90.0, description="where a CSV was measured, north positive"
    )
    longitude: Annotated[float | None, Unit("deg")] = Field(
        None, ge=-180.0, le=180.0, description="where a CSV was measured, east positive"
    )
    timezone: str = Field("UTC", description="IANA zone of times in a CSV that have no offset")
    typical_year: bool | None = Field(
        None,
        description="whether the same year comes again and again; unset: EPW, TMY3, and a CSV "
        "of one whole year do; otherwise the weather ends with the file",
    )
    time_column: str = Field("time", description="CSV: the start of the time a row stands for")
    ghi_column: str = Field("ghi", description="CSV: global horizontal irradiance, W/m2")
    dni_column: str = Field(
        "dni", description="CSV: direct normal irradiance, W/m2; with dhi instead of ghi"
    )
    dhi_column: str = Field(
        "dhi",
        description="CSV: diffuse horizontal irradiance, W/m2; if neither it nor dni is there, "
        "it follows from ghi (Erbs 1982)",
    )
    temperature_column: str = Field(
        "temperature", description="CSV: air temperature, degrees Celsius"
    )
    wind_column: str = Field(
        "wind", description="CSV: wind speed at 10 m, m/s; if it is not there, 2 m/s"
    )

    @property
    def kind(self) -> Literal["csv", "epw", "tmy3"]:
        """What the file is."""
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
            raise ValueError("a CSV needs latitude and longitude of where it was measured")
        return self
