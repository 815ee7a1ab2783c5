"""A simulation that takes instructions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gridsim.api import (
    Acknowledgement,
    CallEvent,
    InjectFault,
    Instruction,
    Target,
)
from gridsim.contracts.instructions import FLEET
from gridsim.contracts.results import TickResult
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation

START_MS = 1_782_907_200_000  # 2026-07-01T12:00:00Z
FLEET_TOML = """
[simulation]
seed = 7
speed = 0
start = "2026-07-01T12:00:00Z"
[weather]
type = "clear"
[[transports]]
type = "file"
path = "{folder}/readings.jsonl"

[[projects]]
id = "HOME_{{n}}"
count = 3
contract_threshold = 2.0
load = {{ type = "constant", kw = 3.0 }}
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 40.0
initial_soc = 80
strategy = "idle"
losses = "ideal"
[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 4.0
"""
HOME_1, BAT_1 = Target("HOME_1"), Target("HOME_1", "HOME_1_BAT")


class Sim:
    """A simulation that is stepped with instructions."""

    def __init__(self, folder: Path, more: str = "") -> None:
        path = folder / "fleet.toml"
        path.write_text(FLEET_TOML.format(folder=folder) + more)
        self.path = path
        self.simulation = Simulation(make_plan(Options(config=path)).configuration.scenario)
        self.results: list[TickResult] = []

    def tick(self, *instructions: Instruction) -> list[tuple[str, str, str]]:
        """Advance; return the answers."""
        self.results.append(self.simulation.advance(instructions))
        return answers(self.results[-1].acknowledgements)

    def ticks(self, n: int) -> list[tuple[str, str, str]]:
        return [one for _ in range(n) for one in self.tick()]

    def changes(self) -> list[tuple[str, str, int]]:
        return [
            (change.event, change.kind, tick)
            for tick, result in enumerate(self.results)
            for change in result.changes
        ]

    def output(self, device: int) -> list[float]:
        return [float(result.batch.current_output[device]) for result in self.results]


def answers(acknowledgements: Sequence[Acknowledgement]) -> list[tuple[str, str, str]]:
    return [(one.id, one.status, one.reason) for one in acknowledgements]


def call(event: str = "peak", target: Target = FLEET, id: str = "", **settings: Any) -> CallEvent:
    return CallEvent(target, id or f"call-{event}", event, {"duration_s": 10, **settings})


def inject(fault: str, type: str, target: Target = FLEET, **settings: Any) -> InjectFault:
    return InjectFault(target, f"inject-{fault}", fault, {"type": type, **settings})
