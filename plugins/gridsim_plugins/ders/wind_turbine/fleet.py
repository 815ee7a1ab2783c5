"""The DER type `wind_turbine`."""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, model_validator

from gridsim.api import (
    Capability,
    Curtailment,
    DerSettings,
    Fleet,
    Floats,
    Members,
    Orders,
    Register,
    Stage,
    Telemetry,
    Tick,
    Unit,
    clearsky,
    hookimpl,
)
from gridsim_plugins.ders.wind_turbine import aerodynamics
from gridsim_plugins.ders.wind_turbine.gusts import Gusts


class WindTurbineSettings(DerSettings):
    """Settings of the DER type `wind_turbine`; `nameplate_capacity` is the rated AC power."""

    hub_height: Annotated[float, Unit("m")] = Field(
        30.0, ge=5.0, le=200.0, description="height of the hub above the ground"
    )
    shear: Annotated[float, Unit("1")] = Field(
        0.2,
        ge=0.0,
        le=0.6,
        description="exponent by which wind grows with height: 0.1 over water, 0.14 over open "
        "land, 0.2 the design value of IEC 61400-1, 0.3 over suburbs",
    )
    cut_in_wind: Annotated[float, Unit("m/s")] = Field(
        3.0, ge=0.5, le=8.0, description="wind at the hub from which on the turbine yields power"
    )
    rated_wind: Annotated[float, Unit("m/s")] = Field(
        11.4, gt=8.0, le=20.0, description="wind at the hub that gives the nameplate capacity"
    )
    cut_out_wind: Annotated[float, Unit("m/s")] = Field(
        25.0, ge=15.0, description="mean wind at the hub at which the turbine stops"
    )
    cut_out_hysteresis: Annotated[float, Unit("m/s")] = Field(
        3.0, ge=0.0, le=10.0, description="by how much the wind must fall for it to start again"
    )
    turbulence_intensity: Annotated[float, Unit("1")] = Field(
        0.14,
        ge=0.0,
        le=0.4,
        description="of the wind at 15 m/s: 0.16, 0.14, 0.12 are the classes A, B, C of "
        "IEC 61400-1; 0 switches gusts off",
    )
    response_s: Annotated[float, Unit("s")] = Field(
        3.0, ge=0.0, le=60.0, description="how slowly the rotor follows a gust: its time constant"
    )
    curtailment_rate: Annotated[float, Unit("%/s")] = Field(
        10.0,
        gt=0.0,
        description="how fast the power limit moves to a setpoint and back, of the nameplate",
    )
    managed: bool = Field(
        False,
        description="whether the turbine tells what it can yield and takes setpoints each tick; "
        "needed for events and limits of its site to curtail it",
    )

    @model_validator(mode="after")
    def _winds_are_in_order(self) -> Self:
        if self.cut_out_wind <= self.rated_wind:
            raise ValueError("cut_out_wind must be above rated_wind")
        return self


class WindTurbine(Fleet):
    """Follows the wind of its site, with gusts of its own; a setpoint limits the output.

    A storm stops it by the mean wind, as turbines judge by minutes, not by gusts. A managed
    turbine wishes to yield all that it can.
    """

    Settings = WindTurbineSettings
    reported_type = "wind_turbine"
    columns = {"hub_wind": "m/s"}  # noqa: RUF012 - the contract's class attribute

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        return "flexible" if settings.managed else "free"

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        column, site = members.columns, members.site
        self._rated = column["nameplate_capacity"]
        height = column["hub_height"]
        self._lift = aerodynamics.wind_at_height(np.ones(len(members)), height, column["shear"])
        self._pressure = clearsky.pressure_ratio(members.sites.altitude[site] + height)
        self._cut_in, self._rated_wind = column["cut_in_wind"], column["rated_wind"]
        self._stop_at = column["cut_out_wind"]
        self._start_at = self._stop_at - column["cut_out_hysteresis"]
        self._intensity = column["turbulence_intensity"]
        self._gusts = Gusts(members.draws, members.keys, height)
        # What is left of a deviation after a tick, and its mean over the tick.
        response = column["response_s"] / (members.tick_ms / 1000.0)
        decay = np.divide(-1.0, response, out=np.full_like(response, -np.inf), where=response > 0)
        self._kept, self._mean_kept = np.exp(decay), response * -np.expm1(decay)
        rate = column["curtailment_rate"] / 100.0 * self._rated
        self._curtailment = Curtailment(self._rated, rate)
        self._stopped = np.zeros(len(members), np.bool_)
        self._power: Floats | None = None
        self._found: tuple[int, Floats, Floats] | None = None

    def capability(self, tick: Tick) -> Capability:
        """From nothing to what the wind yields."""
        yields, _ = self._available(tick)
        return Capability(np.zeros(len(yields)), yields, yields)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        power, wind = self._available(tick)
        limited = self._curtailment.held(power, tick.dt_s, orders.setpoint_kw, orders.max_kw)
        return Telemetry(limited, extra={"hub_wind": wind})

    def _available(self, tick: Tick) -> tuple[Floats, Floats]:
        """What the turbines could yield in this tick, and the wind; the rotors move on once."""
        if self._found is None or self._found[0] != tick.index:
            self._found = (tick.index, *self._from_wind(tick))
        return self._found[1:]

    def _from_wind(self, tick: Tick) -> tuple[Floats, Floats]:
        sky, site = tick.weather, self.members.site
        mean = sky.wind_m_s[site] * self._lift
        self._stopped = (mean >= self._stop_at) | (self._stopped & (mean > self._start_at))
        deviation = aerodynamics.turbulence(mean, self._intensity)
        gusts = self._gusts.at(tick.time_ms, self.members.tick_ms)
        wind = np.maximum(mean + deviation * gusts, 0.0)
        density = aerodynamics.relative_density(self._pressure, sky.temperature_c[site])
        standard = aerodynamics.standard_wind(wind, density)
        curve = aerodynamics.power_curve(standard, self._cut_in, self._rated_wind)
        target = np.where(self._stopped, 0.0, self._rated * curve)
        before = target if self._power is None else self._power
        self._power = target + (before - target) * self._kept
        return target + (before - target) * self._mean_kept, wind


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("wind_turbine", WindTurbine)
