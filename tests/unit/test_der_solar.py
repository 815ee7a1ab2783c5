"""Solar arrays against published values, against pvlib, and by common sense."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import Draws, Floats, Orders, Tick, WeatherSample
from gridsim.helpers import sun
from gridsim.testing import FleetContract, make_members, make_sites, make_tick, make_weather
from gridsim_plugins.ders.solar import Solar, physics
from gridsim_plugins.ders.solar.settings import SolarSettings
from gridsim_plugins.weather.clear import Clear, ClearSettings

NOTHING_ASKED = Orders(np.array([np.nan]), np.zeros(1))


ROOFS: dict[str, Any] = {
    "nameplate_capacity": 6.0,
    "arrays": [
        {"tilt": 30.0, "azimuth": 90.0, "capacity_kw": 3.0},
        {"tilt": 40.0, "azimuth": 270.0, "capacity_kw": 4.0},
    ],
}


class TestSolarContract(FleetContract):
    fleet = Solar
    settings = (
        {"nameplate_capacity": 5.0},
        {"nameplate_capacity": 8.0, "tilt": 90.0, "azimuth": 90.0, "dc_ac_ratio": 2.0},
        {"nameplate_capacity": 3.0, "curtailment_rate": 0.01},
        ROOFS,
        {"nameplate_capacity": 4.0, "horizon": [[90.0, 20.0], [270.0, 0.0]], "iam": "ashrae"},
        {"nameplate_capacity": 4.0, "sky_model": "hay_davies", "soiling_rate": 0.5},
        {"nameplate_capacity": 4.0, "sky_model": "isotropic", "iam": "none"},
        {"nameplate_capacity": 4.0, "snowfall": [40.0] * 12, "module_scatter": 2.0},
    )
    obeys_within_s = 10_000.0


class TestManagedSolarContract(FleetContract):
    fleet = Solar
    settings = tuple({**kind, "managed": True} for kind in TestSolarContract.settings)
    obeys_within_s = TestSolarContract.obeys_within_s


def arr(*values: float) -> Floats:
    return np.array(values)


def test_published_values() -> None:
    assert physics.cell_temperature(arr(900.0), arr(20.0), arr(5.0))[0] == pytest.approx(
        35.203, abs=0.001
    )
    dc = physics.dc_power(arr(900.0), arr(30.0), arr(100.0), arr(-0.003))
    assert dc[0] == pytest.approx(88.65)
    # An inverter for 100 W DC.
    ac = physics.ac_power(arr(90.0), arr(95.0), arr(0.95))
    assert ac[0] == pytest.approx(85.585566, abs=1e-5)


@pytest.mark.filterwarnings("ignore:DatetimeIndex.dayofyear")  # pvlib's, with pandas 3
@pytest.mark.parametrize(
    ("latitude", "longitude", "day"),
    [(45.96, -66.64, "2026-06-20"), (45.96, -66.64, "2026-12-20"), (69.65, 18.96, "2026-05-10"),
     (0.0, 36.8, "2026-03-20"), (-33.87, 151.2, "2026-01-10")],
)  # fmt: skip
def test_a_clear_day_against_pvlib(latitude: float, longitude: float, day: str) -> None:
    """Every fourth minute within 0.5 % of the nameplate, from sun position to AC power."""
    import pandas as pd
    import pvlib

    altitude, nameplate, turbidity = 300.0, 5.0, 3.0
    sites = make_sites(1, latitude=latitude, longitude=longitude, altitude=altitude)
    weather = Clear(ClearSettings(turbidity=turbidity), sites, Draws(1))
    settings = {"nameplate_capacity": nameplate, "system_losses": 14.08}
    fleet = Solar(make_members(SolarSettings, [settings], sites=sites))
    start = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
    ours, air = [], []
    for minute in range(0, 1440, 4):
        at = start + minute * 60_000
        sky = weather.at(at)
        told = fleet.step(Tick(minute, at, 60.0, sky), NOTHING_ASKED)
        ours.append(told.current_output[0])
        air.append(sky.temperature_c[0])

    times = pd.date_range(day, periods=360, freq="4min", tz="UTC")
    position = pvlib.solarposition.get_solarposition(times, latitude, longitude, altitude)
    mass = pvlib.atmosphere.get_absolute_airmass(
        pvlib.atmosphere.get_relative_airmass(position["apparent_zenith"]),
        pvlib.atmosphere.alt2pres(altitude),
    )
    clear = pvlib.clearsky.ineichen(
        position["apparent_zenith"], mass, turbidity, altitude,
        dni_extra=pvlib.irradiance.get_extra_radiation(times.day_of_year.to_numpy()),
    )  # fmt: skip
    azimuth = 180.0 if latitude >= 0.0 else 0.0
    plane = pvlib.irradiance.get_total_irradiance(
        30.0, azimuth, position["apparent_zenith"], position["azimuth"],
        clear["dni"], clear["ghi"], clear["dhi"], albedo=0.2, model="perez-driesse",
        dni_extra=pvlib.irradiance.get_extra_radiation(times),
    ).fillna(0.0)  # fmt: skip
    angle = pvlib.irradiance.aoi(30.0, azimuth, position["apparent_zenith"], position["azimuth"])
    cell = pvlib.temperature.faiman(plane["poa_global"], np.array(air), 2.0, u0=25.0, u1=6.84)
    usable = plane["poa_direct"] * pvlib.iam.physical(angle) + plane["poa_diffuse"]
    rated_dc = nameplate * 1.2 * (1.0 - 0.1408)
    dc = pvlib.pvsystem.pvwatts_dc(usable, cell, rated_dc, -0.0037)
    reference = pvlib.inverter.pvwatts(dc, nameplate / 0.96, eta_inv_nom=0.96).fillna(0.0)
    assert reference.max() > 0.3 * nameplate, "a day without sun checks nothing"
    difference = np.abs(np.array(ours) - np.maximum(reference.to_numpy(), 0.0))
    assert difference.max() < 0.005 * nameplate


@given(
    time_ms=st.integers(1_600_000_000_000, 1_900_000_000_000),
    latitude=st.floats(-89.0, 89.0),
    longitude=st.floats(-180.0, 180.0),
    tilt=st.floats(0.0, 90.0),
    azimuth=st.floats(0.0, 360.0),
)
def test_never_above_nameplate_and_nothing_at_night(
    time_ms: int, latitude: float, longitude: float, tilt: float, azimuth: float
) -> None:
    sites = make_sites(1, latitude=latitude, longitude=longitude)
    settings = {"nameplate_capacity": 4.0, "tilt": tilt, "azimuth": azimuth, "dc_ac_ratio": 1.6}
    fleet = Solar(make_members(SolarSettings, [settings], sites=sites))
    sky = Clear(ClearSettings(), sites, Draws(1)).at(time_ms)
    power = fleet.step(Tick(0, time_ms, 1.0, sky), NOTHING_ASKED).current_output[0]
    up = sun.up_vector(sites.latitude, sites.longitude)
    assert 0.0 <= power <= 4.0
    if sun.cos_zenith(sun.sun_vector(time_ms), up)[0] < np.sin(np.radians(-1.0)):
        assert power == 0.0


def output(fleet: Solar, index: int, sky: WeatherSample, setpoint: float) -> float:
    told = fleet.step(make_tick(index, weather=sky), Orders(np.array([setpoint]), np.zeros(1)))
    return float(told.current_output[0])


def bright(**settings: Any) -> tuple[Solar, WeatherSample]:
    """An array that yields its nameplate of 5 kW: about 09:30 solar time, strong sun."""
    base = {"nameplate_capacity": 5.0, "dc_ac_ratio": 3.0, "tilt": 0.0}
    return Solar(make_members(SolarSettings, [{**base, **settings}])), make_weather(ghi=1000.0)


def test_a_setpoint_curtails_and_its_end_releases() -> None:
    fleet, sky = bright()
    nan = float("nan")
    assert [output(fleet, i, sky, s) for i, s in enumerate([nan, 2.0, 0.0, -3.0, 9.0, nan])] == [
        5.0, 2.0, 0.0, 0.0, 5.0, 5.0,
    ]  # fmt: skip


def test_curtailment_moves_at_its_rate() -> None:
    fleet, sky = bright(curtailment_rate=10.0)
    down = [output(fleet, i, sky, 4.2) for i in range(4)]
    assert down == pytest.approx([4.5, 4.2, 4.2, 4.2])
    assert output(fleet, 4, sky, float("nan")) == pytest.approx(4.7)


@pytest.mark.parametrize(("latitude", "equator"), [(45.0, 180.0), (-45.0, 0.0)])
def test_an_array_faces_the_equator_unless_told(latitude: float, equator: float) -> None:
    sites = make_sites(1, latitude=latitude)
    noon = int(datetime(2026, 3, 20, 16, 30, tzinfo=UTC).timestamp() * 1000)
    sky = Clear(ClearSettings(), sites, Draws(1)).at(noon)

    def power(**azimuth: float) -> float:
        settings = {"nameplate_capacity": 5.0, **azimuth}
        fleet = Solar(make_members(SolarSettings, [settings], sites=sites))
        return float(fleet.step(Tick(0, noon, 1.0, sky), NOTHING_ASKED).current_output[0])

    assert power() == power(azimuth=equator) > 2.0 * power(azimuth=180.0 - equator)
