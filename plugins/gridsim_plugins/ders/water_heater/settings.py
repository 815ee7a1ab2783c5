"""The settings of the DER type `water_heater`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gridsim.api import DerSettings, Unit
from gridsim.helpers.load_profiles import Profile


class WaterHeaterSettings(DerSettings):
    """Settings of the DER type `water_heater`; `nameplate_capacity` is the power of the element."""

    volume: Annotated[float, Unit("l")] = Field(
        200.0, ge=10.0, description="water in the tank, modelled as fully mixed"
    )
    heat_loss: Annotated[float, Unit("W/K")] = Field(
        1.6,
        gt=0.01,
        le=50.0,
        description="standing loss per K above the room temperature; 1.6 is the middle of energy "
        "class C of Regulation (EU) 812/2013 for 200 l",
    )
    temperature: Annotated[float, Unit("degC")] = Field(
        55.0, ge=40.0, le=90.0, description="temperature at which the thermostat switches off"
    )
    deadband: Annotated[float, Unit("K")] = Field(
        5.0,
        ge=0.5,
        le=20.0,
        description="drop below temperature at which the thermostat switches on",
    )
    min_temperature: Annotated[float, Unit("degC")] = Field(
        45.0,
        ge=20.0,
        le=90.0,
        description="comfort limit; below it the tank heats regardless of a setpoint",
    )
    max_temperature: Annotated[float | None, Unit("degC")] = Field(
        None,
        ge=40.0,
        le=95.0,
        description="maximum temperature under a setpoint; unset: the thermostat's temperature",
    )
    profile: Profile = Field(
        "M",
        description="load profile of EN 16147 and Regulation (EU) 812/2013: 3XS 0.345 kWh of hot "
        "water per day, XXS, XS and S 2.1, M 5.845 (a family without baths), L 11.655, XL 19.07, "
        "XXL 24.53",
    )
    daily_draw_kwh: Annotated[float | None, Unit("kWh")] = Field(
        None,
        ge=0.0,
        le=60.0,
        description="mean heat drawn as hot water per day; unset: that of the profile",
    )
    draw_variation: Annotated[float, Unit("1")] = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description="scatter of the times and sizes of draws between homes and days; 0: each day "
        "is the profile to the minute",
    )
    cold_temperature: Annotated[float, Unit("degC")] = Field(
        10.0, ge=0.0, le=30.0, description="temperature of the incoming water"
    )
    room_temperature: Annotated[float, Unit("degC")] = Field(
        20.0, ge=-20.0, le=40.0, description="air temperature around the tank"
    )
    managed: bool = Field(
        True,
        description="true: events and its site's setpoint dispatch it, too, within its comfort "
        "limits. Commands to the water heater itself work either way",
    )
