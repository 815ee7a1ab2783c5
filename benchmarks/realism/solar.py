"""Sun, clear sky and solar arrays against published values and pvlib."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pvlib

from benchmarks.realism import climates
from benchmarks.realism.drive import drive, outputs, utc_ms
from benchmarks.realism.report import Check, Figure, Group, at_most, near
from gridsim.api import Draws, Floats
from gridsim.helpers import clearsky, sun
from gridsim.testing import make_sites
from gridsim_plugins.ders.solar import Solar, physics
from gridsim_plugins.weather.clear import Clear, ClearSettings

_SPA = "Reda, Andreas, NREL/TP-560-34302 (2008)"
_INEICHEN = "Ineichen, Perez, Solar Energy 73 (2002); pvlib's test values"
_PVWATTS = "Dobos, PVWatts 5 (2014); pvlib's test values"
_FAIMAN = "Faiman, Prog. Photovolt. 16 (2008); pvlib's test value"
_NAMEPLATE, _ALTITUDE, _TURBIDITY = 5.0, 300.0, 3.0
# fmt: off
_DAYS = [
    (69.65, 18.96, "2026-05-10"), (69.65, 18.96, "2026-06-21"), (45.96, -66.64, "2026-06-20"),
    (45.96, -66.64, "2026-12-20"), (0.0, 36.8, "2026-03-20"), (0.0, 36.8, "2026-12-21"),
    (-33.87, 151.2, "2026-01-10"), (-33.87, 151.2, "2026-07-01"),
]
# fmt: on


def arr(*values: float) -> Floats:
    return np.array(values)


def run(plots: Path) -> Group:
    about = (
        "Sun position by PSA+, clear sky by Ineichen and Perez, diffuse light after Perez in the "
        "continuous form of Driesse, glass after De Soto, cells after Faiman, modules and inverter "
        "after PVWatts. The chain from sun position to AC power is compared minute by minute with "
        "pvlib (SPA, Ineichen, Perez and Driesse, physical incidence-angle modifier, Faiman, "
        "PVWatts) for an array of 5 kW that faces the equator at 30 degrees, with the same "
        "turbidity, wind and air temperature. It is then compared month by month at six climates "
        "with two ModelChains of pvlib, under the same weather (`synthetic`): that of PVWatts "
        "(Perez 1990, physical modifier, SAPM cells), and the same with cells after Faiman."
    )
    checks = [*_position(), *_pieces(), *[_clear_day(*day) for day in _DAYS], *climates.checks()]
    climates.plot(plots)
    caption = (
        "Monthly energy of gridsim less that of pvlib's ModelChain of PVWatts at six climates, "
        "with the same weather."
    )
    return Group("Sun and solar arrays", about, checks, [Figure("solar-climates.png", caption)])


def _position() -> list[Check]:
    at = utc_ms("2003-10-17T19:30:30")
    place = arr(39.742476), arr(-105.1786)
    vector = sun.sun_vector(at)
    cosine = sun.cos_zenith(vector, sun.up_vector(*place))
    apparent = cosine + clearsky.lift(cosine, arr(820.0 / 1013.25))
    east, north = (
        sun.cos_angle(vector, sun.panel_normal(*place, arr(90.0), arr(heading)))
        for heading in (90.0, 0.0)
    )
    azimuth = float(np.degrees(np.arctan2(east, north))[0]) % 360.0
    checks = [
        near("SPA reference: apparent zenith", 50.11162, _zenith(apparent[0]), _SPA, by=0.01,
             unit="deg"),
        near("SPA reference: azimuth", 194.340241, azimuth, _SPA, by=0.02, unit="deg"),
    ]  # fmt: skip
    errors = []
    for latitude in (69.65, 45.96, 0.0, -33.87):
        times = pd.date_range("2024-01-01", "2034-01-01", periods=1500, tz="UTC")
        reference = pvlib.solarposition.spa_python(times, latitude, 18.0)["zenith"].to_numpy()
        up = sun.up_vector(arr(latitude), arr(18.0))
        stamps = times.as_unit("ms").asi8.tolist()
        ours = [_zenith(sun.cos_zenith(sun.sun_vector(stamp), up)[0]) for stamp in stamps]
        errors.append(np.abs(np.array(ours) - reference)[reference < 90.0])
    error = np.concatenate(errors)
    source = "Blanco et al., Solar Energy 212 (2020), against pvlib's SPA of 2024 to 2033"
    return [
        *checks,
        near("PSA+ zenith against SPA, largest error", 0.0061, float(error.max()), source,
             rel=0.25, unit="deg"),
        near("PSA+ zenith against SPA, mean error", 0.0014, float(error.mean()), source,
             rel=0.25, unit="deg"),
    ]  # fmt: skip


def _pieces() -> list[Check]:
    height = arr(np.cos(np.radians(10.56413562)))
    whole, direct = clearsky.transmittances(height, arr(0.93527685), arr(3.0), arr(0.0))
    ghi, dni = (1364.0 * height * whole)[0], (1364.0 * direct)[0]
    kt = np.linspace(0.01, 1.0, 100)
    above = float(pvlib.irradiance.get_extra_radiation(100))
    erbs = pvlib.irradiance.erbs(kt * above, np.zeros(100), 100)["dhi"] / (kt * above)
    share = float(np.abs(clearsky.diffuse_share(kt) - erbs).max())
    cell = physics.cell_temperature(arr(900.0), arr(20.0), arr(5.0))[0]
    dc = physics.dc_power(arr(900.0), arr(30.0), arr(100.0), arr(-0.003))[0]
    ac = physics.ac_power(arr(90.0), arr(95.0), arr(0.95))[0]
    return [
        near("Ineichen, AM .935, TL 3: GHI", 1044.123, ghi, _INEICHEN, by=0.001, unit="W/m2"),
        near("Ineichen: DNI", 953.249, dni, _INEICHEN, by=0.001, unit="W/m2"),
        near("Ineichen: DHI", 107.031, ghi - dni * height[0], _INEICHEN, by=0.001, unit="W/m2"),
        at_most("diffuse share by Erbs, largest difference", 1e-3, share, "pvlib's erbs"),
        near("Faiman, 900 W/m2, 20 C, 5 m/s", 35.203, cell, _FAIMAN, by=0.001, unit="C"),
        near("PVWatts DC, 900 W/m2, 30 C, 100 W", 88.65, dc, _PVWATTS, by=0.001, unit="W"),
        near("PVWatts inverter, 90 of 100 W", 85.585566, ac, _PVWATTS, by=1e-5, unit="W"),
    ]


@dataclass(frozen=True, slots=True)
class _Oracle:
    times: pd.DatetimeIndex
    latitude: float
    longitude: float

    def power(self, air: Floats) -> Floats:
        """Return the AC power by pvlib, kW, at each of the times, under a clear sky at the air
        temperature `air`.
        """
        place = self.latitude, self.longitude, _ALTITUDE
        position = pvlib.solarposition.get_solarposition(self.times, *place)
        zenith = position["apparent_zenith"]
        mass = pvlib.atmosphere.get_absolute_airmass(
            pvlib.atmosphere.get_relative_airmass(zenith), pvlib.atmosphere.alt2pres(_ALTITUDE)
        )
        above = pvlib.irradiance.get_extra_radiation(self.times.day_of_year.to_numpy())
        clear = pvlib.clearsky.ineichen(zenith, mass, _TURBIDITY, _ALTITUDE, dni_extra=above)
        facing = 30.0, 180.0 if self.latitude >= 0.0 else 0.0, zenith, position["azimuth"]
        plane = pvlib.irradiance.get_total_irradiance(
            *facing, clear["dni"], clear["ghi"], clear["dhi"], dni_extra=above, albedo=0.2,
            model="perez-driesse",
        ).fillna(0.0)  # fmt: skip
        glass = pvlib.iam.physical(pvlib.irradiance.aoi(*facing))
        usable = plane["poa_direct"] * glass + plane["poa_diffuse"]
        cell = pvlib.temperature.faiman(plane["poa_global"], air, 2.0, u0=25.0, u1=6.84)
        dc = pvlib.pvsystem.pvwatts_dc(usable, cell, _NAMEPLATE * 1.2 * (1.0 - 0.1408), -0.0037)
        ac = pvlib.inverter.pvwatts(dc, _NAMEPLATE / 0.96, eta_inv_nom=0.96).fillna(0.0)
        power: Floats = np.maximum(ac.to_numpy(), 0.0)
        return power


def _clear_day(latitude: float, longitude: float, day: str) -> Check:
    sites = make_sites(1, latitude=latitude, longitude=longitude, altitude=_ALTITUDE)
    weather = Clear(ClearSettings(turbidity=_TURBIDITY), sites, Draws(1))
    start = utc_ms(day)
    telemetry = drive(
        Solar, [{"nameplate_capacity": _NAMEPLATE, "system_losses": 14.08}],
        lambda i: arr(np.nan), 1440, 60.0,
        lambda tick: weather.at(tick.time_ms), sites=sites, start_ms=start,
    )  # fmt: skip
    ours = outputs(telemetry)[:, 0]
    air = np.array([weather.at(start + m * 60_000).temperature_c[0] for m in range(1440)])
    times = pd.date_range(day, periods=1440, freq="min", tz="UTC")
    theirs = _Oracle(times, latitude, longitude).power(air)
    worst = float(np.abs(ours - theirs).max()) / _NAMEPLATE * 100.0
    name = f"clear day at {latitude:g} N, {day}, peak {theirs.max():.2f} kW: worst minute"
    return at_most(name, 0.5, worst, "pvlib in the same run", unit="% of nameplate")


def _zenith(cosine: float) -> float:
    return float(np.degrees(np.arccos(cosine)))
