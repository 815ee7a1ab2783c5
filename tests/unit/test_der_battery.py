"""The battery: energy adds up, losses are the measured ones, limits and strategies hold."""

from __future__ import annotations

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
from gridsim_plugins.ders.battery.plugin import BatterySettings

KINDS: tuple[Mapping[str, Any], ...] = (
    {"nameplate_capacity": 5.0},
    {"nameplate_capacity": 3.57, "energy_capacity_kwh": 8.85, "losses": "siemens_junelight"},
    {"nameplate_capacity": 10.0, "losses": "ideal", "strategy": "idle", "initial_soc": 100.0},
    {"nameplate_capacity": 11.04, "charge_power": 5.0, "strategy": "time_of_use", "min_soc": 20.0},
    {"nameplate_capacity": 9.0, "energy_capacity_kwh": 2.0, "initial_soc": 3.0},
)
NONE = np.array([np.nan])


class TestBatteryContract(FleetContract):
    fleet = Battery
    settings = KINDS


class TestBatteryContractAtOneSecond(FleetContract):
    fleet = Battery
    settings = KINDS
    tick_s = 1.0
    ticks = 60


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
    reserve = min(settings.min_soc, settings.initial_soc)
    assert (soc >= reserve - 1e-9).all()


@pytest.mark.parametrize(("x", "efficiency"), [(0.1, 0.769), (0.5, 0.882), (1.0, 0.868)])
def test_round_trip_of_the_siemens_is_the_measured_one(x: float, efficiency: float) -> None:
    settings = {
        "nameplate_capacity": 3.57,
        "energy_capacity_kwh": 8.85,
        "losses": "siemens_junelight",
    }
    power = x * 3.57
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


def step_at(settings: Mapping[str, Any], hour: int, balance: float) -> float:
    """Output with a share of `balance` at the local hour (START is 09:00 in Moncton)."""
    fleet = Battery(make_members(BatterySettings, [settings]))
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
    assert Battery(members).balances().tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("window", ["6-9", "25:00-26:00", "10:00-10:00", "24:30-25:00"])
def test_a_window_that_is_none_is_refused(window: str) -> None:
    with pytest.raises(ValidationError, match="window"):
        BatterySettings(nameplate_capacity=1.0, charge_windows=(window,))
