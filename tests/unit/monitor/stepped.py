"""A monitor of a run that a test steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gridsim.api import (
    Instruction,
    RunStatus,
)
from gridsim.contracts.results import TickResult
from gridsim.running.monitor import Monitor
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation

BASE = """
[simulation]
start = 2026-06-21T15:00:00Z
tick_s = TICK

[[projects]]
id = "HOME_{n}"
count = 3
contract_threshold = 3.0
load = { type = "constant", kw = 2.5 }

[[projects.ders]]
id = "{project_id}_GEN"
type = "generator"
nameplate_capacity = 5.0

[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 5.0

[[transports]]
type = "stdout"
"""
FAULTS = """
[[faults]]
type = "offline"
id = "cable"
ders = ["HOME_3_PV"]
after_s = 120
duration_s = 120

[[faults]]
type = "delay"
id = "slow"
delay_s = 60
ders = ["HOME_2_PV"]
after_s = 180
duration_s = 60
"""


class Stepped:
    """A simulation whose results go to a monitor, with a clock that is set by hand."""

    def __init__(self, scenario: Scenario, **options: Any) -> None:
        self.scenario = scenario
        self.simulation = Simulation(scenario)
        self.now = 0.0
        self.results: list[TickResult] = []
        self.monitor = Monitor(scenario, self.status, monotonic=lambda: self.now, **options)

    def status(self) -> RunStatus:
        return RunStatus(
            "running",
            self.scenario.start_ms,
            self.scenario.tick_ms,
            None,
            self.simulation.next_tick,
            0.0,
            42,
        )

    def step(self, ticks: int = 1, instructions: Sequence[Instruction] = ()) -> None:
        for _ in range(ticks):
            self.take(self.simulation.advance(instructions))
            instructions = ()

    def take(self, result: TickResult) -> None:
        self.results.append(result)
        self.monitor.note(result)


def device(run: Stepped, der_id: str) -> int:
    return list(run.scenario.roster.der_id).index(der_id)
