"""The settings of `my-system.toml`: the system under test, and the promises that it must keep."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from gridsim.api import Settings, Unit
from gridsim.contracts.table_settings import check_zone

_HOUR_S = 3600.0
_MANY = 1_000_000_000
Count = Annotated[int, Field(ge=0, le=_MANY)]


class SystemSettings(Settings):
    """The settings of `[system]`, without its broker."""

    name: str = Field(
        "", max_length=200, description="name in the report; unset: the name of the file"
    )
    days: list[str] | None = Field(
        None,
        min_length=1,
        description="the days: names of shipped days, and paths of your own configurations, "
        "relative to this file; unset: all shipped days",
    )
    speed: float | None = Field(
        None,
        ge=0,
        le=1e6,
        description="speed of all days, 0 is as fast as possible; unset: the speed of each day",
    )
    start_command: str = Field(
        "",
        description="command line of your system, if gridsim is to run it: it is started before "
        "each day and ended after it. Needs reset_command",
    )
    reset_command: str = Field(
        "",
        description="command line that is run before each day. It empties your system, and ends "
        "with status 0 when the system is ready for readings",
    )
    export_command: str = Field(
        "",
        description="command line that is run after each day. It writes all readings of the day "
        "that your system holds to the file $GRIDSIM_RECORDS: JSON, JSON Lines, CSV or Parquet",
    )
    export_topic: str = Field(
        "",
        description="instead of export_command: the topic, with wildcards, to which your system "
        "publishes each reading that it has accepted",
    )
    settlement_command: str = Field(
        "",
        description="command line that is run after each day, and after export_command. It writes "
        "your settlement of the events to the file $GRIDSIM_SETTLEMENT, a CSV: event, project_id, "
        "reduction_kwh, and optionally violation_start and violation_end",
    )
    restart_broker: str = Field(
        "",
        description="command line that restarts your broker, for the day broker-restart; the "
        "embedded broker needs none",
    )
    timeout_s: Annotated[float, Unit("s")] = Field(
        60.0, gt=0, le=_HOUR_S, description="time limit of each command"
    )
    settle_s: Annotated[float, Unit("s")] = Field(
        5.0,
        ge=0,
        le=_HOUR_S,
        description="time after a day in which your system may still process it: exports are "
        "repeated until the day passes, or until this time is over",
    )
    reconnect_s: Annotated[float, Unit("s")] = Field(
        5.0,
        gt=0,
        le=_HOUR_S,
        description="time that your system has to reconnect after a restart of the broker; "
        "nothing is published meanwhile",
    )
    fields: dict[str, str] = Field(
        default_factory=dict,
        description='your field names, such as { der_id = "device" }',
    )
    ordered: bool = Field(
        False, description="true: your readings are in the order of arrival, which is checked"
    )
    assume_zone: str | None = Field(
        None, description="time zone of times without an offset, such as Europe/Berlin; unset: UTC"
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="the decimal mark of your CSV; unset: recognised"
    )
    loose_types: bool = Field(
        False, description="true: in JSON, numbers and booleans may be written as text"
    )
    arrival_only: bool = Field(
        False, description="true: your readings have no values; only their arrival is compared"
    )
    time_tolerance_s: Annotated[float, Unit("s")] = Field(
        0.0, ge=0, le=86_400, description="accepted difference of times, 1 for whole seconds"
    )
    tolerance_kwh: Annotated[float, Unit("kWh")] = Field(
        0.01, ge=0, le=1e6, description="accepted difference of one settlement: rounding"
    )
    tolerance_s: Annotated[float, Unit("s")] = Field(
        1.0, ge=0, le=86_400, description="accepted difference of a violation's start and end"
    )

    @field_validator("assume_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return check_zone(value)


class Promises(Settings):
    """The settings of `[promises]` and of `[promises.DAY]`: the upper limits of a day's
    differences.
    """

    lost: Count = Field(0, description="largest number of readings that may be missing")
    duplicates: Count | Literal["any"] = Field(
        0, description='largest number of readings that may be stored twice; "any": no limit'
    )
    changed: Count = Field(0, description="largest number of readings whose values may differ")
    unknown: Count = Field(0, description="largest number of readings that were never sent")
    kwh: Annotated[float, Unit("kWh")] = Field(
        0.0,
        ge=0,
        le=1e9,
        description="largest total energy that may be settled wrongly, beyond tolerance_kwh per "
        "settlement",
    )
