"""`[[projects]]` and `[[projects.ders]]`: the settings of the core in them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from gridsim.api import Settings, Unit
from gridsim.config.tables.identifiers import check_visible
from gridsim.config.tables.site import (
    HolidayRules,
    NominalVoltage,
    Phases,
    SynchronousArea,
    Zone,
)

_YEAR_S = 366 * 86_400


class ProjectSettings(Settings):
    """The settings of `[[projects]]`, without `load`, `baseline` and `ders`.

    A field of the location that is None has the value of `[site]`.
    """

    id: str = Field(
        description="the record's project_id; {n} or {n:05} counts the projects of this stanza"
    )
    count: int = Field(1, ge=1, le=1_000_000, description="number of projects of this stanza")
    contract_threshold: Annotated[float, Unit("kW")] = Field(
        0.0, ge=0, description="contracted reduction"
    )
    standalone: bool = Field(
        False, description="true: the project has no contract and is never dispatched"
    )
    latitude: Annotated[float | None, Unit("deg")] = Field(
        None, ge=-90, le=90, description="north positive"
    )
    longitude: Annotated[float | None, Unit("deg")] = Field(
        None, ge=-180, le=180, description="east positive"
    )
    altitude: Annotated[float | None, Unit("m")] = Field(
        None, ge=-500, le=9000, description="above sea level"
    )
    timezone: Zone | None = Field(None, description="IANA name; it sets the local time")
    nominal_voltage: NominalVoltage | None = Field(
        None, description="voltage between a line and the neutral"
    )
    phases: Phases | None = Field(None, description="number of phases of the house connection")
    holidays: HolidayRules | None = Field(
        None, description="public holidays: a country, dates, days of each year"
    )
    feeder_impedance: Annotated[float | None, Unit("ohm")] = Field(
        None, ge=0.0, le=10.0, description="impedance of a line of the feeder"
    )
    main_fuse_a: Annotated[float | None, Unit("A")] = Field(
        None, ge=1.0, le=10_000.0, description="rated current of the main fuse of each line"
    )
    synchronous_area: SynchronousArea | None = Field(
        None, description="grid that the frequency belongs to"
    )


class DerTableSettings(Settings):
    """The settings of `[[projects.ders]]` besides those of its type."""

    id: str = Field(
        description="the record's der_id; {n} counts the DERs of this stanza within the project, "
        "{project_id} is the project's id"
    )
    type: str = Field(description="the DER type's name")
    count: int = Field(
        1, ge=1, le=1_000_000, description="number of DERs of this stanza in each project"
    )
    report_every_s: Annotated[float | None, Unit("s")] = Field(
        None,
        gt=0,
        le=_YEAR_S,
        description="time between two readings, in whole ticks; without it, every tick, or on "
        "change only with report_on_change",
    )
    report_on_change: dict[str, Annotated[float, Field(ge=0)]] | None = Field(
        None,
        min_length=1,
        description="columns, each with the smallest change since the last reading that makes a "
        "new one, in its unit, such as { current_output = 0.1, current_soc = 1.0 }; 0: any change",
    )
    reported_type: str | None = Field(
        None,
        min_length=1,
        description="the record's type; without it, that of the DER type",
    )

    make: str | None = Field(
        None,
        description="manufacturer of the device, as a static attribute of its messages; {n}, "
        "{der_id} and {project_id} are as in id",
    )
    model: str | None = Field(None, description="model of the device, like make")
    serial: str | None = Field(
        None, description='serial number, like make, for example "SN-{der_id}"'
    )
    firmware: str | None = Field(None, description="firmware version, like make")

    @field_validator("reported_type")
    @classmethod
    def _visible(cls, value: str | None) -> str | None:
        if value is not None:
            check_visible(value)
        return value
