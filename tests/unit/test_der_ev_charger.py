"""EV chargers: sessions as published, charging that adds up, the same from any start."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import Draws, Floats, Orders
from gridsim.testing import FleetContract, make_members, make_tick
from gridsim_plugins.ders.ev_charger import EvCharger
from gridsim_plugins.ders.ev_charger.home import home_sessions
from gridsim_plugins.ders.ev_charger.physics import charged, pilot_power
from gridsim_plugins.ders.ev_charger.sessions import DAY_MS
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings

# Saturday to Friday make no difference to the model; 21:00 in Moncton.
EVENING_MS = int(datetime(2026, 7, 2, 0, tzinfo=UTC).timestamp() * 1000)
# A car that is the same in each home, so that its sessions are those of Trondheim.
SAME_CAR = {"battery_capacity_kwh": 60.0, "target_soc": 100.0, "sessions_per_day": 0.58}
TYPICAL = {"nameplate_capacity": 7.2, **SAME_CAR}


class TestEvChargerContract(FleetContract):
    fleet = EvCharger
    settings = (
        TYPICAL,
        {"nameplate_capacity": 22.0, "onboard_limit": 22.0, "phases": 3, "volts": 230.0},
        {"nameplate_capacity": 3.6, "battery_capacity_kwh": 20.0, "target_soc": 80.0},
    )


class TestEvChargerContractOverAWeek(FleetContract):
    fleet = EvCharger
    settings = (TYPICAL,)
    tick_s = 3600.0
    ticks = 168


def fleet_of(n: int, start_ms: int = EVENING_MS, **settings: float) -> EvCharger:
    entries = [{**TYPICAL, **settings}] * n
    return EvCharger(make_members(EvChargerSettings, entries, start_ms=start_ms))


def run(
    fleet: EvCharger, ticks: range, tick_s: float, setpoint: float = float("nan")
) -> tuple[Floats, Floats]:
    """(output, state of charge), [tick, device]."""
    n = len(fleet.members)
    orders = Orders(np.full(n, setpoint), np.zeros(n))
    told = [
        fleet.step(make_tick(i, tick_s=tick_s, start_ms=fleet.members.start_ms), orders)
        for i in ticks
    ]
    soc = [np.asarray(one.current_soc, np.float64) for one in told]
    return np.array([one.current_output for one in told]), np.array(soc)


@given(
    soc=st.floats(0.0, 1.0),
    rate=st.floats(0.001, 0.5),
    hours=st.floats(0.0, 30.0),
    parts=st.integers(2, 9),
)
def test_many_short_steps_are_one_long_one(
    soc: float, rate: float, hours: float, parts: int
) -> None:
    target, power = np.array([1.0]), np.array([rate])
    whole = charged(np.array([soc]), target, power, hours)
    now = np.array([soc])
    for _ in range(parts):
        then = charged(now, target, power, hours / parts)
        assert now <= then <= 1.0
        assert then - now <= rate * hours / parts + 1e-12
        now = then
    assert now == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize(
    ("kw", "taper_from"), [(3.6, 0.99), (7.2, 0.982), (11.0, 0.9725), (22.0, 0.945)]
)
def test_a_car_tapers_close_to_full_and_earlier_at_a_higher_rate(
    kw: float, taper_from: float
) -> None:
    """A car of 60 kWh at an efficiency of 90 %."""
    target, rate, step_h = np.array([1.0]), np.array([kw * 0.9 / 60.0]), 1.0 / 3600.0
    below = charged(np.array([taper_from - 1e-6]), target, rate, 1e-9)
    assert below[0] - taper_from + 1e-6 == pytest.approx(rate[0] * 1e-9, rel=1e-3)
    soc, gains = np.array([taper_from]), [float(rate[0] * step_h)]
    while soc[0] < 1.0:
        then = charged(soc, target, rate, step_h)
        gains.append(float(then[0] - soc[0]))
        soc = then
        assert len(gains) < 3600, "not full within an hour"
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(gains))
    assert gains[-2] == pytest.approx(min(rate[0], 0.06) * step_h)


def test_sessions_are_as_published() -> None:
    """Measured on 60 days of 1,500 users; Trondheim's quantiles within 10 %."""
    n, m = 1500, 60
    days = np.broadcast_to(np.arange(20_000, 20_000 + m), (n, m))
    keys = np.arange(n, dtype=np.uint64) * np.uint64(7919)
    found = home_sessions(Draws(1), keys, days, np.full(n, 0.58))
    real = found.takes_place
    stay = (found.departure_ms - found.arrival_ms)[real] / 3.6e6
    start = found.arrival_ms[real] % DAY_MS / 3.6e6
    energy = found.energy_kwh[real]
    assert real.mean() == pytest.approx(0.58, rel=0.03)
    assert np.quantile(energy, [0.5, 0.95]) == pytest.approx([8.2, 30.9], rel=0.1)
    assert np.mean(stay) == pytest.approx(12.8, rel=0.1)
    assert np.quantile(stay, [0.5, 0.95]) == pytest.approx([11.25, 37.7], rel=0.1)
    assert np.quantile(start, [0.05, 0.5, 0.95]) == pytest.approx([9.9, 17.4, 22.6], rel=0.1)
    days_on = found.departure_ms[real] // DAY_MS - found.arrival_ms[real] // DAY_MS
    leave = found.departure_ms[real][(days_on == 1) & (stay < 24)] % DAY_MS / 3.6e6
    assert np.quantile(leave, [0.25, 0.5, 0.75]) == pytest.approx([7.27, 7.77, 9.48], rel=0.1)
    assert (days_on == 0).mean() == pytest.approx(0.37, abs=0.02)
    # Those who leave the same day: lognormal(.74, .95) h.
    same_day = stay[days_on == 0]
    assert np.median(same_day) == pytest.approx(np.exp(0.74), rel=0.1)
    assert np.log(same_day).std() == pytest.approx(0.95, rel=0.1)
    assert (stay >= 24).mean() == pytest.approx(0.08, abs=0.01)
    # The shares that stay overnight by hour of arrival, counted in the same sessions.
    shares = {(0, 6): 0.0, (6, 10): 0.035, (10, 14): 0.164, (14, 16): 0.354, (16, 18): 0.495,
              (18, 20): 0.7, (20, 22): 0.843, (22, 24): 0.935}  # fmt: skip
    overnight = (days_on == 1) & (stay < 24)
    for (first, last), share in shares.items():
        arrives = (start >= first) & (start < last)
        assert overnight[arrives].mean() == pytest.approx(share, abs=0.035), first
    # A car that comes after midnight leaves in the morning.
    assert np.median(stay[(start < 4) & (days_on == 0)]) == pytest.approx(10.0, abs=1.0)


