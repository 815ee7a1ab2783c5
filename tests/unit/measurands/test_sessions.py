"""The measurands of a charger's session: at its start and end, without a car, from a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridsim.api import Floats
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed
from tests.fixtures.runs import Bench

TICK_S = 600
START_S = 1_773_100_800  # 2026-03-10T00:00:00Z
NAMES = ("session_id", "session_kwh", "connected_since", "energy_import_kwh")
# A car from before the start until 01:00, one from 02:05, within a tick, until 03:00; and one that
# takes its place at once.
TABLE = """arrival,departure,energy_kwh
2026-03-09T23:00:00Z,2026-03-10T01:00:00Z,30
2026-03-10T02:05:00Z,2026-03-10T03:00:00Z,20
2026-03-10T03:00:00Z,2026-03-10T04:00:00Z,3
"""
TICKS = 27


def configuration(folder: Path, names: tuple[str, ...] = NAMES, more: str = "") -> str:
    (folder / "cars.csv").write_text(TABLE, "utf-8")
    return f"""
[simulation]
seed = 3
tick_s = {TICK_S}
speed = 0
start = 2026-03-10T00:00:00Z
measurands = {list(names)}
[weather]
type = "clear"
[[transports]]
type = "stdout"
[[projects]]
id = "CAR_PARK"
[[projects.ders]]
id = "CAR"
type = "ev_charger"
nameplate_capacity = 11.0
sessions_file = "cars.csv"
fluctuation = 0.0
battery_capacity_kwh = 60
{more}
[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0
"""


def columns(simulation: Simulation, ticks: int) -> dict[str, Floats]:
    """Return the charger's values, [tick]; those of the array are missing."""
    batches = [simulation.step() for _ in range(ticks)]
    for name in NAMES[:3]:
        assert all(np.isnan(batch.extra[name][1]) for batch in batches)
    found = {name: np.array([batch.extra[name][0] for batch in batches]) for name in NAMES}
    return {"kw": np.array([batch.current_output[0] for batch in batches]), **found}


@pytest.mark.parametrize("more", ["", "managed = false"])
def test_a_session_has_a_number_a_start_and_an_energy(
    bench: Bench, tmp_path: Path, more: str
) -> None:
    text = configuration(tmp_path, more=more)
    simulation = Simulation(bench.plan(text)[0])
    one = columns(simulation, TICKS)
    here = np.repeat([True, False, True, False], [6, 7, 11, 3])
    for name in NAMES[:3]:
        np.testing.assert_array_equal(~np.isnan(one[name]), here)
    sessions = slice(0, 6), slice(13, 18), slice(18, 24)
    since = [one["connected_since"][rows] - START_S for rows in sessions]
    for values, second in zip(since, (-3600, 7500, 10800), strict=True):
        np.testing.assert_array_equal(values, second)
    ids = [set(one["session_id"][rows].tolist()) for rows in sessions]
    assert [len(own) for own in ids] == [1, 1, 1]
    numbers = set().union(*ids)
    assert len(numbers) == 3
    assert all(number == int(number) and 1 <= number < 2**31 for number in numbers)
    # An hour at 11 kW before the start; the others start at zero, at the first tick.
    for rows, first in zip(sessions, (11.0, 0.0, 0.0), strict=True):
        assert one["session_kwh"][rows.start] == first
        register = one["energy_import_kwh"][rows] - one["energy_import_kwh"][rows.start]
        np.testing.assert_allclose(one["session_kwh"][rows] - first, register, atol=0.0011)
        assert register[-1] > 2.0
    # The last one is full.
    assert one["kw"][23] == 0.0
    assert one["session_kwh"][23] == pytest.approx(3.0, abs=0.02)


def test_sessions_continue_from_a_checkpoint(bench: Bench, tmp_path: Path) -> None:
    scenario, _ = bench.plan(configuration(tmp_path))
    whole, first = columns(Simulation(scenario), 16), Simulation(scenario)
    columns(first, 15)
    again = columns(resumed(first, scenario), 1)
    for name, values in again.items():
        assert values[0] == whole[name][15]
    assert whole["session_kwh"][15] > 0.0


def test_what_nobody_wants_is_not_computed(bench: Bench, tmp_path: Path) -> None:
    scenario, _ = bench.plan(configuration(tmp_path, ("session_id",)))
    car, array = (next(f for f in scenario.fleets if f.name == n) for n in ("ev_charger", "solar"))
    assert car.members.wanted == {"session_id"}
    assert array.members.wanted == frozenset()
    assert set(Simulation(scenario).step().extra) == {"session_id"}
