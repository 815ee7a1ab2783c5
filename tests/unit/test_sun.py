"""The sun's position and the clear sky, against published values and pvlib."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from gridsim.helpers import clearsky, sun

SPA_TIME_MS = int(datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC).timestamp() * 1000)
SPA_LATITUDE, SPA_LONGITUDE, SPA_ALTITUDE = np.array([39.742476]), np.array([-105.1786]), 1830.14


def zenith(cosine: float) -> float:
    return float(np.degrees(np.arccos(cosine)))


def test_the_spa_reference() -> None:
    up = sun.up_vector(SPA_LATITUDE, SPA_LONGITUDE)
    cosine = sun.cos_zenith(sun.sun_vector(SPA_TIME_MS), up)
    pressure = np.array([820.0 / 1013.25])
    apparent = zenith((cosine + clearsky.lift(cosine, pressure))[0])
    assert apparent == pytest.approx(50.11162, abs=0.01)


def test_azimuth_of_the_spa_reference() -> None:
    upright = np.array([90.0])
    vector = sun.sun_vector(SPA_TIME_MS)
    east = sun.cos_angle(
        vector, sun.panel_normal(SPA_LATITUDE, SPA_LONGITUDE, upright, np.array([90.0]))
    )
    north = sun.cos_angle(
        vector, sun.panel_normal(SPA_LATITUDE, SPA_LONGITUDE, upright, np.array([0.0]))
    )
    azimuth = float(np.degrees(np.arctan2(east, north))[0]) % 360.0
    assert azimuth == pytest.approx(194.340241, abs=0.02)


@pytest.mark.parametrize("latitude", [69.65, 45.96, 0.0, -33.87])
def test_zenith_against_spa_over_years(latitude: float) -> None:
    import pandas as pd
    import pvlib

    times = pd.date_range("2024-01-01", "2032-01-01", periods=400, tz="UTC")
    reference = pvlib.solarposition.spa_python(times, latitude, 18.0)["zenith"].to_numpy()
    up = sun.up_vector(np.array([latitude]), np.array([18.0]))
    stamps = times.as_unit("ms").asi8
    ours = [zenith(sun.cos_zenith(sun.sun_vector(int(at)), up)[0]) for at in stamps]
    error = np.abs(np.array(ours) - reference)[reference < 90.0]
    assert error.max() < 0.0065
    assert error.mean() < 0.003


def test_extraterrestrial_irradiance_over_the_year() -> None:
    def at(month: int, day: int) -> float:
        time = datetime(2026, month, day, tzinfo=UTC)
        return sun.extraterrestrial(sun.sun_vector(int(time.timestamp() * 1000)))

    assert at(1, 4) == pytest.approx(1412.5, abs=2.0)
    assert at(7, 5) == pytest.approx(1321.5, abs=2.0)


def test_ineichen_reference() -> None:
    height = np.array([np.cos(np.radians(10.56413562))])
    whole, direct = clearsky.transmittances(
        height, np.array([0.93527685]), np.array([3.0]), np.array([0.0])
    )
    ghi, dni = 1364.0 * height * whole, 1364.0 * direct
    assert ghi[0] == pytest.approx(1044.123, abs=0.001)
    assert dni[0] == pytest.approx(953.249, abs=0.001)
    assert (ghi - dni * height)[0] == pytest.approx(107.031, abs=0.001)


def test_air_mass_and_refraction_against_pvlib() -> None:
    import pvlib

    elevation = np.linspace(-0.8, 90.0, 200)
    height = np.sin(np.radians(elevation))
    above = elevation > 0.0
    mass = pvlib.atmosphere.get_relative_airmass(90.0 - elevation[above], "kastenyoung1989")
    np.testing.assert_allclose(clearsky.air_mass(height[above]), mass, rtol=1e-9)
    raised = clearsky.lift(height, np.ones(200))
    lifted = np.degrees(np.arcsin(np.minimum(height + raised, 1.0)))
    bend = pvlib.spa.atmospheric_refraction_correction(1013.25, 12.0, elevation, 0.5667)
    np.testing.assert_allclose(lifted, elevation + bend, atol=2e-4)