def test_a_charger_never_has_two_cars() -> None:
    n, m = 300, 40
    days = np.broadcast_to(np.arange(20_000, 20_000 + m), (n, m))
    found = home_sessions(Draws(5), np.arange(n, dtype=np.uint64), days, np.full(n, 0.8))
    for device in range(n):
        real = found.takes_place[device]
        arrival, departure = found.arrival_ms[device][real], found.departure_ms[device][real]
        assert (arrival[1:] >= departure[:-1]).all()


def test_a_start_in_the_evening_finds_cars_plugged_in() -> None:
    _, soc = run(fleet_of(400), range(1), 1.0)
    assert 0.2 < (~np.isnan(soc[0])).mean() < 0.6


@pytest.mark.parametrize("tick_s", [60.0, 900.0])
def test_a_run_that_starts_later_sees_the_same(tick_s: float) -> None:
    hour, late = round(3600 / tick_s), 30
    early_out, early_soc = run(fleet_of(60), range((late + 6) * hour), tick_s)
    fleet = fleet_of(60, EVENING_MS + late * 3_600_000)
    out, soc = run(fleet, range(6 * hour), tick_s)
    np.testing.assert_allclose(out, early_out[late * hour :], atol=1e-9)
    np.testing.assert_allclose(soc, early_soc[late * hour :], atol=1e-9)


