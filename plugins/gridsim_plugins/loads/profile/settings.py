"""The settings of the load `profile`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator

from gridsim.api import RunPeriod, TableSettings, Unit, UnitName, check_zone
from gridsim_plugins.loads.profile.reading import read_profile


class ProfileSettings(TableSettings):
    """Settings of the load `profile`."""

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
    scale: Annotated[float, Unit("1")] = Field(
        1.0, ge=0.0, description="factor on the load; may be a distribution over sites"
    )

    _zone = field_validator("timezone")(check_zone)

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield the problem of the file, if it cannot be read or does not cover the run."""
        try:
            series, _ = read_profile(self)
            if period is not None:
                series.on_clock(period.timezone).require(period)
        except ValueError as error:
            yield "path", f"cannot be used: {error}"
