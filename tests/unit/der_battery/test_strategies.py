"""The battery's strategies and the lag with which it follows its meter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gridsim.api import Orders
from gridsim.testing import make_members, make_tick
from gridsim_plugins.ders.battery import Battery
from gridsim_plugins.ders.battery.response import Response
from gridsim_plugins.ders.battery.settings import BatterySettings
from tests.unit.der_battery.batteries import KINDS, drive

NONE = np.array([np.nan])


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
