"""The settings of the DER type `ev_charger`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from gridsim.api import GridSupportSettings, LocalPath, RunPeriod, Unit
from gridsim.helpers import windows
from gridsim_plugins.ders.ev_charger.recorded import read_sessions
from gridsim_plugins.ders.ev_charger.schedule import MOST_PER_DAY
from gridsim_plugins.ders.ev_charger.sessions import SessionKind


class EvChargerSettings(GridSupportSettings):
    """Settings of the DER type `ev_charger`; `nameplate_capacity` limits the AC power."""

    sessions: SessionKind | None = Field(
        None,
        description="the sessions of cars: home (one car, Trondheim); workplace (staff, ACN-Data "
        "JPL) and public (a campus garage, ACN-Data Caltech) have fewer on weekends; fast (public "
        "fast chargers). Unset: home, or fast with connector dc",
    )
    sessions_file: LocalPath = Field(
        "",
        description="sessions from a table with the columns arrival, departure and energy_kwh; "
        "times are of the site's clock, or have an offset. With a column der_id each charger has "
        "its own rows, without it each has all of them. Relative to the folder of the "
        "configuration",
    )
    sessions_per_day: Annotated[float | None, Unit("1/d")] = Field(
        None,
        ge=0.0,
        le=12.0,
        description="mean number of sessions per day of the week; at most 0.8 at home, 1.04 at a "
        "workplace, 0.98 in public. Unset: home 0.58 for 60 kWh and less with a larger battery, at "
        "the same energy per day; workplace 0.93, public 0.52, fast 1.6",
    )
    battery_capacity_kwh: Annotated[float | None, Unit("kWh")] = Field(
        None,
        gt=0.0,
        description="energy capacity of the car's battery; unset: drawn for each car, 25 to 93, as "
        "in the fleet of best-selling cars",
    )
    onboard_limit: Annotated[float, Unit("kW")] = Field(
        11.0,
        gt=0.0,
        description="maximum AC power of the car's onboard charger; not used with connector dc",
    )
    target_soc: Annotated[float | None, Unit("%")] = Field(
        None,
        gt=10.0,
        le=100.0,
        description="state of charge at which charging ends; unset: drawn for each car, half stop "
        "at 80, 15 % at 90, the others at 100; at fast chargers all at 80",
    )
    efficiency: Annotated[float, Unit("%")] = Field(
        90.0,
        ge=50.0,
        le=100.0,
        description="one-way efficiency between the meter and the car's battery",
    )
    connector: Literal["ac", "dc"] = Field(
        "ac",
        description="ac: the car's onboard charger, power by whole amperes; dc: a fast charger, "
        "whose power falls with the state of charge as the battery accepts less",
    )
    volts: Annotated[float | None, Unit("V")] = Field(
        None,
        gt=0.0,
        description="voltage of a phase, converts pilot current to power; unset: the "
        "nominal_voltage of the site, or twice that below 150 V (220 V for 127 V)",
    )
    phases: Annotated[int | None, Unit("1")] = Field(
        None,
        ge=1,
        le=3,
        description="number of phases; unset: 1 up to 32 A on one phase, above that the phases of "
        "the site",
    )
    fluctuation: Annotated[float, Unit("%")] = Field(
        1.0,
        ge=0.0,
        le=5.0,
        description="mean by which the fluctuating power is below its limit while a car charges "
        "freely; 0 also removes the ramp at the start. Setpoints, limits and the strategy smart "
        "are exact",
    )
    preparing_s: Annotated[float, Unit("s")] = Field(
        30.0,
        ge=0.0,
        le=3600.0,
        description="time in which a car is plugged in before its session, for authorization: the "
        "measurand state is Preparing; it does not change the session",
    )
    finishing_s: Annotated[float, Unit("s")] = Field(
        30.0,
        ge=0.0,
        le=3600.0,
        description="time in which a car is still plugged in after its session: the measurand "
        "state is Finishing; it does not change the session",
    )
    managed: bool = Field(
        True,
        description="true: events and its site's setpoint dispatch it, too; needed for the "
        "strategy smart and for v2g. Commands to the charger itself work either way",
    )
    strategy: Literal["immediate", "smart"] = Field(
        "immediate",
        description="behaviour without a setpoint: charge on arrival; or charge in the cheap "
        "windows, and outside of them as late as makes the car ready at its departure",
    )
    cheap_windows: tuple[str, ...] = Field(
        ("22:00-06:00",), description="for smart: windows in local time of the site, HH:MM-HH:MM"
    )
    v2g: bool = Field(
        False,
        description="vehicle-to-grid: a positive setpoint discharges the car; without a setpoint "
        "it never discharges",
    )
    min_soc: Annotated[float, Unit("%")] = Field(
        30.0, ge=0.0, le=100.0, description="for v2g: minimum state of charge when discharging"
    )
    min_soc_at_departure: Annotated[float, Unit("%")] = Field(
        80.0,
        ge=0.0,
        le=100.0,
        description="for v2g: minimum state of charge at departure; discharging stops, and "
        "charging begins regardless of the setpoint, in time to reach it",
    )

    @field_validator("cheap_windows")
    @classmethod
    def _windows_are_times(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for window in given:
            windows.parse_window(window)
        return given

    @model_validator(mode="after")
    def _sessions_are_possible(self) -> Self:
        if self.sessions_file and self.sessions is not None:
            raise ValueError("sessions and sessions_file exclude each other: remove one of them")
        if self.sessions_file and self.sessions_per_day is not None:
            raise ValueError("sessions_per_day has no meaning with sessions_file: remove it")
        most = MOST_PER_DAY[self.kind]
        if self.sessions_per_day is not None and self.sessions_per_day > most:
            raise ValueError(f"sessions_per_day is at most {most:g} for sessions {self.kind!r}")
        if self.sessions == "fast" and self.connector != "dc":
            raise ValueError('sessions "fast" needs connector = "dc"')
        if self.v2g and self.connector == "dc":
            raise ValueError('v2g needs connector = "ac"')
        if self.strategy == "smart" and self.connector == "dc":
            raise ValueError('strategy smart needs connector = "ac"')
        return self

    @property
    def kind(self) -> SessionKind:
        """The kind of sessions: the setting, or else by the connector."""
        return self.sessions or ("fast" if self.connector == "dc" else "home")

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield the problem of the file with sessions, if it cannot be used."""
        if self.sessions_file:
            try:
                read_sessions(self.sessions_file, period.timezone if period is not None else "UTC")
            except ValueError as error:
                yield "sessions_file", f"cannot be used: {error}"

    @model_validator(mode="after")
    def _management_is_on_where_needed(self) -> Self:
        for name, used in (("strategy smart", self.strategy == "smart"), ("v2g", self.v2g)):
            if used and not self.managed:
                raise ValueError(f"{name} needs managed = true")
        if self.supports_grid and not self.v2g:
            raise ValueError("volt_var, volt_watt and freq_watt need v2g = true")
        return self
