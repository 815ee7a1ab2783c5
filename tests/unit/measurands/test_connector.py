"""The status of a charger's connector: each edge of a session, and what holds a car back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import STATES, Orders
from gridsim.contracts.tree_serial import tree_from_bytes, tree_to_bytes
from gridsim.testing import START_MS, make_members, make_tick
from gridsim_plugins.ders.ev_charger import EvCharger

TICK_S = 10
# The second car arrives 35 s after the first has left, within a tick.
CARS = ((60, 360), (395, 900))


def charger(folder: Path, *, energy: float = 0.3, **settings: Any) -> EvCharger:
    def stamp(second: int) -> str:
        return datetime.fromtimestamp(START_MS / 1000 + second, UTC).isoformat()

    rows = "".join(f"{stamp(start)},{stamp(end)},{energy}\n" for start, end in CARS)
    path = folder / "cars.csv"
    path.write_text("arrival,departure,energy_kwh\n" + rows)
    given = {
        "nameplate_capacity": 11.0,
        "sessions_file": str(path),
        "fluctuation": 0.0,
        "battery_capacity_kwh": 60.0,
        **settings,
    }
    members = make_members(EvCharger.Settings, [given], tick_s=TICK_S)
    return EvCharger(replace(members, wanted=frozenset({"state"})))


def state(car: EvCharger, index: int, setpoint: float = np.nan, least: float = -np.inf) -> str:
    orders = Orders(np.array([setpoint]), np.zeros(1), np.array([least]), np.array([np.inf]))
    told = car.step(make_tick(index, tick_s=TICK_S), orders)
    assert (told.extra["state"][0] == 103.0) == (told.current_output[0] != 0.0)
    return STATES.names[int(told.extra["state"][0])]


def course(car: EvCharger, ticks: int = 42) -> list[tuple[str, int]]:
    """Return the states in order, each with its first tick."""
    seen = [(state(car, index), index) for index in range(ticks)]
    return [next(group) for _, group in groupby(seen, key=lambda one: one[0])]


@pytest.mark.parametrize("managed", [True, False])
def test_a_session_goes_through_its_states(tmp_path: Path, managed: bool) -> None:
    seen = course(charger(tmp_path, managed=managed))
    full = dict(seen)["SuspendedEV"]
    assert 15 < full < 30
    assert seen == [
        ("Available", 0),
        ("Preparing", 3),
        ("Charging", 6),
        ("SuspendedEV", full),
        ("Finishing", 36),
        # The next car is plugged in while the first one's time has just passed.
        ("Preparing", 39),
        ("Charging", 40),
    ]


@pytest.mark.parametrize(
    ("times", "seen"),
    [
        ({"preparing_s": 0.0, "finishing_s": 0.0}, {"Preparing": [], "Finishing": []}),
        ({"preparing_s": 9.9, "finishing_s": 0.0}, {"Preparing": [39], "Finishing": []}),
        ({"preparing_s": 10.0, "finishing_s": 10.0}, {"Preparing": [5, 39], "Finishing": [36]}),
        ({"preparing_s": 10.1, "finishing_s": 10.1}, {"Preparing": [5, 39], "Finishing": [36, 37]}),
        ({"preparing_s": 60.0}, {"Preparing": [*range(6), 39], "Finishing": [36, 37, 38]}),
    ],
)
def test_the_times_are_met_to_the_tick(
    tmp_path: Path, times: dict[str, float], seen: dict[str, list[int]]
) -> None:
    car = charger(tmp_path, **times)
    states = [state(car, index) for index in range(42)]
    for name, ticks in seen.items():
        assert [index for index, one in enumerate(states) if one == name] == ticks


def test_a_charger_that_offers_nothing_has_precedence(tmp_path: Path) -> None:
    car = charger(tmp_path)
    # A limit of 0, below the least current of 6 A, and a setpoint that pauses: not full.
    cases: list[tuple[dict[str, float], str]] = [
        ({"least": 0.0}, "SuspendedEVSE"),
        ({"least": -1.0}, "SuspendedEVSE"),
        ({"setpoint": 0.0}, "SuspendedEVSE"),
        ({"least": -6.0}, "Charging"),
        ({}, "Charging"),
    ]
    assert [state(car, 6 + place, **orders) for place, (orders, _) in enumerate(cases)] == [
        name for _, name in cases
    ]
    for index in range(11, 30):
        state(car, index)
    assert [state(car, 30 + place, **orders) for place, (orders, _) in enumerate(cases)] == [
        *["SuspendedEVSE"] * 3,
        *["SuspendedEV"] * 2,
    ]
    # Without a car a limit changes nothing.
    assert state(car, 39, least=0.0) == "Preparing"
    assert state(car, 95, least=0.0) == "Available"


def test_a_direct_current_session_ends_when_the_car_is_full(tmp_path: Path) -> None:
    car = charger(tmp_path, connector="dc", nameplate_capacity=50.0, energy=0.5)
    seen = course(car)
    assert [name for name, _ in seen] == [
        *("Available", "Preparing", "Charging", "Finishing", "Preparing", "Charging"),
    ]
    assert seen[3][1] < 36
    assert state(car, 42, least=0.0) in ("SuspendedEVSE", "Finishing")


@pytest.mark.parametrize("at", [2, 5, 37, 39])
def test_a_checkpoint_keeps_the_times(tmp_path: Path, at: int) -> None:
    one, other = charger(tmp_path), charger(tmp_path)
    for index in range(at):
        state(one, index)
    kept = tree_from_bytes(tree_to_bytes(one.state()))
    assert isinstance(kept, dict)
    other.restore(kept)
    for index in range(at, 42):
        assert state(one, index) == state(other, index)


def test_a_car_from_before_the_start_has_a_session(tmp_path: Path) -> None:
    """A run that starts late has the states of one that starts early."""
    whole = [state(one, index) for one in [charger(tmp_path)] for index in range(42)]
    for start in (4, 7, 37, 40):
        assert state(charger(tmp_path), start) == whole[start]
