"""The settings of the core's tables, and the resolved configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, field_validator

from gridsim.api import Format, Framing, Settings, Source, Transport, Unit
from gridsim.config.tables.ledger import LedgerSettings
from gridsim.config.text.locate import KeyPath
from gridsim.simulation.scenario import OnError, Scenario

TransportType = type[Transport]
FormatType = type[Format]
OnFull = Literal["drop_oldest", "drop_newest", "block"]

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)
_YEAR_S = 366 * 86_400


class SimulationSettings(Settings):
    """The settings of `[simulation]`."""

    seed: int = Field(
        42,
        ge=0,
        le=2**63 - 1,
        description="seed of all random numbers; the same seed gives the same run",
    )
    tick_s: Annotated[float, Unit("s")] = Field(
        1.0, gt=0, le=86_400, description="simulated time between two readings"
    )
    speed: float = Field(
        1.0,
        ge=0,
        le=1e6,
        description="1 is real time, 60 is a minute per second, 0 is as fast as possible",
    )
    start: str = Field(
        "now",
        description='simulated start: "now", or a time such as 2026-07-01T00:00:00-03:00',
    )
    plugins: list[str] = Field(
        default_factory=list,
        description="files or folders with your own plugins, relative to this file",
    )
    scenarios: list[str] = Field(
        default_factory=list,
        description="files with further [[events]] and [[faults]], relative to this file",
    )
    on_error: OnError = Field(
        "stop",
        description="reaction to a DER plugin that fails: stop ends the run, skip_fleet disables "
        "its devices and continues",
    )
    hang_timeout_s: Annotated[float, Unit("s")] = Field(
        10.0, gt=0, le=_YEAR_S, description="a plugin that does not return within this ends the run"
    )
    summary_every_s: Annotated[float, Unit("s")] = Field(
        5.0, gt=0, le=_YEAR_S, description="time between two summary lines"
    )

    @field_validator("tick_s")
    @classmethod
    def _whole_milliseconds(cls, value: float) -> float:
        if value * 1000 < 1 or abs(value * 1000 - round(value * 1000)) > 1e-6:
            raise ValueError("must be a whole number of milliseconds, at least 0.001")
        return value

    @field_validator("speed")
    @classmethod
    def _not_too_slow(cls, value: float) -> float:
        if 0 < value < 1e-3:
            raise ValueError("must be 0 or at least 0.001")
        return value

    @field_validator("start")
    @classmethod
    def _known_time(cls, value: str) -> str:
        start_ms(value, 0)
        return value


def start_ms(start: str, now_ms: int) -> int:
    """Parse `simulation.start` to ms since 1970, UTC. Raises ValueError."""
    if start == "now":
        return now_ms
    match = _TIME.fullmatch(start)
    if match is None:
        raise ValueError('must be "now" or a time such as 2026-07-01T00:00:00-03:00')
    if match[3] is None:
        raise ValueError("has no offset from UTC: add Z, or an offset such as -03:00")
    try:
        time = datetime.fromisoformat(start.upper())
    except ValueError as error:
        raise ValueError(f"is not a valid time: {error}") from None
    if not _EPOCH <= time < _LAST:
        raise ValueError("must be from 1970 to 2199")
    return (time - _EPOCH) // timedelta(milliseconds=1)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError("must be the name of a time zone, such as Europe/Berlin or UTC") from None
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]


class SiteSettings(Settings):
    """The settings of `[site]`: the place of projects without a place of their own."""

    latitude: Annotated[float, Unit("deg")] = Field(
        45.96, ge=-90, le=90, description="north positive"
    )
    longitude: Annotated[float, Unit("deg")] = Field(
        -66.64, ge=-180, le=180, description="east positive"
    )
    altitude: Annotated[float, Unit("m")] = Field(
        20.0, ge=-500, le=9000, description="above sea level"
    )
    timezone: Zone = Field("America/Moncton", description="IANA name; it sets the local time")


class ProjectSettings(Settings):
    """The settings of `[[projects]]`, without `load`, `baseline` and `ders`.

    A field of the place that is None has the value of `[site]`.
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
        description="time between two readings, in whole ticks; without it, every tick",
    )
    reported_type: str | None = Field(
        None,
        min_length=1,
        description="the record's type; without it, that of the DER type",
    )


class DeliverySettings(Settings):
    """The settings of `[[transports]]` for every transport."""

    startup: Literal["fail", "retry"] = Field(
        "fail",
        description="reaction to a failed first connection: fail ends the run, retry keeps trying",
    )
    on_full: OnFull | None = Field(
        None,
        description="rule for a full queue; without it, drop_oldest in real time and block "
        "at speed 0",
    )
    queue_mb: Annotated[float, Unit("MB")] = Field(
        64.0, gt=0, le=1e6, description="maximum size of the queue"
    )
    stall_timeout_s: Annotated[float, Unit("s")] = Field(
        30.0,
        gt=0,
        le=_YEAR_S,
        description="a transport that blocks the run for longer fails",
    )


class TransportTableSettings(DeliverySettings):
    """The delivery settings, and the framing of readings into messages."""

    framing: Framing | None = Field(
        None,
        description="der: a message per DER; project: a message per project, an array of its DERs",
    )


@dataclass(frozen=True, slots=True)
class TransportChoice:
    """One of `[[transports]]`."""

    name: str
    """The type; the second of a type has `#2` added, the third `#3`."""
    type: TransportType
    settings: Any
    format_name: str
    format_type: FormatType
    format_settings: Any
    framing: Framing
    delivery: DeliverySettings
    key_path: KeyPath


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """One of `[[sources]]`."""

    name: str
    """The type; the second of a type has `#2` added, the third `#3`."""
    type: type[Source]
    settings: Any
    key_path: KeyPath


@dataclass(frozen=True, slots=True, eq=False)
class Configuration:
    """A whole configuration, checked."""

    simulation: SimulationSettings
    start_ms: int
    tick_ms: int
    scenario: Scenario
    transports: tuple[TransportChoice, ...]
    sources: tuple[SourceChoice, ...] = ()
    ledger: LedgerSettings | None = None
