"""Wind turbines: the published curve, gusts with a spectrum, storms, thin air, curtailment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gridsim.api import Draws, Floats, Orders, identities
from gridsim.helpers import weibull
from gridsim.testing import (
    START_MS,
    FleetContract,
    make_members,
    make_sites,
    make_tick,
    make_weather,
)
from gridsim_plugins.ders.wind_turbine import WindTurbine, physics
from gridsim_plugins.ders.wind_turbine.gusts import Gusts, band_weights, variance_below
from gridsim_plugins.ders.wind_turbine.settings import WindTurbineSettings
from gridsim_plugins.ders.wind_turbine.site_wind import SiteWind

STEADY = {"nameplate_capacity": 100.0, "turbulence_intensity": 0.0, "response_s": 0.0}
AT_HUB = {**STEADY, "shear": 0.0}
NAN = float("nan")


class TestWindTurbineContract(FleetContract):
    fleet = WindTurbine
    settings = (
        {"nameplate_capacity": 20.0},
        {"nameplate_capacity": 2000.0, "hub_height": 90.0, "shear": 0.14},
        {"nameplate_capacity": 5.0, "hub_height": 12.0, "turbulence_intensity": 0.4},
        {"nameplate_capacity": 20.0, "mean_wind": 7.5},
    )


class TestWindTurbineContractAtOneSecond(FleetContract):
    fleet = WindTurbine
    settings = ({"nameplate_capacity": 20.0, "curtailment_rate": 1.0},)
    tick_s = 1.0
    ticks = 240
    obeys_within_s = 100.0


class TestManagedWindTurbineContract(FleetContract):
    fleet = WindTurbine
    settings = tuple({**kind, "managed": True} for kind in TestWindTurbineContract.settings)


def turbine(altitude: float = 0.0, tick_s: float = 1.0, **settings: Any) -> WindTurbine:
    sites = make_sites(1, altitude=altitude)
    entry = {**AT_HUB, **settings}
    return WindTurbine(make_members(WindTurbineSettings, [entry], sites=sites, tick_s=tick_s))


def output(
    fleet: WindTurbine, index: int, wind: float, setpoint: float = NAN, temperature: float = 15.0
) -> float:
    sky = make_weather(wind_m_s=wind, temperature_c=temperature)
    tick = make_tick(index, weather=sky, tick_s=fleet.members.tick_ms / 1000)
    return float(fleet.step(tick, Orders(np.array([setpoint]), np.zeros(1))).current_output[0])


# Jonkman, Butterfield, Musial, Scott: Definition of a 5-MW reference wind turbine for offshore
# system development, NREL/TP-500-38060 (2009): electrical output in kW by wind in m/s.
NREL_5MW = {
    3: 40.5, 4: 177.7, 5: 403.9, 6: 737.6, 7: 1187.2, 8: 1771.1, 9: 2518.6, 10: 3448.4,
    11: 4562.5, 11.4: 5000.0, 12: 5000.0, 18: 5000.0, 24: 5000.0,
}  # fmt: skip


def test_the_curve_is_near_that_of_the_reference_turbine() -> None:
    wind = np.array(list(NREL_5MW), np.float64)
    share = physics.power_curve(wind, np.array(3.0), np.array(11.4))
    assert share * 5000.0 == pytest.approx(list(NREL_5MW.values()), abs=0.022 * 5000.0)


@given(st.lists(st.floats(0.0, 24.9), min_size=2, max_size=20))
def test_more_wind_is_never_less_power_below_cut_out(winds: list[float]) -> None:
    winds.sort()
    powers = [output(turbine(), 0, wind) for wind in winds]
    assert powers == sorted(powers)
    assert 0.0 <= powers[0] <= powers[-1] <= 100.0


def test_nothing_below_cut_in_and_the_nameplate_above_rated() -> None:
    fleet = turbine()
    assert [output(fleet, i, wind) for i, wind in enumerate([0.0, 2.9, 12.5, 24.0])] == [
        0.0, 0.0, 100.0, 100.0,
    ]  # fmt: skip


def test_a_storm_stops_it_until_the_wind_has_fallen_well_below() -> None:
    fleet = turbine()
    winds = [24.9, 25.1, 24.0, 22.5, 21.9, 24.0]
    powers = [output(fleet, i, wind) for i, wind in enumerate(winds)]
    assert powers == [100.0, 0.0, 0.0, 0.0, 100.0, 100.0]


def test_wind_grows_with_height_by_the_power_law() -> None:
    high = output(turbine(shear=0.2, hub_height=80.0), 0, 5.0)
    assert high == pytest.approx(output(turbine(hub_height=80.0), 0, 5.0 * 8.0**0.2))


def test_thin_air_carries_less_power() -> None:
    """Below rated, power goes with density: by the standard atmosphere 0.888 at 1000 m."""
    curve = {"cut_in_wind": 0.5, "hub_height": 5.0}
    low, high = turbine(**curve), turbine(altitude=1000.0, **curve)
    warm = turbine(**curve)
    reference = output(low, 0, 8.0)
    assert output(high, 0, 8.0, temperature=8.5) / reference == pytest.approx(0.908, abs=0.002)
    assert output(warm, 0, 8.0, temperature=35.0) / reference == pytest.approx(0.935, abs=0.002)


def run_gusts(seconds: int, n: int = 40) -> Floats:
    """float64[seconds, n]"""
    keys = identities(f"WT_{i}" for i in range(n))
    gusts = Gusts(Draws(3), keys, np.full(n, 30.0))
    return np.array([gusts.at(second * 1000, 1000) for second in range(seconds)])


def test_gusts_have_the_spectrum_of_turbulence() -> None:
    """Variance by band as Kaimal's, and so persistence: seconds agree, minutes do not."""
    deviation = run_gusts(7200)
    length = np.array([8.1 * 0.7 * 30.0])
    slower_than_8s = variance_below(1.0 / 8.0, length, 8.0)[0]
    assert 0.7 < slower_than_8s < 0.95
    assert deviation.mean() == pytest.approx(0.0, abs=0.05)
    assert deviation.var() == pytest.approx(slower_than_8s, rel=0.1)
    minutes = deviation[:7200].reshape(120, 60, -1).mean(axis=1)
    assert minutes.var() == pytest.approx(variance_below(1.0 / 120.0, length, 8.0)[0], rel=0.35)
    lag = [np.mean(deviation[s:] * deviation[:-s]) / deviation.var() for s in (1, 10, 300)]
    assert lag[0] > 0.9
    assert 0.3 < lag[1] < 0.8
    assert abs(lag[2]) < 0.1


