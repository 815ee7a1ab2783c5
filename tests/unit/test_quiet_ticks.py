"""In a tick without commands and events, types that consume need no capability."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import Capability, Command, Target, Tick
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.fleets import RunningFleet
from gridsim.simulation.step import Simulation

CONFIG = """
[simulation]
tick_s = 60
start = 2026-01-14T18:00:00Z
[[transports]]
type = "stdout"
[[projects]]
id = "HOME_{n}"
count = 5
contract_threshold = 1.0
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 5.0
managed = true
[[projects.ders]]
id = "{project_id}_EV"
type = "ev_charger"
nameplate_capacity = 7.2
sessions_per_day = 0.8
[[projects.ders]]
id = "{project_id}_HP"
type = "heat_pump"
nameplate_capacity = 3.0
cooling_temperature = 24.0
[[projects.ders]]
id = "{project_id}_WH"
type = "water_heater"
nameplate_capacity = 3.0
[[events]]
id = "peak"
start = 2026-01-14T18:10:00Z
duration_s = 300
"""
CONSUMING = {"ev_charger", "heat_pump", "water_heater"}


def run(folder: Path, ticks: int, *, asks_all: bool = False, command: int = -1) -> list[Any]:
    path = folder / "homes.toml"
    path.write_text(CONFIG, encoding="utf-8")
    simulation = Simulation(make_plan(Options(config=path)).configuration.scenario)
    if asks_all:
        for fleet in simulation._course.fleets.running:
            fleet.steps_alone = False
    told = Command(Target("HOME_1", "HOME_1_BAT"), "c", "set_power", 1.0, duration_s=120)
    return [
        simulation.advance([told] if index == command else []).batch.current_output
        for index in range(ticks)
    ]


def test_the_capability_is_asked_for_where_something_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[int, set[str]] = {}
    inner = RunningFleet.capability

    def capability(fleet: RunningFleet, tick: Tick) -> Capability:
        asked.setdefault(tick.index, set()).add(fleet.name)
        return inner(fleet, tick)

    monkeypatch.setattr(RunningFleet, "capability", capability)
    run(tmp_path, 20, command=3)
    others = {"battery", "solar"}
    # A command for two ticks from tick 3 on, and the event from tick 10 to 14.
    assert {index for index, names in asked.items() if names == others | CONSUMING} == {
        *(3, 4),
        *range(10, 15),
    }
    assert all(names >= others for names in asked.values())
    assert len(asked) == 20


def test_the_output_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    skips = run(tmp_path, 300, command=3)
    asks = run(tmp_path, 300, asks_all=True, command=3)
    np.testing.assert_array_equal(skips, asks)
