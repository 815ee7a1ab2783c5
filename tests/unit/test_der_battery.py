"""The battery: energy adds up, losses are the measured ones, limits and strategies hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gridsim.api import Floats, Orders
from gridsim.testing import FleetContract, make_members, make_tick
from gridsim_plugins.ders.battery import Battery, physics
from gridsim_plugins.ders.battery.response import Response
from gridsim_plugins.ders.battery.settings import BatterySettings

KINDS: tuple[Mapping[str, Any], ...] = (
    {"nameplate_capacity": 5.0},
    {"nameplate_capacity": 3.57, "energy_capacity_kwh": 8.85, "losses": "siemens_junelight"},
    {"nameplate_capacity": 10.0, "losses": "ideal", "strategy": "idle", "initial_soc": 100.0},
    {"nameplate_capacity": 11.04, "charge_power": 5.0, "strategy": "time_of_use", "min_soc": 20.0},
    {"nameplate_capacity": 9.0, "energy_capacity_kwh": 2.0, "initial_soc": 3.0},
    {
        "nameplate_capacity": 4.0,
        "loss_charge": [0.02, 0.01, 0.005],
        "loss_discharge": [0.03, 0.0, 0.005],
        "cell_efficiency": 92.0,
        "dead_time": 2.25,
        "time_constant": 3.0,
        "standby_full": 18.0,
        "standby_empty": 5.0,
    },
)
FADING = {**KINDS[0], "cycle_life": 400.0, "initial_cycles": 100.0}
NONE = np.array([np.nan])


class TestBatteryContract(FleetContract):
    fleet = Battery
    settings = (*KINDS, FADING)


class TestBatteryContractAtOneSecond(FleetContract):
    fleet = Battery
    settings = (*KINDS, FADING)
    tick_s = 1.0
    ticks = 60
    obeys_within_s = 30.0


def drive(settings: Mapping[str, Any], powers: list[float], tick_s: float) -> tuple[Floats, Floats]:
    """Gives setpoints to one battery: (output, state of charge), one longer for the end."""
    fleet = Battery(make_members(BatterySettings, [settings], tick_s=tick_s))
    output, soc = [], []
    for index, power in enumerate([*powers, 0.0]):
        tick = make_tick(index, tick_s=tick_s)
        told = fleet.step(tick, Orders(np.array([power]), np.zeros(1)))
        assert told.current_soc is not None
        output.append(float(told.current_output[0]))
        soc.append(float(told.current_soc[0]))
    return np.array(output), np.array(soc)


@given(
    kind=st.sampled_from(KINDS),
    powers=st.lists(st.floats(-15.0, 15.0), min_size=1, max_size=60),
    tick_s=st.sampled_from([0.1, 1.0, 60.0, 900.0, 7200.0]),
)
def test_state_of_charge_is_the_integral_of_power(
    kind: Mapping[str, Any], powers: list[float], tick_s: float
) -> None:
    output, soc = drive(kind, powers, tick_s)
    settings = BatterySettings.model_validate(kind)
    if settings.cell_efficiency is not None:
        coefficients = (0.02, 0.01, 0.005, 0.03, 0.0, 0.005, 0.92)
    else:
        coefficients = {
            "generic": (0.0355, -0.0031, 0.0182, 0.0376, -0.0036, 0.0193, 0.95),
            "siemens_junelight": (0.0302, 0.0098, 0.0100, 0.0431, 0.0065, 0.0107, 0.9687),
            "ideal": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        }[settings.losses]
    *curves, cell = coefficients
    rated = settings.nameplate_capacity
    stored = 0.0
    for power, now, then in zip(output[:-1], soc[:-1], soc[1:], strict=True):
        x = abs(power) / rated
        a, b, c = curves[:3] if power < 0 else curves[3:]
        loss = rated * (a * x * x + b * x + c)
        if power < 0:
            stored = max(-power - loss, 0.0) * cell**0.5
        else:
            stored = -(power + loss) / cell**0.5 if power > 0 else 0.0
        gained = (then - now) / 100.0 * settings.energy_capacity_kwh
        assert gained == pytest.approx(stored * tick_s / 3600.0, abs=1e-11)
    assert (soc >= 0.0).all()
    assert (soc <= 100.0).all()
    reserve = min(settings.min_soc, soc[0])
    assert (soc >= reserve - 1e-9).all()


@pytest.mark.parametrize(("x", "efficiency"), [(0.1, 0.769), (0.5, 0.882), (1.0, 0.868)])
def test_round_trip_of_the_siemens_is_the_measured_one(x: float, efficiency: float) -> None:
    settings = {
        "nameplate_capacity": 3.57,
        "energy_capacity_kwh": 8.85,
        "losses": "siemens_junelight",
    }
    power = x * 3.57
    # Reaching the power takes the Siemens some seconds, which the mean over 600 s hardly shows.
    charged, full = drive({**settings, "initial_soc": 40.0}, [-power] * 600, 1.0)
    drained, empty = drive({**settings, "initial_soc": 60.0}, [power] * 600, 1.0)
    per_kwh_in = (full[-1] - full[0]) / -charged.sum()
    per_kwh_out = (empty[0] - empty[-1]) / drained.sum()
    assert per_kwh_in / per_kwh_out == pytest.approx(efficiency, abs=0.01)


@given(share=st.floats(0.0, 1.0))
def test_the_inverse_of_the_losses_is_their_inverse(share: float) -> None:
    curve = physics.LossCurve(np.array(0.0355), np.array(-0.0031), np.array(0.0182))
    rated = np.array(5.0)
    power = np.array(share * 5.0)
    dc = physics.dc_charging(power, rated, curve)
    if dc > 0.0:
        assert physics.ac_for_charging(dc, rated, curve) == pytest.approx(power)
    if power > 0.0:
        out = physics.dc_discharging(power, rated, curve)
        assert physics.ac_for_discharging(out, rated, curve) == pytest.approx(power)


def test_power_fades_near_full_and_near_the_reserve() -> None:
    base = {"nameplate_capacity": 5.0, "min_soc": 20.0}
    full, _ = drive({**base, "initial_soc": 95.0}, [-5.0], 1.0)
    low, _ = drive({**base, "initial_soc": 22.5}, [5.0], 1.0)
    below, _ = drive({**base, "initial_soc": 15.0}, [5.0], 1.0)
    assert full[0] == pytest.approx(-2.5)
    assert low[0] == pytest.approx(2.5)
    assert below[0] == 0.0


@pytest.mark.parametrize("kind", [*KINDS, FADING])
@pytest.mark.parametrize("tick_s", [60.0, 900.0])
def test_a_standing_charge_order_fills_the_battery_which_then_rests(
    kind: Mapping[str, Any], tick_s: float
) -> None:
    ticks = round(12 * 3600 / tick_s)
    output, soc = drive(
        {**kind, "initial_soc": 80.0}, [-kind["nameplate_capacity"]] * ticks, tick_s
    )
    assert soc[-1] == pytest.approx(100.0, abs=2e-7)
    full = int(np.argmax(soc >= soc[-1]))
    assert (np.diff(soc[: full + 1]) > 0.0).all(), "draws while nothing arrives"
    settings = BatterySettings.model_validate(kind)
    watts = settings.standby_full
    if watts is None:
        watts = settings.preset.standby_full_w
    assert output[full:] == pytest.approx(-watts / 1000.0, abs=1e-9)


def test_a_battery_that_cannot_charge_against_its_losses_draws_nothing() -> None:
    settings = {"nameplate_capacity": 5.0, "charge_power": 0.08, "initial_soc": 50.0}
    output, soc = drive(settings, [-5.0] * 3, 60.0)
    assert not output.any()
    assert (soc == 50.0).all()


def step_at(settings: Mapping[str, Any], hour: int, balance: float) -> float:
    """Output with a share of `balance` at the local hour (START is 09:00 in Moncton)."""
    at_once = {"dead_time": 0.0, "time_constant": 0.0}
    fleet = Battery(make_members(BatterySettings, [{**settings, **at_once}]))
    tick = make_tick((hour - 9) * 3600)
    return float(fleet.step(tick, Orders(NONE, np.array([balance]))).current_output[0])


def test_strategies() -> None:
    own = {"nameplate_capacity": 5.0}
    idle = {**own, "strategy": "idle"}
    windows = {**own, "strategy": "time_of_use"}
    assert step_at(own, 12, 1.5) == 1.5
    assert step_at(own, 12, -1.5) == -1.5
    assert step_at(idle, 12, 1.5) == 0.0
    assert step_at(windows, 12, 1.5) == 0.0
    assert step_at(windows, 12, -1.5) == -1.5
    assert step_at(windows, 17, 1.5) == 1.5
    assert step_at(windows, 17, -1.5) == 0.0
    assert step_at(windows, 27, 1.5) == -5.0


def test_a_window_may_pass_midnight() -> None:
    night = {
        "nameplate_capacity": 5.0,
        "strategy": "time_of_use",
        "charge_windows": ["22:00-05:30"],
    }
    assert step_at(night, 23, 0.0) == -5.0
    assert step_at(night, 29, 0.0) == -5.0
    assert step_at(night, 30, 0.0) == 0.0


def test_only_idle_batteries_take_no_share() -> None:
    members = make_members(BatterySettings, KINDS)
    assert Battery(members).balances().tolist() == [True, True, False, True, True, True]


@pytest.mark.parametrize("window", ["6-9", "25:00-26:00", "10:00-10:00", "24:30-25:00"])
def test_a_window_that_is_none_is_refused(window: str) -> None:
    with pytest.raises(ValidationError, match="window"):
        BatterySettings(nameplate_capacity=1.0, charge_windows=(window,))


def test_the_siemens_follows_after_its_dead_time_and_time_constant() -> None:
    """At ticks of 0.1 s: nothing for 1.6 s, then 63 % of the way in each 0.6 s."""
    settings = {"nameplate_capacity": 3.57, "losses": "siemens_junelight", "min_soc": 0.0}
    output, _ = drive(settings, [2.0] * 60, 0.1)
    assert (output[:16] < 0.0).all(), "not at rest during the dead time"
    for index in (18, 22, 40):
        since = (index - 16) * 0.1 + np.array([0.0, 0.1])
        mean = 2.0 - 2.0 * -np.diff(np.exp(-since / 0.6))[0] * 0.6 / 0.1
        assert output[index] == pytest.approx(mean, rel=1e-9)
    assert output[59] == pytest.approx(2.0, abs=2e-3)


@given(
    wishes=st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=8),
    dead=st.floats(0.0, 9.0),
    tau=st.one_of(st.just(0.0), st.floats(0.05, 20.0)),
    parts=st.integers(2, 12),
)
def test_the_response_is_the_same_at_any_tick(
    wishes: list[float], dead: float, tau: float, parts: int
) -> None:
    """The mean over a tick is the mean over its parts."""
    rated, at = np.array([5.0]), (np.array([dead]), np.array([tau]))
    whole, cut = Response(rated, *at, 3.0), Response(rated, *at, 3.0 / parts)
    for wish in wishes:
        mean = whole.follow(np.array([wish]))
        fine = np.mean([cut.follow(np.array([wish])) for _ in range(parts)])
        assert mean[0] == pytest.approx(fine, abs=2e-3)


def test_by_default_the_grid_sees_a_step_of_the_load_for_a_moment() -> None:
    """Dead time 1.115 s and time constant 0.6 s: the medians of four measured systems."""
    settings = {"nameplate_capacity": 5.0, "initial_soc": 60.0}
    fleet = Battery(make_members(BatterySettings, [settings]))
    none = np.array([math.nan])
    output = [
        float(fleet.step(make_tick(n), Orders(none, np.array([2.0]))).current_output[0])
        for n in range(6)
    ]
    # The mean over second n of 2 kW (1 - exp(-(t - 1.115) / 0.6)).
    shares = [0.0]
    for n in range(1, 6):
        begin, end = max(n - 1.115, 0.0), n + 1 - 1.115
        left = 0.6 * (math.exp(-begin / 0.6) - math.exp(-end / 0.6))
        shares.append(end - begin - left)
    assert output == pytest.approx([2.0 * share for share in shares], abs=2e-3)
    assert output[0] == 0.0
    assert output[1] == pytest.approx(0.843, abs=2e-3)
    assert output[5] == pytest.approx(2.0, abs=2e-3)


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({}, -3.0),
        ({"dead_time": 2.0}, 0.0),
        ({"losses": "siemens_junelight"}, 0.0),
        ({"losses": "ideal"}, -3.0),
    ],
)
def test_a_setpoint_has_the_lag_of_a_measured_system_or_the_one_that_is_set(
    settings: Mapping[str, Any], first: float
) -> None:
    battery = {"nameplate_capacity": 5.0, "initial_soc": 60.0, **settings}
    fleet = Battery(make_members(BatterySettings, [battery]))
    orders = Orders(np.array([-3.0]), np.array([2.0]))
    # At rest the Siemens draws 14 W for itself.
    assert fleet.step(make_tick(0), orders).current_output[0] == pytest.approx(first, abs=0.02)


@pytest.mark.parametrize(("strategy", "hour", "kw"), [("idle", 12, 0.0), ("time_of_use", 27, -5.0)])
def test_what_does_not_come_from_the_meter_has_no_lag(strategy: str, hour: int, kw: float) -> None:
    settings = {"nameplate_capacity": 5.0, "strategy": strategy}
    fleet = Battery(make_members(BatterySettings, [settings]))
    begin, zero = (hour - 9) * 3600, np.zeros(1)
    ordered = Orders(np.array([3.0]), zero)
    assert fleet.step(make_tick(begin), ordered).current_output[0] == 3.0
    free = Orders(np.array([math.nan]), zero)
    assert fleet.step(make_tick(begin + 1), free).current_output[0] == kw


def test_a_limit_holds_from_its_first_tick() -> None:
    fleet = Battery(make_members(BatterySettings, [{"nameplate_capacity": 5.0}]))
    none, balance = np.array([math.nan]), np.array([2.0])
    for n in range(5):
        fleet.step(make_tick(n), Orders(none, balance))
    limited = Orders(none, balance, np.array([-1.0]), np.array([0.5]))
    assert fleet.step(make_tick(5), limited).current_output[0] == 0.5


def test_a_long_tick_simply_reaches_the_target() -> None:
    settings = {"nameplate_capacity": 3.57, "losses": "siemens_junelight"}
    output, _ = drive({**settings, "initial_soc": 90.0}, [-1.0] * 3, 60.0)
    assert output[0] == pytest.approx(-1.0 * (60.0 - 2.2) / 60.0)
    assert output[1:3] == pytest.approx(-1.0)


def test_standby_is_drawn_at_rest_and_only_then() -> None:
    settings = {"nameplate_capacity": 3.57, "losses": "siemens_junelight", "min_soc": 0.0}
    for soc, watts in ((100.0, 14.9), (50.0, 13.5), (0.0, 12.1)):
        output, now = drive({**settings, "initial_soc": soc}, [0.0] * 3, 60.0)
        assert output == pytest.approx(-watts / 1000.0)
        assert (now == soc).all(), "standby comes from the site"
    quick = {**settings, "dead_time": 0.0, "time_constant": 0.0, "initial_soc": 50.0}
    output, _ = drive(quick, [1.0, -1.0, 0.0], 1.0)
    assert output == pytest.approx([1.0, -1.0, -0.0135, -0.0135], abs=1e-5)


def test_power_comes_to_rest() -> None:
    settings = {"nameplate_capacity": 3.57, "losses": "siemens_junelight"}
    output, soc = drive(settings, [3.0] * 20 + [0.0] * 20, 1.0)
    assert (output[-8:] < 0.0).all()
    assert soc[-1] == soc[-8]


@given(
    kind=st.sampled_from((*KINDS, FADING)),
    powers=st.lists(st.floats(-15.0, 15.0), min_size=1, max_size=40),
    tick_s=st.sampled_from([0.5, 60.0, 900.0]),
)
def test_output_stays_within_what_capability_says(
    kind: Mapping[str, Any], powers: list[float], tick_s: float
) -> None:
    fleet = Battery(make_members(BatterySettings, [kind], tick_s=tick_s))
    for index, power in enumerate(powers):
        tick = make_tick(index, tick_s=tick_s)
        able = fleet.capability(tick)
        told = fleet.step(tick, Orders(np.array([power]), np.zeros(1)))
        assert able.min_kw <= told.current_output <= able.max_kw


def test_capacity_fades_with_the_root_of_the_cycles() -> None:
    assert physics.faded(np.array([0.0, 1500.0, 6000.0]), np.array(6000.0)) == pytest.approx(
        [1.0, 0.9, 0.8]
    )
    settings = {
        "nameplate_capacity": 5.0,
        "energy_capacity_kwh": 5.0,
        "losses": "ideal",
        "min_soc": 0.0,
        "cycle_life": 400.0,
    }
    fleet = Battery(make_members(BatterySettings, [settings], tick_s=3600.0))
    throughput = 0.0
    for index in range(400):
        asked = np.array([5.0 if index % 2 else -5.0])
        told = fleet.step(make_tick(index, tick_s=3600.0), Orders(asked, np.zeros(1)))
        throughput += abs(float(told.current_output[0]))
        left = told.extra["state_of_health"][0]
    expected = physics.faded(np.array(throughput / 10.0), np.array(400.0)) * 100.0
    assert left == pytest.approx(expected, abs=0.1)
    assert left < 90.0


@pytest.mark.parametrize(
    "curve", [[-0.1, 0.0, 0.0], [0.1, -0.2, 0.01], [0.5, 0.0, 0.0], [0.0, 0.5, 0.6]]
)
def test_a_loss_curve_that_is_unphysical_is_refused(curve: list[float]) -> None:
    for field in ("loss_charge", "loss_discharge"):
        with pytest.raises(ValidationError, match="loss curve"):
            BatterySettings.model_validate({"nameplate_capacity": 1.0, field: curve})
