"""The settings that say how the file of the load `profile` is read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from gridsim.api import TableSettings, UnitName, check_zone


class ProfileFileSettings(TableSettings):
    """The settings that say how the file is read."""

    power_column: str = Field("kw", min_length=1, description="the column of the load")
    power_unit: UnitName | None = Field(
        None,
        description="the unit of the load: W, kW, MW, or an energy per interval such as kWh; or a "
        "factor to kW. Unset: as the column's header states, otherwise kW",
    )
    timezone: str | None = Field(
        None,
        description="IANA time zone of times without an offset; unset: the clock of each site. In "
        "the hour that the clock repeats, times are of the first pass until they go back",
    )
    stamp: Literal["start", "middle", "end"] | None = Field(
        None,
        description="start or end: each value is the mean over the interval that starts or ends "
        "at its time; unset or middle: the load is linear between the values, or for an energy "
        "start (end if a time is 24:00)",
    )
    repeat: Literal["none", "day", "week", "year"] | None = Field(
        None,
        description="repeat the day, the week or the year of the file; unset: if the file is that "
        "long, otherwise none: the load then ends with the file. In a year that repeats, 29 "
        "February is like the 28th",
    )
    _zone = field_validator("timezone")(check_zone)
