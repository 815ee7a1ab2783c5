"""The settings of the DER type `heat_pump`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from gridsim.api import DerSettings, Unit
from gridsim.helpers import windows
from gridsim.helpers.load_profiles import Profile


class HeatPumpSettings(DerSettings):
    """Settings of the DER type `heat_pump`; `nameplate_capacity` is the maximum electric power.

    The defaults describe a house of 140 m2 from about the year 2000.
    """

    heat_loss: Annotated[float, Unit("W/K")] = Field(
        150.0,
        gt=1.0,
        description="heat loss of the building per K between inside and outside, through walls "
        "and by air exchange",
    )
    heat_capacity: Annotated[float, Unit("kWh/K")] = Field(
        6.4,
        gt=0.05,
        description="heat capacity of the building; ISO 13790: 165 kJ/K per m2 of floor for a "
        "medium building. Over the heat loss it is the time constant with which the room cools "
        "without heat: 43 h by default; measured houses have mostly 15 to 55 h in winter",
    )
    internal_gains: Annotated[float | None, Unit("W")] = Field(
        None,
        ge=0.0,
        description="heat of people and appliances; unset: drawn for each home, 250 to 550 "
        "(TABULA: 3 W per m2)",
    )
    solar_aperture: Annotated[float, Unit("m2")] = Field(
        3.0,
        ge=0.0,
        description="effective area of the windows under the horizontal irradiance, after "
        "glass, shade and orientation",
    )
    room_temperature: Annotated[float | None, Unit("degC")] = Field(
        None,
        ge=5.0,
        le=28.0,
        description="heating setpoint; unset: drawn for each home, 19 to 21, and at least 3 K "
        "below the cooling setpoint",
    )
    cooling_temperature: Annotated[float | None, Unit("degC")] = Field(
        None,
        ge=18.0,
        le=35.0,
        description="cooling setpoint, at least 3 K above the heating setpoint; unset: no cooling",
    )
    deadband: Annotated[float, Unit("K")] = Field(
        1.0,
        ge=0.1,
        le=3.0,
        description="difference between switching on and off, centred on the setpoint",
    )
    comfort_band: Annotated[float, Unit("K")] = Field(
        1.5,
        ge=0.0,
        le=5.0,
        description="deviation of the room from its setpoint, either way, that a power setpoint "
        "may cause",
    )
    min_modulation: Annotated[float, Unit("%")] = Field(
        25.0,
        ge=0.0,
        le=100.0,
        description="minimum power of the compressor, of the nameplate; 100: a pump that only "
        "switches on and off",
    )
    emitter: Literal["radiator", "floor"] = Field(
        "radiator",
        description="heating curve: radiator has a flow temperature of 40 degC at 0 degC "
        "outdoors, and 1 K more per K colder; floor has 30 degC and 0.5 K",
    )
    cop_factor: Annotated[float, Unit("1")] = Field(
        0.85,
        ge=0.3,
        le=1.2,
        description="efficiency as installed over that of the manufacturer "
        "(Ruhnau et al. 2019: 0.85)",
    )
    defrost: bool = Field(
        True,
        description="between -10 and 6 degC outdoors the outdoor unit frosts and is defrosted for "
        "5 minutes, at most each 50 minutes of operation, without heat to the room. The published "
        "efficiency includes it, so the energy of a day does not change",
    )
    backup_heater: Annotated[float, Unit("kW")] = Field(
        0.0,
        ge=0.0,
        description="power of an electric heater that helps the compressor below the bivalence "
        "temperature; a part of nameplate_capacity",
    )
    bivalence_temperature: Annotated[float, Unit("degC")] = Field(
        -5.0,
        ge=-30.0,
        le=15.0,
        description="outdoor temperature below which the backup heater may run",
    )
    hot_water_kwh: Annotated[float, Unit("kWh")] = Field(
        0.0,
        ge=0.0,
        le=60.0,
        description="mean heat for hot water per day, from a tank that the pump charges when the "
        "taps have cooled it by 7 K; charging takes priority over the room. EN 16147 has 5.845 "
        "for a "
        "family without baths, 11.655 with them; 0: no hot water",
    )
    hot_water_profile: Profile = Field(
        "M",
        description="load profile of EN 16147 and Regulation (EU) 812/2013 that the taps follow, "
        "with the hours of each home; hot_water_kwh scales it",
    )
    tank_volume: Annotated[float, Unit("l")] = Field(
        200.0, ge=10.0, le=5000.0, description="water in the tank of hot_water_kwh"
    )
    night_setback: Annotated[float, Unit("K")] = Field(
        0.0, ge=0.0, le=10.0, description="reduction of the heating setpoint in the night"
    )
    night: str = Field(
        "22:00-06:00", description="the night, in local time of the site, HH:MM-HH:MM"
    )
    managed: bool = Field(
        True,
        description="true: events and its site's setpoint dispatch it, too, within its comfort "
        "band. Commands to the heat pump itself work either way",
    )

    @field_validator("night")
    @classmethod
    def _night_is_a_window(cls, given: str) -> str:
        windows.parse_window(given)
        return given

    @model_validator(mode="after")
    def _compressor_has_power(self) -> Self:
        if self.backup_heater >= self.nameplate_capacity:
            raise ValueError(
                "backup_heater must be less than nameplate_capacity, which includes it"
            )
        return self

    @model_validator(mode="after")
    def _setpoints_are_apart(self) -> Self:
        cooling, heating = self.cooling_temperature, self.room_temperature
        if cooling is not None and heating is not None and cooling < heating + 3.0:
            raise ValueError("cooling_temperature must be at least 3 K above room_temperature")
        return self
