"""Managed EV chargers: cheap hours, setpoints, vehicle-to-grid, and cars ready in time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gridsim.api import Floats, Orders
from gridsim.testing import FleetContract, make_members, make_tick
from gridsim_plugins.ders.ev_charger import EvCharger
from gridsim_plugins.ders.ev_charger.physics import charged, hours_from_empty, soc_after
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings

EVENING_MS = int(datetime(2026, 7, 2, 0, tzinfo=UTC).timestamp() * 1000)  # 21:00 in Moncton
MANAGED = {
    "nameplate_capacity": 7.2,
    "managed": True,
    "battery_capacity_kwh": 60.0,
    "target_soc": 100.0,
    "sessions_per_day": 0.58,
}
SMART = {**MANAGED, "strategy": "smart"}
V2G = {**MANAGED, "v2g": True}
LEAVING = 80.0
Setpoint = float | Floats


class TestManagedContract(FleetContract):
    fleet = EvCharger
    settings = (MANAGED, SMART, V2G, {**V2G, "strategy": "smart", "battery_capacity_kwh": 30.0})


class TestManagedContractOverAWeek(FleetContract):
    fleet = EvCharger
    settings = (SMART, V2G)
    tick_s = 3600.0
    ticks = 168


def fleet_of(n: int, settings: dict[str, Any], start_ms: int = EVENING_MS) -> EvCharger:
    return EvCharger(make_members(EvChargerSettings, [settings] * n, start_ms=start_ms))


def run(
    fleet: EvCharger, ticks: range, tick_s: float, setpoint: Setpoint = float("nan")
) -> tuple[Floats, Floats]:
    """(output, state of charge), [tick, device]; checks that it keeps what it promises."""
    n = len(fleet.members)
    asked = np.broadcast_to(setpoint, (len(ticks), n))
    output, soc = [], []
    for row, index in enumerate(ticks):
        tick = make_tick(index, tick_s=tick_s, start_ms=fleet.members.start_ms)
        able = fleet.capability(tick)
        told = fleet.step(tick, Orders(asked[row], np.zeros(n)))
        assert (told.current_output >= able.min_kw).all()
        assert (told.current_output <= able.max_kw).all()
        output.append(told.current_output)
        soc.append(np.asarray(told.current_soc, np.float64))
    return np.array(output), np.array(soc)


@given(soc=st.floats(0.0, 0.999), rate=st.floats(0.001, 0.5), hours=st.floats(0.0, 30.0))
def test_time_to_charge_is_the_inverse_of_charging(soc: float, rate: float, hours: float) -> None:
    at, power = np.array([soc]), np.array([rate])
    then = charged(at, np.array([1.0]), power, hours)
    since = hours_from_empty(at, power)
    assert soc_after(since, power) == pytest.approx(soc, abs=1e-9)
    assert soc_after(since + hours, power) == pytest.approx(then, abs=1e-9)


def test_without_setpoints_immediate_is_as_unmanaged() -> None:
    free = EvCharger(
        make_members(
            EvChargerSettings,
            [{**MANAGED, "managed": False}] * 60,
            start_ms=EVENING_MS,
        )
    )
    wanted = [
        free.step(
            make_tick(i, tick_s=300.0, start_ms=EVENING_MS),
            Orders(np.full(60, np.nan), np.zeros(60)),
        ).current_output
        for i in range(600)
    ]
    output, _ = run(fleet_of(60, MANAGED), range(600), 300.0)
    np.testing.assert_allclose(output, wanted, atol=1e-9)


def test_smart_charges_in_cheap_hours_and_is_ready_all_the_same() -> None:
    ticks = range(12 * 24 * 4)
    now, now_soc = run(fleet_of(150, MANAGED), ticks, 300.0)
    output, soc = run(fleet_of(150, SMART), ticks, 300.0)
    hour = (21 + np.arange(len(ticks)) * 300 // 3600) % 24
    cheap = (hour >= 22) | (hour < 6)
    assert -now[cheap].sum() < 0.5 * -now.sum()
    # Most of the rest is that of the cars that leave before the cheap hours.
    assert -output[cheap].sum() > 0.65 * -output.sum()
    leaving = ~np.isnan(soc[:-1]) & np.isnan(soc[1:])
    # The last tick in full is still to be charged in the one that is reported.
    np.testing.assert_allclose(soc[:-1][leaving], now_soc[:-1][leaving], atol=1.2)
    assert output.sum() == pytest.approx(now.sum(), rel=0.03)


@pytest.mark.parametrize("tick_s", [60.0, 900.0])
def test_a_smart_run_that_starts_later_sees_the_same(tick_s: float) -> None:
    hour, late = round(3600 / tick_s), 30
    early_out, early_soc = run(fleet_of(60, SMART), range((late + 6) * hour), tick_s)
    out, soc = run(fleet_of(60, SMART, EVENING_MS + late * 3_600_000), range(6 * hour), tick_s)
    np.testing.assert_allclose(out, early_out[late * hour :], atol=1e-6)
    np.testing.assert_allclose(soc, early_soc[late * hour :], atol=1e-7)


def test_a_setpoint_goes_by_whole_amperes_and_pauses_below_six() -> None:
    for asked, power in ((-3.0, -2.88), (-1.44, -1.44), (-1.3, 0.0), (0.0, 0.0), (2.0, 0.0)):
        free, _ = run(fleet_of(200, MANAGED), range(1), 1.0)
        output, _ = run(fleet_of(200, MANAGED), range(1), 1.0, asked)
        strong = free[0] < -3.0
        assert strong.any()
        assert output[0, strong] == pytest.approx(power)


def test_what_is_promised_is_what_a_setpoint_gets() -> None:
    fleet = fleet_of(200, {**V2G, "strategy": "smart"})
    for index in range(600):
        tick = make_tick(index, tick_s=300.0, start_ms=EVENING_MS)
        able = fleet.capability(tick)
        asked = able.max_kw if index // 40 % 2 else able.min_kw
        # A car that has to charge does so at full power whatever is asked.
        free = (able.max_kw > 0.0) | (able.min_kw < 0.0) & (asked < 0.0)
        told = fleet.step(tick, Orders(asked, np.zeros(200)))
        np.testing.assert_allclose(told.current_output[free], asked[free], atol=1e-12)


@pytest.mark.parametrize("tick_s", [240.0, 900.0])
def test_a_car_that_gives_is_charged_back_before_it_leaves(tick_s: float) -> None:
    """A greedy setpoint day and night: each car leaves with what it was promised or could."""
    ticks = range(round(2 * 86_400 / tick_s))
    output, soc = run(fleet_of(240, V2G), ticks, tick_s, 99.0)
    _, best = run(fleet_of(240, V2G), ticks, tick_s)
    assert output.max() == pytest.approx(7.2)
    assert np.nanmin(soc) >= min(30.0, np.nanmin(best)) - 1e-9
    leaving = np.flatnonzero(~np.isnan(soc[:-1]) & np.isnan(soc[1:]))
    rise = 7.2 * 0.9 / 60.0 * tick_s / 36.0
    promised = np.minimum(best[:-1].ravel()[leaving], LEAVING) - rise - 0.01
    assert (soc[:-1].ravel()[leaving] >= promised).all()
    assert -output[output < 0].sum() > 0.5 * output[output > 0].sum(), "it was given back"


def test_state_of_charge_is_the_integral_of_power_both_ways() -> None:
    asked = np.where(np.arange(1440) // 90 % 3 == 0, 4.0, np.nan)[:, None]
    output, soc = run(fleet_of(100, V2G), range(1440), 60.0, asked)
    there = ~np.isnan(soc[:-1]) & ~np.isnan(soc[1:])
    gained = np.diff(soc, axis=0)[there] / 100.0 * 60.0
    power = output[:-1][there] / 60.0
    np.testing.assert_allclose(gained, np.where(power > 0, -power / 0.9, -power * 0.9), atol=1e-9)
    assert (power > 0).any()
    assert not output[np.isnan(soc)].any()


@pytest.mark.parametrize("needs", [{"strategy": "smart"}, {"v2g": True}])
def test_what_needs_management_says_so(needs: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="managed = true"):
        EvChargerSettings.model_validate({"nameplate_capacity": 7.2, "managed": False, **needs})
