"""`[site]`: the location of projects that do not have their own."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from gridsim.api import Settings, Unit
from gridsim.helpers import holidays


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError("must be the name of a time zone, such as Europe/Berlin or UTC") from None
    return name


# Of the names in gridsim.helpers.synchronous_areas; a test compares them.
SynchronousArea = Literal[
    "continental-europe",
    "great-britain",
    "ireland",
    "nordic",
    "eastern-interconnection",
    "western-interconnection",
    "texas",
    "quebec",
    "other-50",
    "other-60",
]


def _as_text(given: Any) -> Any:
    """Return a date of TOML, which needs no quotes, as text."""
    return given.isoformat() if type(given) is date else given


def _known_rule(rule: str) -> str:
    holidays.check_rule(rule)
    return rule


NominalVoltage = Annotated[float, Unit("V"), Field(ge=90.0, le=300.0)]
Phases = Annotated[int, Unit("1"), Field(ge=1, le=3)]
HolidayRules = list[Annotated[str, BeforeValidator(_as_text), AfterValidator(_known_rule)]]
Zone = Annotated[str, AfterValidator(_known_zone)]


class SiteSettings(Settings):
    """The settings of `[site]`: the location of projects that do not have their own."""

    latitude: Annotated[float, Unit("deg")] = Field(
        45.96, ge=-90, le=90, description="north positive"
    )
    longitude: Annotated[float, Unit("deg")] = Field(
        -66.64, ge=-180, le=180, description="east positive"
    )
    altitude: Annotated[float | None, Unit("m")] = Field(
        None,
        ge=-500,
        le=9000,
        description="above sea level; unset: the usual height of the inhabited land at the place",
    )
    timezone: Zone = Field("America/Moncton", description="IANA name; it sets the local time")
    nominal_voltage: NominalVoltage | None = Field(
        None,
        description="voltage between a line and the neutral; unset: that of the time zone's "
        "country, such as 120, 230 or 100",
    )
    phases: Phases | None = Field(
        None,
        description="number of phases of the house connection; unset: the usual number in the time "
        "zone's country, such as 1 in America/New_York and 3 in Europe/Berlin",
    )
    synchronous_area: SynchronousArea | None = Field(
        None,
        description="grid that the frequency belongs to; unset: that of the time zone, such as "
        "continental-europe in Europe/Berlin. other-50 and other-60 are grids elsewhere, of 50 and "
        "60 Hz",
    )
    feeder_impedance: Annotated[float | None, Unit("ohm")] = Field(
        None,
        ge=0.0,
        le=10.0,
        description="impedance of a line from the stiff part of the grid to the site, which the "
        "voltage drops over; unset: drawn for each site, median 0.15, 90 % below the reference of "
        "IEC 60725 (0.28), and at most 5 % of the voltage at the rated power of the DERs",
    )
    holidays: HolidayRules = Field(
        default_factory=list,
        description="public holidays, on which homes, shared chargers and the baseline like_days "
        "do as on a Sunday: a country (" + ", ".join(holidays.COUNTRIES) + "), for regions more "
        'days: 2026-12-24, each year 12-24, "05-25 monday" (the first from a day on), easter+60',
    )
    main_fuse_a: Annotated[float | None, Unit("A")] = Field(
        None,
        ge=1.0,
        le=10_000.0,
        description="rated current of the main fuse of each line; a larger current is logged and "
        "counted, and nothing is switched off; unset: there is no fuse",
    )
    meter_class: Literal["0.2", "0.5", "1", "2", "A", "B", "C"] | None = Field(
        None,
        description="accuracy class of the meters of all DERs and sites: their readings have the "
        "errors that it allows, as by the fault meter_class; unset: readings are exact",
    )
