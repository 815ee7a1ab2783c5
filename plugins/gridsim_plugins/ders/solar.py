"""Solar arrays: irradiance on the tilted plane, cell temperature, modules, inverter."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

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
    hookimpl,
    sun,
)

_REFERENCE_EFFICIENCY = 0.9637


class SolarSettings(DerSettings):
    """Settings of the DER type `solar`; `nameplate_capacity` is the inverter's AC rating."""

    tilt: Annotated[float, Unit("deg")] = Field(
        30.0, ge=0.0, le=90.0, description="slope of the array, 0 is flat"
    )
    azimuth: Annotated[float | None, Unit("deg")] = Field(
        None,
        ge=0.0,
        le=360.0,
        description="where the array faces, clockwise from north; unset: towards the equator",
    )
    dc_ac_ratio: Annotated[float, Unit("1")] = Field(
        1.2, gt=0.0, le=3.0, description="rated DC power over rated AC power; above 1 it clips"
    )
    system_losses: Annotated[float, Unit("%")] = Field(
        14.08,
        ge=0.0,
        le=99.0,
        description="soiling, shading, mismatch, wiring and ageing together (PVWatts)",
    )
    temperature_coefficient: Annotated[float, Unit("%/K")] = Field(
        -0.37, ge=-1.0, le=0.0, description="change of DC power per K above 25 degrees"
    )
    inverter_efficiency: Annotated[float, Unit("%")] = Field(
        96.0, ge=80.0, le=99.5, description="nominal efficiency of the inverter (PVWatts)"
    )
    albedo: Annotated[float, Unit("1")] = Field(
        0.2, ge=0.0, le=1.0, description="part of the irradiance that the ground reflects"
    )
    curtailment_rate: Annotated[float, Unit("%/s")] = Field(
        100.0,
        gt=0.0,
        description="how fast the power limit moves to a setpoint and back, of the nameplate",
    )
    managed: bool = Field(
        False,
        description="whether the array tells what it can yield and takes setpoints each tick; "
        "needed for events and limits of its site to curtail it",
    )


def plane_irradiance(
    dni: Floats, dhi: Floats, ghi: Floats, cos_incidence: Floats, tilt: Floats, albedo: Floats
) -> Floats:
    """Irradiance on a tilted plane, W/m2: the beam, an isotropic sky, and the ground.

    Liu and Jordan (1963); `tilt` in degrees, all float64[n].
    """
    slope = np.cos(np.radians(tilt))
    beam = dni * np.maximum(cos_incidence, 0.0)
    plane: Floats = beam + dhi * (0.5 + 0.5 * slope) + ghi * albedo * (0.5 - 0.5 * slope)
    return plane


def cell_temperature(plane: Floats, temperature_c: Floats, wind_m_s: Floats) -> Floats:
    """Cell temperature, degrees Celsius. Faiman, Progress in Photovoltaics 16 (2008)."""
    cell: Floats = temperature_c + plane / (25.0 + 6.84 * wind_m_s)
    return cell


def dc_power(plane: Floats, cell_c: Floats, rated: Floats, coefficient: Floats) -> Floats:
    """DC power in the unit of `rated`; `coefficient` per K. Dobos: PVWatts Version 5 (2014)."""
    power: Floats = plane / 1000.0 * rated * (1.0 + coefficient * (cell_c - 25.0))
    return power


def ac_power(dc: Floats, rated_ac: Floats, efficiency: Floats) -> Floats:
    """AC power behind an inverter that clips at `rated_ac`; efficiency as a fraction. PVWatts 5.

    Zero, not negative, where the inverter's own consumption exceeds the input.
    """
    rated_dc = rated_ac / efficiency
    load = dc / rated_dc
    # The published efficiency times the load: no division by a load of zero.
    delivered = -0.0162 * load * load + 0.9858 * load - 0.0059
    power = efficiency / _REFERENCE_EFFICIENCY * delivered * rated_dc
    limited: Floats = np.clip(power, 0.0, rated_ac)
    return limited


class Solar(Fleet):
    """Follows the sun and the sky of its site; a setpoint limits the output.

    A managed array wishes to yield all that it can.
    """

    Settings = SolarSettings
    reported_type = "solar"

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        return "flexible" if settings.managed else "free"

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        column, sites, site = members.columns, members.sites, members.site
        latitude, longitude = sites.latitude[site], sites.longitude[site]
        self._tilt, self._albedo = column["tilt"], column["albedo"]
        azimuth = column["azimuth"]
        equator = np.where(latitude >= 0.0, 180.0, 0.0)
        azimuth = np.where(np.isnan(azimuth), equator, azimuth)
        self._normal = sun.panel_normal(latitude, longitude, self._tilt, azimuth)
        self._rated_ac = column["nameplate_capacity"]
        kept = 1.0 - column["system_losses"] / 100.0
        self._rated_dc = self._rated_ac * column["dc_ac_ratio"] * kept
        self._coefficient = column["temperature_coefficient"] / 100.0
        self._efficiency = column["inverter_efficiency"] / 100.0
        rate = column["curtailment_rate"] / 100.0 * self._rated_ac
        self._curtailment = Curtailment(self._rated_ac, rate)
        self._found: tuple[int, Floats] | None = None

    def capability(self, tick: Tick) -> Capability:
        """From nothing to what sun and sky yield."""
        yields = self._available(tick)
        return Capability(np.zeros(len(yields)), yields, yields)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        power = self._available(tick)
        limited = self._curtailment.held(power, tick.dt_s, orders.setpoint_kw, orders.max_kw)
        return Telemetry(limited)

    def _available(self, tick: Tick) -> Floats:
        """What the arrays could yield in this tick; worked out once."""
        if self._found is None or self._found[0] != tick.index:
            self._found = (tick.index, self._from_sun(tick))
        return self._found[1]

    def _from_sun(self, tick: Tick) -> Floats:
        sky, site = tick.weather, self.members.site
        if not sky.ghi.any():
            return np.zeros(len(self.members))
        incidence = sun.cos_angle(sun.sun_vector(tick.time_ms), self._normal)
        plane = plane_irradiance(
            sky.dni[site], sky.dhi[site], sky.ghi[site], incidence, self._tilt, self._albedo
        )
        cell = cell_temperature(plane, sky.temperature_c[site], sky.wind_m_s[site])
        dc = dc_power(plane, cell, self._rated_dc, self._coefficient)
        return ac_power(dc, self._rated_ac, self._efficiency)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("solar", Solar)
