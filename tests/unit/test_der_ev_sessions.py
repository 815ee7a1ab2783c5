"""EV chargers: kinds of sessions, files of sessions, DC charging, the start of charging, cars."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from gridsim.api import Draws, Floats, Orders, RunPeriod
from gridsim.helpers.mains import large_load_voltage, mains_of
from gridsim.testing import FleetContract, make_members, make_sites, make_tick
from gridsim_plugins.ders.ev_charger import EvCharger
from gridsim_plugins.ders.ev_charger.car_parks import public_sessions, workplace_sessions
from gridsim_plugins.ders.ev_charger.cars import drawn_cars, energy_factor, usual_sessions_per_day
from gridsim_plugins.ders.ev_charger.connection import connection
from gridsim_plugins.ders.ev_charger.fast import fast_sessions
from gridsim_plugins.ders.ev_charger.physics import charged_fast
from gridsim_plugins.ders.ev_charger.sessions import DAY_MS, Planner, is_weekend
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings

MONDAY_MS = int(datetime(2026, 6, 29, 3, tzinfo=UTC).timestamp() * 1000)  # 00:00 in Moncton
DC = {"nameplate_capacity": 150.0, "connector": "dc"}


class TestSharedChargersContract(FleetContract):
    fleet = EvCharger
    settings = (
        {"nameplate_capacity": 11.0, "sessions": "workplace"},
        {"nameplate_capacity": 22.0, "sessions": "public", "fluctuation": 0.0},
        {**DC, "sessions_per_day": 10.0},
    )
    tick_s = 900.0
    ticks = 96


class TestUnmanagedFastContract(FleetContract):
    fleet = EvCharger
    settings = ({**DC, "nameplate_capacity": 50.0, "managed": False},)
    tick_s = 900.0
    ticks = 96


def fleet_of(settings: list[dict[str, Any]], start_ms: int = MONDAY_MS, **more: Any) -> EvCharger:
    return EvCharger(make_members(EvChargerSettings, settings, start_ms=start_ms, **more))


def run(
    fleet: EvCharger, ticks: int, tick_s: float, setpoint: float = float("nan")
) -> tuple[Floats, Floats]:
    """(output, state of charge), [tick, device]."""
    n, output, soc = len(fleet.members), [], []
    for index in range(ticks):
        tick = make_tick(index, tick_s=tick_s, start_ms=fleet.members.start_ms)
        fleet.capability(tick)
        told = fleet.step(tick, Orders(np.full(n, setpoint), np.zeros(n)))
        output.append(told.current_output)
        soc.append(np.asarray(told.current_soc, np.float64))
    return np.array(output), np.array(soc)


@pytest.mark.parametrize(
    ("plan", "per_day", "weekend", "rate", "stay", "energy"),
    [
        (workplace_sessions, 0.934, False, 1.27, (1.56, 8.44, 9.74, 11.08), (2.41, 11.67, 40.01)),
        (workplace_sessions, 0.934, True, 0.095, (1.09, 3.8, 6.26, 9.8), (0.79, 9.43, 31.85)),
        (public_sessions, 0.519, False, 0.658, (0.91, 6.16, 8.5, 11.03), (0.85, 5.89, 24.82)),
        (public_sessions, 0.519, True, 0.171, (0.54, 2.2, 4.29, 16.38), (0.84, 6.21, 40.04)),
        (fast_sessions, 1.6, False, 1.52, (0.22, 0.5, 0.7, 1.14), (9.1, 24.5, 65.7)),
    ],
)
def test_sessions_of_shared_chargers_are_as_counted(
    plan: Planner,
    per_day: float,
    weekend: bool,
    rate: float,
    stay: tuple[float, ...],
    energy: tuple[float, ...],
) -> None:
    n, m = 700, 70
    days = np.broadcast_to(np.arange(20_000, 20_000 + m), (n, m))
    keys = np.arange(n, dtype=np.uint64) * np.uint64(7919)
    found = plan(Draws(1), keys, days, np.full(n, per_day), is_weekend)
    real = found.takes_place & (is_weekend(found.arrival_ms // DAY_MS) == weekend)
    assert real.sum() / (n * m * (2 if weekend else 5) / 7) == pytest.approx(rate, rel=0.1)
    hours = (found.departure_ms - found.arrival_ms)[real] / 3.6e6
    assert np.quantile(hours, [0.05, 0.5, 0.75]) == pytest.approx(stay[:3], rel=0.15)
    assert np.quantile(hours, 0.95) == pytest.approx(stay[3], rel=0.25)
    assert np.quantile(found.energy_kwh[real], [0.05, 0.5, 0.95]) == pytest.approx(energy, rel=0.25)
    for arrival, departure, here in zip(
        found.arrival_ms, found.departure_ms, found.takes_place, strict=True
    ):
        order = np.argsort(arrival[here])
        assert (arrival[here][order][1:] >= departure[here][order][:-1]).all(), "two cars at once"


def test_sessions_do_not_depend_on_the_days_that_are_asked_for() -> None:
    keys = np.arange(50, dtype=np.uint64)
    for plan, per_day in (
        (workplace_sessions, 0.934),
        (public_sessions, 0.9),
        (fast_sessions, 9.0),
    ):
        long, short = (
            plan(Draws(3), keys, np.broadcast_to(days, (50, len(days))), np.full(50, per_day))
            for days in (np.arange(20_000, 20_010), np.arange(20_007, 20_008))
        )
        width = short.arrival_ms.shape[1]
        here = slice(7 * width, 8 * width)
        np.testing.assert_array_equal(long.takes_place[:, here], short.takes_place)
        np.testing.assert_array_equal(long.arrival_ms[:, here], short.arrival_ms)


def test_a_larger_battery_is_plugged_in_less_often_for_the_same_energy() -> None:
    capacity, target = drawn_cars(Draws(1), np.arange(20_000, dtype=np.uint64), 0)
    assert capacity.mean() == pytest.approx(59.5, abs=0.5)
    assert [(target == share).mean() for share in (0.8, 0.9, 1.0)] == pytest.approx(
        [0.5, 0.15, 0.35], abs=0.01
    )
    per_day = usual_sessions_per_day(np.array([25.0, 60.0, 93.0]))
    assert per_day == pytest.approx([0.8, 0.58, 0.487], abs=0.001)
    assert per_day * energy_factor(per_day) == pytest.approx([0.58] * 3)
    # In the reports: a charger that is set as the mean car has the same energy as the fleet.
    same = {"battery_capacity_kwh": 60.0, "target_soc": 100.0}
    mixed, _ = run(fleet_of([{"nameplate_capacity": 11.0}] * 600), 14 * 48, 1800.0)
    mean, _ = run(fleet_of([{"nameplate_capacity": 11.0, **same}] * 600), 14 * 48, 1800.0)
    assert mixed.sum() == pytest.approx(mean.sum(), rel=0.1)


def test_the_connection_follows_the_site() -> None:
    settings = [{"nameplate_capacity": kw, "onboard_limit": 22.0} for kw in (3.7, 7.4, 11.0, 22.0)]
    for zone, volts, phases in (
        ("Europe/Berlin", 230.0, [1, 1, 3, 3]),
        ("Europe/London", 230.0, [1, 1, 1, 1]),
        ("America/Chicago", 240.0, [1, 1, 1, 1]),
        ("Asia/Tokyo", 200.0, [1, 1, 1, 1]),
        ("America/Mexico_City", 220.0, [1, 1, 1, 1]),
    ):
        fleet = fleet_of(settings, sites=make_sites(timezone=zone))
        np.testing.assert_array_equal(connection(fleet.members), [[volts] * 4, phases])
    own = fleet_of([{"nameplate_capacity": 22.0, "volts": 400.0, "phases": 2}])
    assert np.array(connection(own.members)).tolist() == [[400.0], [2.0]]
    assert mains_of("Pacific/Honolulu").nominal_voltage == 120.0
    assert mains_of("Asia/Shanghai").nominal_voltage == 220.0
    assert mains_of("US/Eastern") == mains_of("America/New_York")
    at = large_load_voltage(np.array([100.0, 127.0, 149.9, 150.0, 230.0]))
    assert at == pytest.approx([200.0, 220.0, 300.0, 150.0, 230.0])


def test_charging_starts_with_a_ramp_and_fluctuates_below_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("arrival,departure,energy_kwh\n2026-06-29 00:01,2026-06-29 05:00,30\n")
    car = {"nameplate_capacity": 7.2, "battery_capacity_kwh": 60.0, "sessions_file": str(path)}
    settings = [car, {**car, "fluctuation": 0.0}]
    output, soc = run(fleet_of(settings), 3600, 1.0)
    drawn = -output
    assert drawn[:60].max() == 0.0
    assert np.isnan(soc[59]).all()
    assert not np.isnan(soc[60]).any()
    assert drawn[60:63, 0] == pytest.approx([0.36, 1.08, 1.8], rel=1e-6)
    assert (drawn[60:, 1] == pytest.approx(7.2)) is True
    running = drawn[80:, 0]
    assert running.max() <= 7.2
    assert running.min() >= 7.2 * 0.98 - 1e-9
    assert running.mean() == pytest.approx(7.2 * 0.99, rel=5e-4)
    assert 0.002 < np.std(running) / 7.2 < 0.01
    # Longer ticks are the means of the short ones.
    for tick_s in (20.0, 60.0):
        coarse, _ = run(fleet_of(settings), round(3600 / tick_s), tick_s)
        means = output.reshape(-1, round(tick_s), 2).mean(axis=1)
        np.testing.assert_allclose(coarse, means, atol=1e-9)
    # A setpoint is exact.
    asked, _ = run(fleet_of(settings), 120, 1.0, -7.2)
    assert asked[60:] == pytest.approx(-7.2)


def test_a_file_has_the_energy_of_each_charger(tmp_path: Path) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text(
        "der_id;arrival;departure;energy [Wh]\n"
        "DER_1;2026-06-29 08:00;2026-06-29 17:00;12500\n"
        "DER_0;2026-06-29T11:00:00;2026-06-29 12:00;5000\n"
        "DER_1;2026-06-29 17:00;2026-06-29 18:00;4000\n"
        "DER_2;2026-06-29 20:00;2026-06-30 07:00;60000\n"
    )
    settings = [{"nameplate_capacity": 11.0, "sessions_file": str(path), "volts": 230, "phases": 3}]
    output, soc = run(fleet_of(settings * 4), 36 * 60, 60.0)
    assert -output.sum(axis=0) / 60.0 == pytest.approx([5.0, 12.5 + 4.0, 60.0, 0.0], abs=1e-6)
    there = ~np.isnan(soc)
    assert np.flatnonzero(there[:, 0])[[0, -1]].tolist() == [11 * 60, 12 * 60 - 1]
    assert there[8 * 60 : 18 * 60, 1].all()
    # A run that starts in a session is the same from there on.
    late = fleet_of(settings * 4, MONDAY_MS + 9 * 3_600_000)
    output_late, soc_late = run(late, 27 * 60, 60.0)
    np.testing.assert_allclose(output_late, output[9 * 60 :], atol=1e-9)
    np.testing.assert_allclose(soc_late, soc[9 * 60 :], atol=1e-9)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("arrival,departure\n2026-06-29 08:00,2026-06-29 09:00\n", "no column 'energy_kwh'"),
        ("arrival,departure,energy_kwh\n08:00,09:00,3\n", "line 2: arrival must be a date and"),
        (
            "arrival,departure,energy_kwh\n2026-06-29 08:00,2026-06-29 08:00,3\n",
            "line 2: the departure is not after the arrival",
        ),
        (
            "arrival,departure,energy_kwh\n2026-06-29 08:00,2026-06-29 09:00,-1\n",
            "line 2: energy_kwh is -1: must not be negative",
        ),
        (
            "arrival,departure,energy_kwh\n2026-06-29 08:00,2026-06-29 09:00,x\n",
            "line 2: energy_kwh is ",
        ),
        (
            "arrival,departure,energy_kwh\n2026-06-29 09:00,2026-06-29 10:00,3\n"
            "2026-06-29 08:00,2026-06-29 09:01,3\n",
            "line 2: the car arrives before the one in line 3 has left",
        ),
        (
            "arrival,departure,energy_kwh\n2026-03-08 02:30,2026-03-08 09:01,3\n",
            "line 2: 2026-03-08 02:30 does not exist in America/Moncton",
        ),
        ("arrival,departure,energy_kwh,der_id\n2026-06-29 08:00,2026-06-29 09:00,3,\n", "line 2:"),
    ],
)
def test_a_wrong_file_of_sessions_names_its_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text(text)
    settings = EvChargerSettings(nameplate_capacity=7.2, sessions_file=str(path))
    period = RunPeriod(MONDAY_MS, None, "America/Moncton")
    [(key, said)] = settings.file_problems(period)
    assert key == "sessions_file"
    assert f"{path}" in said
    assert problem in said


def test_a_fast_charger_follows_its_curve() -> None:
    output, soc = run(fleet_of([{**DC, "battery_capacity_kwh": 60.0}] * 200), 15 * 120, 30.0)
    drawn = -output
    # The battery's limit: 1.62 capacities per hour up to 35 %, .94 at 70 %, at 90 % efficiency.
    for at, per_h in ((20.0, 1.63), (50.0, 1.29), (70.0, 0.94), (78.0, 0.82)):
        here = (np.abs(soc - at) < 0.5) & (drawn > 0.0)
        assert here.any(), at
        assert np.median(drawn[here]) == pytest.approx(per_h * 60.0 / 0.9, rel=0.05), at
    assert np.nanmax(soc) == pytest.approx(80.0)
    small, soc = run(fleet_of([{**DC, "nameplate_capacity": 50.0}] * 100), 24 * 12, 300.0)
    assert small.min() >= -50.0
    # Half the chargers are asked for less than a whole ampere would allow: DC has no amperes.
    asked, _ = run(fleet_of([DC] * 100), 24 * 12, 300.0, -20.05)
    assert asked.min() == pytest.approx(-20.05)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0, 2.4, 6.0])
def test_dc_charging_in_many_steps_is_that_in_one(rate: float) -> None:
    soc, power = np.linspace(0.02, 0.95, 40), np.full(40, rate)
    target = np.full(40, 0.97)
    whole, now = charged_fast(soc, target, power, 0.5), soc
    for _ in range(50):
        then = charged_fast(now, target, power, 0.01)
        assert (then - now <= rate * 0.01 + 1e-12).all()
        now = then
    np.testing.assert_allclose(now, whole, atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"sessions": "fast"}, 'needs connector = "dc"'),
        ({"connector": "dc", "v2g": True}, 'v2g needs connector = "ac"'),
        ({"connector": "dc", "strategy": "smart"}, 'smart needs connector = "ac"'),
        ({"sessions": "home", "sessions_file": "x.csv"}, "exclude each other"),
        ({"sessions_per_day": 0.5, "sessions_file": "x.csv"}, "has no meaning"),
        ({"sessions_per_day": 0.81}, "at most 0.8 for sessions 'home'"),
        ({"sessions_per_day": 1.05, "sessions": "workplace"}, "at most 1.04"),
        ({"sessions_per_day": 12.1, "connector": "dc"}, "less than or equal to 12"),
    ],
)
def test_settings_that_exclude_each_other(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        EvChargerSettings.model_validate({"nameplate_capacity": 7.2, **settings})
