"""Water heaters: the tank's energy adds up, people draw as published, comfort is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import Floats, Orders
from gridsim.helpers import thermal
from gridsim.helpers.load_profiles import REFERENCE_KWH, Profile, draws_of
from gridsim.testing import START_MS, FleetContract, make_members, make_sites, make_tick
from gridsim_plugins.ders.water_heater import WaterHeater
from gridsim_plugins.ders.water_heater.settings import WaterHeaterSettings

HOUR_MS = 3_600_000
NAN = float("nan")
HOME: dict[str, Any] = {"nameplate_capacity": 3.0}
KINDS: tuple[dict[str, Any], ...] = (
    HOME,
    {"nameplate_capacity": 4.5, "volume": 300.0, "temperature": 52.0, "daily_draw_kwh": 11.655},
    {"nameplate_capacity": 2.0, "volume": 30.0, "deadband": 1.0, "heat_loss": 1.0},
)


class TestWaterHeaterContract(FleetContract):
    fleet = WaterHeater
    settings = KINDS


class TestManagedWaterHeaterContract(FleetContract):
    fleet = WaterHeater
    settings = tuple({**kind, "managed": True, "max_temperature": 70.0} for kind in KINDS)


class TestWaterHeaterContractAtOneSecond(FleetContract):
    fleet = WaterHeater
    settings = (HOME,)
    tick_s = 1.0
    ticks = 240


class Run:
    """The history of n heaters: arrays of [tick, heater]; heat is positive."""

    def __init__(self, fleet: WaterHeater, setpoints: list[float]) -> None:
        n, members = len(fleet.members), fleet.members
        tick_s = members.tick_ms / 1000
        told = [
            fleet.step(
                make_tick(index, tick_s=tick_s, start_ms=members.start_ms),
                Orders(np.full(n, setpoint), np.zeros(n)),
            )
            for index, setpoint in enumerate(setpoints)
        ]
        self.heat: Floats = -np.array([one.current_output for one in told])
        self.temperature: Floats = np.array([one.extra["tank_temperature"] for one in told])
        self.drawn: Floats = np.array([one.extra["hot_water"] for one in told])
        self.hours = tick_s / 3600.0


def heaters(
    n: int = 1, tick_s: float = 60.0, start_ms: int = START_MS, **settings: Any
) -> WaterHeater:
    entries = [{**HOME, **settings}] * n
    return WaterHeater(make_members(WaterHeaterSettings, entries, tick_s=tick_s, start_ms=start_ms))


@given(
    kind=st.sampled_from(KINDS),
    setpoints=st.lists(st.sampled_from([NAN, 0.0, -0.7, -3.0, -9.0, 5.0]), min_size=1, max_size=5),
    tick_s=st.sampled_from([1.0, 20.0, 60.0]),
    name=st.integers(0, 1000),
)
def test_heat_in_is_losses_and_draws_and_what_is_stored(
    kind: Mapping[str, Any], setpoints: list[float], tick_s: float, name: int
) -> None:
    """To rounding: the losses by the mean temperature of the exact course within each tick."""
    members = make_members(WaterHeaterSettings, [kind], tick_s=tick_s, ids=[f"WH_{name}"])
    run = Run(WaterHeater(members), [one for one in setpoints for _ in range(20)])
    settings = WaterHeaterSettings.model_validate(kind)
    ua, capacity = settings.heat_loss / 1000.0, settings.volume * 4.186 / 3600.0
    now, then = run.temperature[:-1, 0], run.temperature[1:, 0]
    heat, drawn = run.heat[:-1, 0], run.drawn[:-1, 0]
    # The mean of an exponential between its ends, given what it tends to.
    final = settings.room_temperature + (heat - drawn) / ua
    x = ua * run.hours / capacity
    mean = final + (now - final) * (-np.expm1(-x) / x)
    losses = ua * (mean - settings.room_temperature)
    stored = capacity * (then - now) / run.hours
    np.testing.assert_allclose(heat, losses + drawn + stored, atol=1e-8)
    assert (run.heat >= 0.0).all()
    assert (run.heat <= settings.nameplate_capacity).all()
    assert (run.temperature <= settings.temperature + 1e-9).all()
    assert (run.temperature >= settings.cold_temperature).all()


def test_many_short_steps_are_one_long_one() -> None:
    ua, room, capacity = np.array([0.002]), np.array([20.0]), np.array([0.2])
    none, heat = np.zeros(1), np.array([0.5])
    whole = thermal.stiffness(ua, capacity, 1.0)
    part = thermal.stiffness(ua, capacity, 0.1)
    first = now = np.array([50.0])
    for _ in range(10):
        holding = thermal.holding_heat(now, room, ua, none)
        now = thermal.temperature_after(now, heat, holding, part)
    holding = thermal.holding_heat(first, room, ua, none)
    after = thermal.temperature_after(first, heat, holding, whole)
    assert now == pytest.approx(after)
    need = thermal.heat_to_reach(first, after, holding, whole)
    assert need == pytest.approx(0.5)


def test_a_day_of_a_family_is_the_published_one() -> None:
    """Profile M: 5.845 kWh a day, a quarter before 08:00, a quarter near 21:30."""
    midnight = int(datetime(2026, 7, 2, 3, tzinfo=UTC).timestamp() * 1000)
    run = Run(heaters(400, 300.0, midnight, temperature=75.0, max_temperature=75.0), [NAN] * 288)
    by_hour = run.drawn.reshape(24, 12, -1).mean(axis=1)
    assert by_hour.sum(axis=0).mean() == pytest.approx(5.845, rel=0.03)
    assert by_hour.sum(axis=0).std() > 0.4, "every home draws the same"
    mean = by_hour.mean(axis=1)
    assert mean[5:10].sum() == pytest.approx(2.3, rel=0.1)
    assert mean[19:24].sum() == pytest.approx(2.3, rel=0.1)
    assert mean[1:4].max() < 0.05


@pytest.mark.parametrize("profile", get_args(Profile))
def test_a_profile_without_variation_is_the_published_day(profile: Profile) -> None:
    """Each draw of EN 16147 at its minute; energies but for the rounding of a draw to a ms."""
    draws = draws_of(profile)
    assert sum(round(1000 * energy) for _, energy, _ in draws) == 1000 * REFERENCE_KWH[profile]
    assert len(draws) < 32
    fleet = WaterHeater(
        make_members(
            WaterHeaterSettings,
            [{"nameplate_capacity": 30.0, "volume": 1000.0, "profile": profile,
              "draw_variation": 0.0}],
            start_ms=START_MS - 9 * 3_600_000, tick_s=300.0,
        )  # midnight in Moncton
    )  # fmt: skip
    idle = Orders(np.full(1, np.nan), np.zeros(1))
    ticks = (make_tick(i, tick_s=300.0, start_ms=START_MS - 9 * 3_600_000) for i in range(288))
    kw = np.array([fleet.step(tick, idle).extra["hot_water"][0] for tick in ticks])
    assert kw.sum() / 12.0 == pytest.approx(REFERENCE_KWH[profile], rel=5e-5)
    starts = {minute // 5 for minute, _, _ in draws}
    assert starts <= set(np.flatnonzero(kw).tolist())
    assert not kw[: 7 * 12].any(), "none before seven"


@pytest.mark.parametrize(
    ("profile", "kwh", "times"),
    [("M", 1.4, (425, 1290)), ("L", 3.605, (485, 1260)), ("XL", 4.42, (465, 1246, 1290)),
     ("XXL", 6.24, (465, 1246, 1290))],
)  # fmt: skip
def test_the_largest_draws_are_those_of_the_regulation(
    profile: Profile, kwh: float, times: tuple[int, ...]
) -> None:
    """Showers at 07:05 and 21:30; baths at 08:05 and 21:00, or at 07:45, 20:46 and 21:30."""
    largest = [(minute, energy) for minute, energy, _ in draws_of(profile) if energy >= kwh]
    assert largest == [(minute, kwh) for minute in times]


def test_an_energy_of_ones_own_scales_the_profile() -> None:
    settings = {"nameplate_capacity": 3.0, "profile": "L", "daily_draw_kwh": 5.8275}
    tapping = WaterHeater(make_members(WaterHeaterSettings, [settings]))._tapping
    assert tapping._scale == pytest.approx([0.5])


def test_consumption_is_draws_and_standing_losses() -> None:
    """5.845 kWh and 1.6 W/K times about 33 K: 7.1 kWh a day; no jump from the start."""
    run = Run(heaters(400, 300.0), [NAN] * 576)
    days = run.heat.reshape(2, 288, -1).sum(axis=1).mean(axis=1) * run.hours
    assert days == pytest.approx([7.1, 7.1], rel=0.03)


def test_without_draws_it_cycles_between_its_thresholds() -> None:
    run = Run(heaters(5, 60.0, daily_draw_kwh=0.0, heat_loss=20.0), [NAN] * 1440)
    assert run.temperature.min() == pytest.approx(50.0, abs=0.1)
    assert run.temperature.max() == pytest.approx(55.0)
    on = run.heat > 0.0
    starts = (on[1:] & ~on[:-1]).sum(axis=0)
    # Each cycle stores 5 K in 200 l, which 20 W/K at 32.5 K take 1.8 h to lose.
    assert starts == pytest.approx(24.0 / (1.163 / 0.65 + 1.163 / (3.0 - 0.65)), abs=1.1)


def test_the_course_does_not_depend_on_the_tick() -> None:
    fine, coarse = Run(heaters(20, 60.0), [NAN] * 240), Run(heaters(20, 1200.0), [NAN] * 12)
    np.testing.assert_allclose(coarse.temperature, fine.temperature[::20], atol=1e-9)
    each = fine.heat.reshape(12, 20, -1).mean(axis=1)
    np.testing.assert_allclose(coarse.heat, each, atol=1e-9)


def test_draws_of_a_run_that_starts_later_are_the_same() -> None:
    hot: dict[str, Any] = {"temperature": 85.0, "deadband": 1.0}
    early = Run(heaters(30, 60.0, **hot), [NAN] * 600)
    late = Run(heaters(30, 60.0, START_MS + 5 * HOUR_MS, **hot), [NAN] * 300)
    np.testing.assert_allclose(late.drawn, early.drawn[300:], atol=1e-12)


def test_hours_are_those_of_the_sites_clock() -> None:
    """A home in Auckland showers when it is morning there."""
    sites = make_sites(1, timezone="Pacific/Auckland")
    members = make_members(WaterHeaterSettings, [HOME] * 200, sites=sites, tick_s=3600.0)
    run = Run(WaterHeater(members), [NAN] * 24)
    local = (np.arange(24) + 24) % 24  # START is 12:00 UTC, midnight in Auckland
    assert run.drawn.mean(axis=1)[np.isin(local, (6, 7))].mean() > 0.4
    assert run.drawn.mean(axis=1)[np.isin(local, (1, 2, 3))].mean() < 0.05


def test_a_setpoint_sheds_until_the_water_is_too_cold() -> None:
    run = Run(heaters(100, 60.0), [0.0] * 1440)
    warm = run.temperature > 50.0
    assert not run.heat[warm].any()
    assert run.heat.any(), "nobody's water became too cold"
    # A shower of 1.4 kWh takes 6 K at once: only then is it colder for a while.
    assert np.quantile(run.temperature, 0.02) > 44.0


def test_a_setpoint_heats_with_that_power_up_to_the_maximum() -> None:
    fleet = heaters(1, 60.0, max_temperature=65.0, daily_draw_kwh=0.0)
    run = Run(fleet, [-1.5] * 300)
    reached = int(np.argmax(run.temperature[:, 0] >= 65.0 - 1e-9))
    assert 60 < reached < 299
    assert run.heat[: reached - 1, 0] == pytest.approx(1.5)
    assert run.temperature.max() == pytest.approx(65.0)
    # From then on it covers the losses: 1.6 W/K times 45 K.
    assert run.heat[-1, 0] == pytest.approx(0.072, rel=0.01)


@given(tick_s=st.sampled_from([1.0, 60.0, 900.0, 7200.0]), share=st.floats(0.0, 1.0))
def test_what_capability_promises_is_what_a_setpoint_gets(tick_s: float, share: float) -> None:
    fleet = heaters(3, tick_s, max_temperature=60.0, managed=True)
    tick = make_tick(0, tick_s=tick_s)
    able = fleet.capability(tick)
    assert not able.max_kw.any()
    assert (able.min_kw < 0.0).all()
    told = fleet.step(tick, Orders(share * able.min_kw, np.zeros(3)))
    # At least: the water may have become too cold.
    assert (told.current_output <= share * able.min_kw + 1e-9).all()


def test_only_managed_heaters_are_flexible() -> None:
    settings = WaterHeaterSettings.model_validate(HOME)
    assert WaterHeater.stage(settings) == "flexible"
    assert WaterHeater.stage(settings.model_copy(update={"managed": False})) == "free"
