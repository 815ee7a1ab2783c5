"""Heat pumps: the building's energy adds up, the COP is the published one, comfort is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gridsim.api import Draws, Floats, Orders, Tick, WeatherSample
from gridsim.testing import FleetContract, make_members, make_sites, make_tick, make_weather
from gridsim_plugins.ders.heat_pump import HeatPump, physics
from gridsim_plugins.ders.heat_pump.settings import HeatPumpSettings
from gridsim_plugins.weather.clear import Clear, ClearSettings

NAN = float("nan")
FIXED: dict[str, Any] = {"room_temperature": 20.0, "internal_gains": 400.0}
"""The settings that are otherwise drawn for each home."""
HOUSE: dict[str, Any] = {"nameplate_capacity": 3.0, **FIXED}
COOLED: dict[str, Any] = {**HOUSE, "cooling_temperature": 25.0}
KINDS: tuple[dict[str, Any], ...] = (
    HOUSE,
    COOLED,
    {
        "nameplate_capacity": 1.5,
        "min_modulation": 100.0,
        "emitter": "floor",
        "deadband": 0.4,
        **FIXED,
    },
    {
        "nameplate_capacity": 8.0,
        "heat_loss": 400.0,
        "heat_capacity": 2.0,
        "solar_aperture": 15.0,
        **FIXED,
    },
)


class TestHeatPumpContract(FleetContract):
    fleet = HeatPump
    settings = (*KINDS, {**HOUSE, "room_temperature": 23.0})


class TestManagedHeatPumpContract(FleetContract):
    fleet = HeatPump
    settings = tuple({**kind, "managed": True} for kind in KINDS)


class TestHeatPumpContractAtOneSecond(FleetContract):
    fleet = HeatPump
    settings = ({**HOUSE, "room_temperature": 26.0},)
    tick_s = 1.0
    ticks = 120


class Run:
    """The course of n pumps: arrays of [tick, pump]; power drawn is positive."""

    def __init__(
        self, fleet: HeatPump, skies: Sequence[WeatherSample], setpoints: Sequence[float]
    ) -> None:
        n, members = len(fleet.members), fleet.members
        told = []
        for index, (sky, setpoint) in enumerate(zip(skies, setpoints, strict=True)):
            at = members.start_ms + index * members.tick_ms
            tick = Tick(index, at, members.tick_ms / 1000, sky)
            told.append(fleet.step(tick, Orders(np.full(n, setpoint), np.zeros(n))))
        self.drawn: Floats = -np.array([one.current_output for one in told])
        self.room: Floats = np.array([one.extra["room_temperature"] for one in told])
        self.heat: Floats = np.array([one.extra["heat_output"] for one in told])


def pumps(n: int = 1, tick_s: float = 60.0, **settings: Any) -> HeatPump:
    return HeatPump(make_members(HeatPumpSettings, [{**HOUSE, **settings}] * n, tick_s=tick_s))


def steady(
    temperature: float, ticks: int, setpoint: float = NAN, n: int = 1, **settings: Any
) -> Run:
    skies = [make_weather(temperature_c=temperature)] * ticks
    return Run(pumps(n, **settings), skies, [setpoint] * ticks)


# Ruhnau, Hirth, Praktiknjo 2019, evaluated by hand: radiators at 40 - To, times 0.85.
@pytest.mark.parametrize(
    ("outdoor", "cop"),
    [(-10.0, 2.108), (-7.0, 2.2763), (2.0, 2.9648), (7.0, 3.4663), (12.0, 4.0528)],
)
def test_the_coefficient_of_performance_is_the_published_one(outdoor: float, cop: float) -> None:
    run = steady(outdoor, 30, room_temperature=25.0, min_modulation=0.0, defrost=False)
    assert run.heat[-1] / run.drawn[-1] == pytest.approx(cop, abs=1e-3)


def test_warmer_outside_or_a_cooler_flow_is_never_worse() -> None:
    outdoor = np.linspace(-40.0, 40.0, 161)
    factor = np.array(0.85)
    cop = physics.heating_cop(outdoor, np.full(161, 35.0), factor)
    assert (np.diff(cop) >= 0.0).all()
    assert (cop >= physics.heating_cop(outdoor, np.full(161, 50.0), factor)).all()
    assert (np.diff(physics.cooling_cop(outdoor, factor)) <= 0.0).all()
    # An air conditioner's EER at 35 C (SEER class A and above): about 2.5 to 3.5.
    assert 2.3 < physics.cooling_cop(np.array(35.0), factor) < 3.5


@given(
    kind=st.sampled_from(KINDS),
    weather=st.lists(
        st.tuples(
            st.floats(-25.0, 21.0),
            st.floats(0.0, 300.0),
            st.sampled_from([NAN, 0.0, -0.5, -2.0, -20.0, 4.0]),
        ),
        min_size=2,
        max_size=40,
    ),
    tick_s=st.sampled_from([1.0, 60.0, 900.0]),
)
def test_heat_in_is_losses_and_what_is_stored(
    kind: dict[str, Any], weather: list[tuple[float, float, float]], tick_s: float
) -> None:
    """To rounding: the losses by the mean temperature of the exact course within each tick."""
    settings = HeatPumpSettings.model_validate(kind)
    skies = [make_weather(temperature_c=outdoor, ghi=ghi) for outdoor, ghi, _ in weather]
    fleet = HeatPump(make_members(HeatPumpSettings, [kind], tick_s=tick_s))
    run = Run(fleet, skies, [setpoint for *_, setpoint in weather])
    assert settings.room_temperature is not None
    assert settings.internal_gains is not None
    ua, hours = settings.heat_loss / 1000.0, tick_s / 3600.0
    x = ua * hours / settings.heat_capacity
    for index in range(len(weather) - 1):
        outdoor, ghi, _ = weather[index]
        now, then = run.room[index, 0], run.room[index + 1, 0]
        if now > settings.room_temperature + 3.0:
            continue  # windows are open: what they let out is not reported
        gains = settings.internal_gains / 1000.0 + settings.solar_aperture * ghi / 1000.0
        final = outdoor + (run.heat[index, 0] + gains) / ua
        mean = final + (now - final) * (-np.expm1(-x) / x)
        stored = settings.heat_capacity * (then - now) / hours
        losses = ua * (mean - outdoor)
        assert run.heat[index, 0] + gains == pytest.approx(losses + stored, abs=1e-7)
    assert (run.drawn >= 0.0).all()
    assert (run.drawn <= settings.nameplate_capacity).all()


def test_in_the_cold_it_modulates_and_holds_the_room() -> None:
    """150 W/K times 25 K less 400 W of gains: 3.35 kW of heat, whatever the tick."""
    for tick_s in (1.0, 60.0, 3600.0):
        run = steady(-5.0, 50, tick_s=tick_s, defrost=False)
        assert run.room == pytest.approx(20.0)
        assert run.heat == pytest.approx(3.35)


def test_where_little_heat_is_needed_it_cycles_within_the_deadband() -> None:
    run = steady(10.0, 2880, n=30, solar_aperture=0.0)
    assert run.room.min() > 19.45
    assert run.room.max() < 20.55
    on = run.heat > 0.0
    assert np.median(run.drawn[on]) == pytest.approx(0.75)
    assert run.drawn.max() < 1.5
    starts = (on[1:] & ~on[:-1]).sum(axis=0)
    assert starts.min() >= 2
    assert starts.max() <= 8
    # The mean heat is what the building loses, and the start shows no fleet in step.
    assert run.heat.mean() == pytest.approx(0.15 * 10.0 - 0.4, rel=0.05)
    assert 0.1 < on[0].mean() < 0.6


def test_one_that_is_too_small_runs_flat_out_and_the_room_gets_cold() -> None:
    run = steady(-20.0, 2880, nameplate_capacity=1.0)
    assert run.drawn == pytest.approx(1.0)
    assert run.room[-1] < 17.0
    assert (np.diff(run.room[:, 0]) < 0.0).all()


@pytest.mark.parametrize("latitude", [0.0, 45.0, 69.65])
@pytest.mark.parametrize("month", [1, 4, 7])
def test_a_house_starts_settled(latitude: float, month: int) -> None:
    """At the same hour of the next days it is as warm as at the start, in any season."""
    sites = make_sites(1, latitude=latitude)
    start = int(datetime(2026, month, 15, 2, tzinfo=UTC).timestamp() * 1000)
    members = make_members(
        HeatPumpSettings, [{**COOLED, "nameplate_capacity": 6.0}] * 5,
        sites=sites, start_ms=start, tick_s=600.0,
    )  # fmt: skip
    weather = Clear(ClearSettings(), sites, Draws(1))
    skies = [weather.at(start + index * 600_000) for index in range(433)]
    run = Run(HeatPump(members), skies, [NAN] * 433)
    assert np.abs(run.room[432] - run.room[0]).max() < 2.0
    assert run.room.min() > 19.3
    assert run.room.max() < 26.0


def test_in_summer_it_cools_only_if_it_may() -> None:
    hot = [make_weather(temperature_c=32.0, ghi=300.0)] * 1440
    members = make_members(HeatPumpSettings, [HOUSE, COOLED], tick_s=60.0)
    run = Run(HeatPump(members), hot, [NAN] * 1440)
    assert not run.drawn[:, 0].any()
    assert run.room[-1, 0] > 28.0
    assert run.room[:, 1].max() < 25.6
    assert (run.heat[:, 1] <= 0.0).all()
    assert run.drawn[-1, 1] > 0.0


def test_open_windows_let_the_heat_of_a_sunny_day_out() -> None:
    sunny = [make_weather(temperature_c=15.0, ghi=500.0)] * 2880
    sealed = 15.0 + (0.4 + 3.0 * 0.5) / 0.15
    run = Run(pumps(), sunny, [NAN] * 2880)
    assert run.room[-1, 0] < sealed - 2.0
    assert run.room[-1, 0] > 20.0


def test_shedding_ends_where_comfort_does() -> None:
    run = steady(-5.0, 1440, 0.0)
    shed = int(np.argmax(run.heat[:, 0] > 0.0))
    # 6.4 kWh/K and 1.5 K plus half of the deadband, at 3.2 kW: four hours.
    assert shed / 60.0 == pytest.approx(6.4 * 2.0 / 3.2, rel=0.1)
    assert run.room.min() == pytest.approx(18.0, abs=0.02)
    assert run.heat[-1, 0] == pytest.approx(0.15 * 23.5 - 0.4, rel=0.02)


def test_a_setpoint_preheats_with_that_power_and_no_further_than_comfort() -> None:
    run = steady(0.0, 600, -2.5)
    reached = int(np.argmax(run.room[:, 0] >= 21.5 - 1e-9))
    assert 60 < reached < 599
    assert run.drawn[: reached - 1, 0] == pytest.approx(2.5)
    assert run.room.max() == pytest.approx(21.5)
    assert run.heat[-1, 0] == pytest.approx(0.15 * 21.5 - 0.4)


def test_less_than_the_compressor_can_do_is_nothing() -> None:
    assert not steady(0.0, 10, -0.7).drawn.any()
    assert steady(0.0, 10, -0.8).drawn == pytest.approx(0.8)


@given(
    kind=st.sampled_from(KINDS),
    outdoor=st.floats(-20.0, 38.0),
    tick_s=st.sampled_from([1.0, 60.0, 3600.0]),
    share=st.floats(0.0, 1.0),
)
def test_what_capability_promises_is_what_a_setpoint_gets(
    kind: dict[str, Any], outdoor: float, tick_s: float, share: float
) -> None:
    fleet = HeatPump(make_members(HeatPumpSettings, [kind], tick_s=tick_s))
    tick = make_tick(0, weather=make_weather(temperature_c=outdoor), tick_s=tick_s)
    able = fleet.capability(tick)
    assert able.max_kw == 0.0
    setpoint = share * able.min_kw
    output = fleet.step(tick, Orders(setpoint, np.zeros(1))).current_output
    # At least: the room may have become too cold for less.
    least = kind["nameplate_capacity"] * kind.get("min_modulation", 25.0) / 100.0
    if -setpoint[0] >= least:
        assert output[0] <= setpoint[0] + 1e-9


def test_only_managed_pumps_are_flexible() -> None:
    settings = HeatPumpSettings.model_validate(HOUSE)
    assert HeatPump.stage(settings) == "flexible"
    assert HeatPump.stage(settings.model_copy(update={"managed": False})) == "free"


def test_setpoints_too_close_are_refused() -> None:
    with pytest.raises(ValidationError, match="3 K above"):
        HeatPumpSettings(nameplate_capacity=1.0, room_temperature=22.0, cooling_temperature=24.0)