def test_bands_leave_out_only_what_a_rotor_averages() -> None:
    weights = band_weights(np.array([50.0, 170.0, 340.0]))
    assert (weights > 0.0).all()
    assert ((weights**2).sum(axis=0) < 1.0).all()


def test_gusts_are_a_function_of_time() -> None:
    n = 5
    keys = identities(f"WT_{i}" for i in range(n))
    forward = run_gusts(900, n)
    fresh = Gusts(Draws(3), keys, np.full(n, 30.0))
    for second in (800, 20, 21, 333, 0):
        np.testing.assert_array_equal(fresh.at(second * 1000, 1000), forward[second])


def test_a_ten_minute_wind_has_the_turbulence_of_the_standard() -> None:
    """IEC 61400-1, class B: 0.14 (0.75 U + 5.6) = 1.62 m/s at 8 m/s."""
    n = 60
    entries = [{**AT_HUB, "turbulence_intensity": 0.14}] * n
    fleet = WindTurbine(make_members(WindTurbineSettings, entries))
    nothing = Orders(np.full(n, np.nan), np.zeros(n))
    sky = make_weather(wind_m_s=8.0)
    winds = [
        fleet.step(make_tick(i, weather=sky), nothing).extra["hub_wind"] for i in range(0, 3600, 7)
    ]
    assert np.mean(winds) == pytest.approx(8.0, abs=0.1)
    assert np.std(winds) == pytest.approx(1.62 * 0.93, rel=0.06)