def test_state_of_charge_is_the_integral_of_power() -> None:
    output, soc = run(fleet_of(200), range(2880), 60.0)
    assert (output <= 0.0).all()
    assert (output >= -7.2).all()
    assert not output[np.isnan(soc)].any(), "power without a car"
    there = ~np.isnan(soc[:-1]) & ~np.isnan(soc[1:])
    gained = np.diff(soc, axis=0)[there] / 100.0 * 60.0
    drawn = -output[:-1][there] / 60.0 * 0.9
    # One car may leave and the next come within a minute: none does in this run.
    np.testing.assert_allclose(gained, drawn, atol=1e-9)
    assert np.nanmin(soc) >= 5.0
    assert np.nanmax(soc) <= 100.0


def test_most_cars_are_full_when_they_leave_and_then_idle() -> None:
    output, soc = run(fleet_of(200), range(2880), 60.0)
    leaving = ~np.isnan(soc[:-1]) & np.isnan(soc[1:])
    assert (soc[:-1][leaving] > 99.9).mean() > 0.8
    idle = ~np.isnan(soc) & (output == 0.0)
    assert idle.mean() > 0.1


def test_pilot_is_whole_amperes_of_six_or_more() -> None:
    limit = np.array([7.2, 7.19, 1.44, 1.43, 0.0])
    power = pilot_power(limit, np.full(5, 240.0), np.ones(5))
    assert power == pytest.approx([7.2, 6.96, 1.44, 0.0, 0.0])


def test_a_setpoint_throttles_and_pauses() -> None:
    free, _ = run(fleet_of(200), range(3), 1.0)
    throttled, _ = run(fleet_of(200), range(3), 1.0, -3.0)
    paused, soc = run(fleet_of(200), range(3), 1.0, 0.0)
    strong = free[0] < -3.0
    assert strong.any()
    assert throttled[:, strong] == pytest.approx(-2.88)
    assert not paused.any()
    assert (soc[0] == soc[2])[~np.isnan(soc[0])].all()


def test_arrival_charge_is_that_of_long_range_cars() -> None:
    """EVI-Pro's 54, 90 and 98 % follow from energy and battery, not from a draw."""
    _, soc = run(fleet_of(300), range(4 * 96), 900.0)
    arriving = np.isnan(soc[:-1]) & ~np.isnan(soc[1:])
    quantiles = np.quantile(soc[1:][arriving], [0.05, 0.5, 0.95])
    assert quantiles == pytest.approx([54.0, 88.0, 98.0], abs=6.0)


def test_what_is_reported_is_as_published() -> None:
    """Sessions seen in the telemetry: starts, energy and stay of 1,200 chargers in 6 days."""
    start = EVENING_MS + 3 * 3_600_000  # midnight in Moncton
    output, soc = run(fleet_of(1200, start), range(10 * 144), 600.0)
    there = ~np.isnan(soc)
    starts, energies, stays = [], [], []
    for device in range(1200):
        change = np.diff(there[:, device].astype(np.int8))
        begins, ends = np.flatnonzero(change == 1) + 1, np.flatnonzero(change == -1) + 1
        ends = ends[ends > begins[0]] if len(begins) else ends
        # All that begin in the first 6 days end within the 10: no long stay is cut off.
        begins = begins[begins < 6 * 144]
        for begin, end in zip(begins, ends, strict=False):
            starts.append(begin % 144 / 6.0)
            stays.append((end - begin) / 6.0)
            energies.append(-output[begin:end, device].sum() / 6.0)
    assert np.quantile(energies, [0.5, 0.95]) == pytest.approx([8.2, 30.9], rel=0.1)
    assert np.quantile(stays, [0.5, 0.95]) == pytest.approx([11.25, 37.7], rel=0.1)
    # Trondheim's shares of the hours, %.
    shares = [0.9, 0.4, 0.2, 0.2, 0.0, 0.1, 0.3, 1.2, 1.1, 0.7, 1.3, 1.7, 2.0, 2.9, 4.4, 11.9,
              17.5, 8.5, 8.2, 10.5, 9.8, 7.6, 5.7, 2.9]  # fmt: skip
    counted = np.bincount(np.array(starts).astype(int), minlength=24) / len(starts)
    distance = np.abs(np.cumsum(counted) - np.cumsum(shares) / np.sum(shares)).max()
    assert distance < 0.05
