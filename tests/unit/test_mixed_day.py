"""A day of the neighbourhood: every device's energy adds up, and nothing leaves its bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.config.resolve import Flags
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation

CONFIG = Path(__file__).parents[2] / "configs" / "neighbourhood.toml"
PER_HOUR = 20
TICKS = 24 * PER_HOUR
Day = dict[str, Any]
"""Columns, most of them [tick, device]."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    path = tmp_path_factory.mktemp("config") / "neighbourhood.toml"
    path.write_text(CONFIG.read_text().replace("tick_s = 10.0", f"tick_s = {3600 / PER_HOUR}"))
    plan = make_plan(Options(config=path, flags=Flags(speed=0.0)))
    simulation = Simulation(plan.configuration.scenario)
    rows = []
    for _ in range(TICKS):
        batch = simulation.step()
        rows.append((batch.current_output, batch.current_soc, batch.power_meter_measurement))
    output, soc, meter = (np.array(column) for column in zip(*rows, strict=True))
    roster = simulation.roster
    return {
        "output": output,
        "soc": soc,
        "meter": meter,
        "type": np.array(roster.type),
        "rated": roster.nameplate_capacity,
        "project": roster.project,
        "home": np.array([roster.project_id[p].split("_")[0] for p in roster.project]),
    }


def test_nothing_leaves_its_bounds(day: Day) -> None:
    assert (np.abs(day["output"]) <= day["rated"] + 0.01).all()
    assert np.nanmin(day["soc"]) >= 0.0
    assert np.nanmax(day["soc"]) <= 100.0
    assert (day["meter"] >= 0.0).all()
    solar = day["type"] == "solar"
    assert (day["output"][:, solar] >= 0.0).all()
    assert np.isnan(day["soc"][:, solar]).all()
    batteries = day["type"] == "battery_storage"
    assert not np.isnan(day["soc"][:, batteries]).any()


def test_what_batteries_gain_they_drew_less_losses(day: Day) -> None:
    """The Siemens', over the day, from rounded readings: PerMod's curves and cells."""
    rows = (day["type"] == "battery_storage") & (day["home"] == "SUN")
    x = day["output"][:-1, rows] / 3.57
    load = np.abs(x)
    into = np.maximum(load - (0.0302 * load**2 + 0.0098 * load + 0.0100), 0.0) * 0.9687**0.5
    out = (load + 0.0431 * load**2 + 0.0065 * load + 0.0107) / 0.9687**0.5
    rate = np.where(x < 0.0, into, np.where(x > 0.0, -out, 0.0)) * 3.57
    gained = rate.sum(axis=0) / PER_HOUR
    soc = day["soc"][:, rows]
    stored = (soc[-1] - soc[0]) / 100.0 * 8.85
    # Readings are rounded to 0.01 kW and 0.1 %: that may add up to a percent of the capacity.
    np.testing.assert_allclose(gained, stored, atol=0.15)
    assert np.abs(x).max() > 0.5


def test_batteries_bring_homes_with_enough_to_zero(day: Day) -> None:
    rows = day["home"] == "SUN"
    net = day["meter"][:, rows & (day["type"] == "battery_storage")].copy()
    for kind in ("solar", "battery_storage"):
        net -= day["output"][:, rows & (day["type"] == kind)]
    soc = day["soc"][:, rows & (day["type"] == "battery_storage")]
    free = (soc > 20.0) & (soc < 85.0) & (np.abs(net) < 3.0)
    assert np.median(np.abs(net[free])) < 0.02
    assert free.mean() > 0.2


def test_the_sum_of_roofs_is_smoother_than_each(day: Day) -> None:
    solar = day["output"][:, day["type"] == "solar"]
    rated = day["rated"][day["type"] == "solar"]
    one = np.abs(np.diff(solar, axis=0)) / rated
    fleet = np.abs(np.diff(solar.sum(axis=1))) / rated.sum()
    assert np.quantile(one, 0.999) > 3.0 * np.quantile(fleet, 0.999)
    assert fleet.max() < 0.3