def test_the_rotor_smooths_a_step_and_keeps_its_energy() -> None:
    coarse = turbine(tick_s=10.0, response_s=3.0)
    fine = turbine(tick_s=0.5, response_s=3.0)
    output(coarse, 0, 5.0)
    output(fine, 0, 5.0)
    coarse_mean = output(coarse, 1, 12.0)
    path = [output(fine, index, 12.0) for index in range(1, 21)]
    assert path == sorted(path)
    assert path[0] < 0.5 * path[-1]
    assert np.mean(path) == pytest.approx(coarse_mean, rel=1e-9)


def test_a_setpoint_curtails_at_its_rate_and_its_end_releases() -> None:
    fleet = turbine(curtailment_rate=20.0)
    setpoints = [NAN, 50.0, 50.0, 50.0, 50.0, NAN, NAN, NAN, -5.0, -5.0, -5.0, -5.0, -5.0, -5.0]
    powers = [output(fleet, i, 15.0, setpoint) for i, setpoint in enumerate(setpoints)]
    assert powers == pytest.approx([100, 80, 60, 50, 50, 70, 90, 100, 80, 60, 40, 20, 0, 0])


def test_a_cut_out_below_rated_is_refused() -> None:
    with pytest.raises(ValidationError, match="cut_out_wind"):
        WindTurbineSettings(nameplate_capacity=1.0, rated_wind=18.0, cut_out_wind=17.0)


@pytest.mark.parametrize("wind", [2.49, 4.0, 8.0, 11.0])
def test_the_energy_does_not_depend_on_the_tick(wind: float) -> None:
    """Gusts shorter than a tick give power in a mean wind below cut-in, and take it near rated."""
    n, seconds = 400, 1800
    entries = [{**AT_HUB, "turbulence_intensity": 0.14}] * n
    nothing = Orders(np.full(n, np.nan), np.zeros(n))
    sky = make_weather(wind_m_s=wind)

    def mean(tick_s: float) -> float:
        fleet = WindTurbine(make_members(WindTurbineSettings, entries, tick_s=tick_s))
        ticks = range(int(seconds / tick_s))
        made = [make_tick(i, weather=sky, tick_s=tick_s) for i in ticks]
        return float(np.mean([fleet.step(tick, nothing).current_output for tick in made]))

    fine = mean(4.0)
    assert fine > 0.0
    for tick_s in (5.0, 100.0, 257.0, 900.0):
        assert mean(tick_s) == pytest.approx(fine, rel=0.05, abs=0.1), tick_s


@pytest.mark.parametrize(("mean", "k"), [(7.5, 2.0), (6.0, 1.6), (10.0, 3.0)])
def test_a_site_with_a_climate_has_a_weibull_wind(mean: float, k: float) -> None:
    """Sixty places for a hundred days; the quantiles are those of the distribution."""
    n = 60
    sites = make_sites(n)
    sites = replace(sites, longitude=np.linspace(-170.0, 170.0, n))
    wind = SiteWind(Draws(1), sites, np.full(n, mean), np.full(n, k))
    found = np.array([wind.at(START_MS + hour * 3_600_000) for hour in range(2400)])
    scale = weibull.scale_of(np.array([mean]), np.array([k]))[0]
    assert found.mean() == pytest.approx(mean, rel=0.03)
    at = np.array([0.1, 0.5, 0.9, 0.99])
    assert np.quantile(found, at) == pytest.approx(
        scale * (-np.log(1.0 - at)) ** (1.0 / k), rel=0.05
    )
    off = found - found.mean()
    lags = [(off[lag:] * off[:-lag]).mean() / (off**2).mean() for lag in (1, 24)]
    assert lags == pytest.approx([0.95, 0.37], abs=0.05)


def test_turbines_of_a_region_share_the_climate_and_others_do_not() -> None:
    sites = replace(make_sites(3), longitude=np.array([8.0, 8.1, 20.0]))
    settings = {"nameplate_capacity": 10.0, "mean_wind": 7.0, "turbulence_intensity": 0.0}
    members = make_members(WindTurbineSettings, [settings] * 3, sites=sites, site=[0, 1, 2])
    weather = make_weather(3, wind_m_s=0.0)
    told = WindTurbine(members).step(
        make_tick(weather=weather), Orders(np.full(3, np.nan), np.zeros(3))
    )
    near, nearer, far = told.extra["hub_wind"]
    assert near == nearer != far
    assert near > 0.0, "not the weather's wind"
