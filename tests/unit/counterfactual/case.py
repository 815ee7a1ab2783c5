"""A run with the true reduction of its events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gridsim.api import Instruction
from gridsim.contracts.results import Settlement, TickResult, TrueReduction
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation

TICK_S = 30.0
HEAD = """
[simulation]
tick_s = {tick_s}
start = 2026-07-24T18:00:00Z
{simulation}
[site]
timezone = "UTC"
latitude = 52.0
[weather]
type = "clear"
[[transports]]
type = "stdout"
"""
BATTERY = """
[[projects]]
id = "HOME_{{n}}"
count = {count}
contract_threshold = 2.0
baseline = {baseline}
load = {{ type = "constant", kw = 3.0 }}
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
losses = "ideal"
strategy = "{strategy}"
nameplate_capacity = 5.0
energy_capacity_kwh = {capacity}
initial_soc = 50
"""
MIXED = """
[[projects]]
id = "MIX_{{n}}"
count = {count}
contract_threshold = 1.5
load = {{ type = "household", annual_kwh = 6000 }}
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 4.0
energy_capacity_kwh = 6.0
strategy = "self_consumption"
[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 5.0
[[projects.ders]]
id = "{{project_id}}_EV"
type = "ev_charger"
nameplate_capacity = 7.2
sessions_per_day = 0.8
managed = true
[[projects.ders]]
id = "{{project_id}}_HP"
type = "heat_pump"
nameplate_capacity = 3.0
cooling_temperature = 23.0
managed = true
[[projects.ders]]
id = "{{project_id}}_WH"
type = "water_heater"
nameplate_capacity = 3.0
managed = true
"""


def battery(
    count: int = 1, baseline: str = "3.0", strategy: str = "idle", capacity: float = 20.0
) -> str:
    return BATTERY.format(count=count, baseline=baseline, strategy=strategy, capacity=capacity)


def event(id: str = "peak", start: str = "18:10:00", minutes: float = 15, more: str = "") -> str:
    return f"""
[[events]]
id = "{id}"
start = 2026-07-24T{start}Z
duration_s = {minutes * 60}
{more}
"""


class Case:
    """A simulation that measures its events, and one reading of every tick."""

    def __init__(
        self,
        folder: Path,
        *parts: str,
        rebound_s: float = 600.0,
        simulation: str = "",
        tick_s: float = TICK_S,
    ) -> None:
        path = folder / "case.toml"
        head = HEAD.format(simulation=simulation, tick_s=tick_s)
        path.write_text(head + "".join(parts), encoding="utf-8")
        scenario = make_plan(Options(config=path)).configuration.scenario
        self.scenario = replace(scenario, rebound_ms=round(rebound_s * 1000))
        self.plain = scenario
        self.simulation = Simulation(self.scenario)
        self.results: list[TickResult] = []

    def run(self, minutes: float, *instructions: Instruction) -> Case:
        first: Sequence[Instruction] = instructions
        for _ in range(round(60_000 * minutes / self.scenario.tick_ms)):
            self.results.append(self.simulation.advance(first))
            first = ()
        return self

    def finish(self) -> Case:
        self.results.append(self.simulation.finish())
        return self

    @property
    def truths(self) -> dict[tuple[str, str], TrueReduction]:
        found = [one for result in self.results for one in result.true_reductions]
        named = {(one.event, one.project_id): one for one in found}
        assert len(named) == len(found)
        return named

    @property
    def settlements(self) -> dict[tuple[str, str], Settlement]:
        found = [one for result in self.results for one in result.settlements]
        return {(one.event, one.project_id): one for one in found}

    def net(self) -> Any:
        """Return the net consumption, kW, [tick, project], from the readings."""
        project = self.scenario.roster.project
        first = np.unique(project, return_index=True)[1]
        batches = [result.batch for result in self.results if len(result.batch)]
        return np.array(
            [
                b.power_meter_measurement[first] - np.bincount(project, b.current_output)
                for b in batches
            ]
        )


def counted(with_event: Any, without: Any, start: str, end: str) -> Any:
    """Return the energy saved from one time to another, kWh per project."""
    return (without - with_event)[at(start) : at(end)].sum(axis=0) * TICK_S / 3600


def at(hour_minute: str) -> int:
    """Return the tick of a time of the day."""
    hour, minute = map(int, hour_minute.split(":"))
    return round(((hour - 18) * 60 + minute) * 60 / TICK_S)
