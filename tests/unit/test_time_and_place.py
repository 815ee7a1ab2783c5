"""Models at far places and odd clocks: the Arctic, the equator, the south, daylight saving."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gridsim.api import Draws, Floats, Orders, Sites, Weather
from gridsim.testing import make_members, make_sites, make_tick
from gridsim_plugins.ders.battery import Battery
from gridsim_plugins.ders.battery.settings import BatterySettings
from gridsim_plugins.ders.ev_charger import EvCharger
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings
from gridsim_plugins.ders.solar import Solar
from gridsim_plugins.ders.solar.settings import SolarSettings
from gridsim_plugins.loads.household import Household
from gridsim_plugins.loads.household.plugin import HouseholdSettings
from gridsim_plugins.weather.clear import Clear, ClearSettings
from gridsim_plugins.weather.synthetic import Synthetic
from gridsim_plugins.weather.synthetic.plugin import SyntheticSettings

HOUR_MS = 3_600_000
TROMSO: dict[str, Any] = {"latitude": 69.65, "longitude": 18.96, "timezone": "Europe/Oslo"}
NAIROBI: dict[str, Any] = {"latitude": 0.0, "longitude": 36.8, "timezone": "Africa/Nairobi"}
SYDNEY: dict[str, Any] = {"latitude": -33.87, "longitude": 151.2, "timezone": "Australia/Sydney"}
MILAN: dict[str, Any] = {"latitude": 45.46, "longitude": 9.19, "timezone": "Europe/Rome"}
ZONES = ["America/Moncton", "Australia/Lord_Howe", "Asia/Kathmandu"]
DAYS_OF_CHANGE = {
    "America/Moncton": (datetime(2026, 3, 8), datetime(2026, 11, 1)),
    "Australia/Lord_Howe": (datetime(2026, 10, 4), datetime(2026, 4, 5)),
    "Asia/Kathmandu": (datetime(2026, 3, 8), datetime(2026, 11, 1)),  # without any
}


def ms(year: int, month: int, day: int, hour: int = 0) -> int:
    return round(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000)


def weathers(sites: Sites) -> list[Weather]:
    small = SyntheticSettings(field_points=256)
    return [Clear(ClearSettings(), sites, Draws(1)), Synthetic(small, sites, Draws(1))]


def solar_day(place: dict[str, Any], start: int, weather: int = 0, tilt: float = 0.0) -> Floats:
    """Power of an array of 5 kW every ten minutes of a day from UTC `start`."""
    sites = make_sites(1, **place)
    settings = {"nameplate_capacity": 5.0, "tilt": tilt}
    fleet = Solar(make_members(SolarSettings, [settings], sites=sites))
    sky, nothing = weathers(sites)[weather], Orders(np.array([np.nan]), np.zeros(1))
    power = []
    for index in range(144):
        at = start + index * 600_000
        tick = make_tick(index, weather=sky.at(at), tick_s=600.0, start_ms=start)
        power.append(fleet.step(tick, nothing).current_output[0])
    return np.array(power)


@pytest.mark.parametrize("weather", [0, 1])
def test_the_arctic_has_sun_all_june_and_none_in_december(weather: int) -> None:
    june, december = (solar_day(TROMSO, ms(2026, m, 20), weather, 30.0) for m in (6, 12))
    assert not december.any()
    # An array that faces south sees the midnight sun as diffuse light only.
    assert (june > 0.0).mean() > 0.8
    assert june.max() > 0.5


def test_days_at_the_equator_are_alike_and_twelve_hours_long() -> None:
    energy = []
    for month in (3, 6, 9, 12):
        power = solar_day(NAIROBI, ms(2026, month, 21))
        assert (power > 0.0).mean() * 24.0 == pytest.approx(12.0, abs=0.7)
        energy.append(power.sum() / 6.0)
    assert min(energy) > 15.0
    assert max(energy) < 1.2 * min(energy)


def test_the_southern_year_is_turned_round() -> None:
    for start, more, less in ((ms(2026, 1, 10), SYDNEY, MILAN), (ms(2026, 7, 10), MILAN, SYDNEY)):
        assert solar_day(more, start).sum() > 1.5 * solar_day(less, start).sum()
        for kind in (0, 1):
            warm, cold = (
                np.mean([weather.at(start + 6 * h * HOUR_MS).temperature_c for h in range(40)])
                for weather in (weathers(make_sites(1, **p))[kind] for p in (more, less))
            )
            assert warm > cold + 4.0


def test_the_household_draws_most_in_its_own_winter() -> None:
    for place, winter, summer in ((SYDNEY, 7, 1), (MILAN, 1, 7), (TROMSO, 1, 7)):
        sites = make_sites(1, **place)
        load = Household(make_members(HouseholdSettings, [{}], sites=sites))
        month = {
            m: sum(load.expected(ms(2026, m, 5) + h * HOUR_MS)[0] for h in range(24 * 14))
            for m in (winter, summer)
        }
        assert month[winter] > 1.15 * month[summer]


@pytest.mark.parametrize("zone", ZONES)
def test_a_site_goes_by_its_zones_clock_over_daylight_saving(zone: str) -> None:
    sites = make_sites(1, timezone=zone)
    for day in DAYS_OF_CHANGE[zone]:
        start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for minute in range(-60, 26 * 60, 5):
            at = start + timedelta(minutes=minute)
            clock = at.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
            local = sites.local_ms(round(at.timestamp() * 1000))[0]
            assert local == round(clock.timestamp() * 1000)


@pytest.mark.parametrize("zone", ZONES)
def test_windows_of_a_battery_keep_to_the_clock_over_daylight_saving(zone: str) -> None:
    settings = {
        "nameplate_capacity": 1.0,
        "energy_capacity_kwh": 50.0,
        "strategy": "time_of_use",
        "charge_windows": ["04:00-05:00"],
        "discharge_windows": ["23:00-23:30"],
        "dead_time": 0.0,
        "time_constant": 0.0,
    }
    for day in DAYS_OF_CHANGE[zone]:
        noon = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        start = round(noon.timestamp() * 1000) - 12 * HOUR_MS
        members = make_members(
            BatterySettings, [settings], sites=make_sites(1, timezone=zone), start_ms=start
        )
        fleet = Battery(members)
        for index in range(48 * 4):
            tick = make_tick(index, tick_s=900.0, start_ms=start)
            told = fleet.step(tick, Orders(np.array([np.nan]), np.zeros(1)))
            clock = datetime.fromtimestamp(tick.time_ms / 1000, ZoneInfo(zone))
            assert (told.current_output[0] < 0.0) == (clock.hour == 4), clock


@pytest.mark.parametrize("zone", ZONES)
def test_the_load_has_no_jump_but_where_the_clock_has(zone: str) -> None:
    load = Household(make_members(HouseholdSettings, [{}], sites=make_sites(1, timezone=zone)))
    for day in DAYS_OF_CHANGE[zone]:
        start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        first = round(start.timestamp() * 1000) - HOUR_MS
        times = [first + minute * 60_000 for minute in range(27 * 60)]
        power = np.array([load.expected(time)[0] for time in times])
        steps = np.abs(np.diff(power))
        # The clock leaps at night, when the profile is flat: at most an hour's change of it.
        assert steps.max() < 0.08
        assert (steps > 0.012).sum() <= 1


@pytest.mark.parametrize("zone", ZONES)
def test_cars_come_and_charge_over_daylight_saving(zone: str) -> None:
    """One car at most, power only with a car, and the evening's peak on the site's clock."""
    settings = {"nameplate_capacity": 7.2, "managed": True, "strategy": "smart"}
    n, nothing = 80, Orders(np.full(80, np.nan), np.zeros(80))
    for day in DAYS_OF_CHANGE[zone]:
        begin = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        start = round(begin.timestamp() * 1000) - 24 * HOUR_MS
        members = make_members(
            EvChargerSettings, [settings] * n, sites=make_sites(1, timezone=zone), start_ms=start
        )
        fleet, drawn, night = EvCharger(members), 0.0, 0.0
        for index in range(3 * 96):
            tick = make_tick(index, tick_s=900.0, start_ms=start)
            told = fleet.step(tick, nothing)
            assert told.current_soc is not None
            power, soc = told.current_output, told.current_soc
            assert not power[np.isnan(soc)].any()
            assert np.nanmax(soc) <= 100.0
            clock = datetime.fromtimestamp(tick.time_ms / 1000, ZoneInfo(zone))
            drawn -= power.sum()
            night -= power.sum() if clock.hour >= 22 or clock.hour < 6 else 0.0
        assert night > 0.6 * drawn > 0.0


def test_the_sky_over_the_date_line_has_no_seam() -> None:
    base = make_sites(2, latitude=-17.0)
    sites = replace(base, longitude=np.array([179.9999, -179.9999]))
    for weather in weathers(sites):
        for hour in range(24):
            sky = weather.at(ms(2026, 1, 10, hour))
            assert abs(np.diff(sky.temperature_c)[0]) < 0.05
            assert abs(np.diff(sky.ghi)[0]) < 60.0
