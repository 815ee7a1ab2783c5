"""The battery's energy, losses, limits and wear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gridsim.api import Orders
from gridsim.testing import FleetContract, make_members, make_tick
from gridsim_plugins.ders.battery import Battery, physics
from gridsim_plugins.ders.battery.settings import BatterySettings
from tests.unit.der_battery.batteries import KINDS, drive

FADING = {**KINDS[0], "cycle_life": 400.0, "initial_cycles": 100.0}


class TestBatteryContract(FleetContract):
    fleet = Battery
    settings = (*KINDS, FADING)


class TestBatteryContractAtOneSecond(FleetContract):
    fleet = Battery
    settings = (*KINDS, FADING)
    tick_s = 1.0
    ticks = 60
    obeys_within_s = 30.0


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
