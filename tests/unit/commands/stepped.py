"""A fleet that takes commands tick by tick."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from gridsim.api import Acknowledgement, Instruction, Target, read_instruction
from gridsim.contracts.results import TickResult
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed

FLEET = """
[simulation]
seed = 7
tick_s = {tick_s}
start = "2026-07-01T12:00:00Z"

[weather]
type = "clear"

[[transports]]
type = "stdout"

[[projects]]
id = "HOME"
{more}
load = {{ type = "constant", kw = 2.0 }}

[[projects.ders]]
id = "BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
initial_soc = 50
strategy = "idle"
losses = "{losses}"

[[projects.ders]]
id = "BAT2"
type = "battery"
nameplate_capacity = 3.0
energy_capacity_kwh = 10.0
initial_soc = 50
strategy = "idle"
losses = "ideal"

[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 4.0

[[projects]]
id = "ROOF"
load = {{ type = "constant", kw = 1.0 }}

[[projects.ders]]
id = "PV2"
type = "solar"
nameplate_capacity = 4.0
"""
BAT, BAT2, PV = Target("HOME", "BAT"), Target("HOME", "BAT2"), Target("HOME", "PV")
HOME, ROOF = Target("HOME"), Target("ROOF")


class Run:
    """A simulation, stepped, with what it told and what its devices gave."""

    def __init__(
        self,
        folder: Path,
        tick_s: float = 1.0,
        losses: str = "ideal",
        more: str = "",
        end: str = "",
    ) -> None:
        path = folder / "fleet.toml"
        path.write_text(FLEET.format(tick_s=tick_s, losses=losses, more=more) + end)
        scenario = make_plan(Options(config=path)).configuration.scenario
        self._scenario = scenario
        self.simulation = Simulation(scenario)
        self.ids = list(scenario.roster.der_id)
        self.told: list[Acknowledgement] = []
        self.power: list[dict[str, float]] = []
        self.soc: list[dict[str, float]] = []

    def resumed(self) -> Run:
        """The same run, from a checkpoint of it."""
        again = copy.deepcopy(self, {id(own): own for own in (self.simulation, self._scenario)})
        again.simulation = resumed(self.simulation, self._scenario)
        return again

    def tick(self, *instructions: Instruction) -> TickResult:
        outcome = self.simulation.advance(instructions)
        batch = outcome.batch
        self.power.append(dict(zip(self.ids, batch.current_output.tolist(), strict=True)))
        self.soc.append(dict(zip(self.ids, batch.current_soc.tolist(), strict=True)))
        self.told += outcome.acknowledgements
        return outcome

    def ticks(self, n: int) -> None:
        for _ in range(n):
            self.tick()

    def ask(self, target: Target, command: str, value: float | None = None, **more: Any) -> None:
        self.tick(request(target, command, value, **more))

    def refused(self, target: Target, payload: bytes) -> str:
        """Why it is rejected; that nothing else happens."""
        [told] = self.tick(read_instruction(payload, target, "test")).acknowledgements
        assert (told.target, told.status, told.source) == (target, "rejected", "test")
        return told.reason

    def statuses(self) -> list[tuple[str, str, int]]:
        return [(one.id, one.status, one.tick) for one in self.told]

    def output(self, der: str) -> list[float]:
        return [power[der] for power in self.power]


def request(target: Target, command: str, value: float | None = None, **more: Any) -> Instruction:
    body = {"id": f"{command}-{value}", "command": command, "value": value, **more}
    return read_instruction(json.dumps(body).encode(), target)


def body(**changes: Any) -> bytes:
    whole = {"id": "c-1", "command": "set_power", "value": 1.0, **changes}
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()
