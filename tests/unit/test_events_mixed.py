"""Events and limits on all kinds of devices: a project never depends on another one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation

TICKS = 120
DEVICES = (
    ("battery", "nameplate_capacity = 6\nlosses = 'siemens_junelight'"),
    ("battery", "nameplate_capacity = 9\nstrategy = 'time_of_use'"),
    ("battery", "nameplate_capacity = 4\nstrategy = 'idle'\ninitial_soc = 100"),
    ("battery", "nameplate_capacity = 5\nexclude = ['ev_charger', 'generator']"),
    ("ev_charger", "nameplate_capacity = 7.2\nmanaged = true\nv2g = true"),
    ("solar", "nameplate_capacity = 5\nmanaged = true"),
    ("solar", "nameplate_capacity = 3"),
    ("heat_pump", "nameplate_capacity = 3\nmanaged = true"),
    ("water_heater", "nameplate_capacity = 3\nmanaged = true"),
    ("generator", "nameplate_capacity = 4\nstrategy = 'follow_load'"),
    ("generator", "nameplate_capacity = 4"),
)


class Mixture:
    """Five projects of some devices each, and three events on two of them each."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        tick_s = chance.choice([1, 5, 60])
        self.head = (
            f"[simulation]\nseed = {seed}\ntick_s = {tick_s}\n"
            f"start = 2026-0{chance.randint(1, 9)}-14T{chance.randint(10, 22)}:00:00Z\n"
            "[[transports]]\ntype = 'stdout'\n"
        )
        self.projects = []
        for project in range(5):
            text = f"[[projects]]\nid = 'P{project}'\ncontract_threshold = {chance.uniform(1, 3)}\n"
            own = chance.sample(DEVICES, chance.randint(1, 6))
            for index, (kind, settings) in enumerate(own):
                text += f"[[projects.ders]]\nid = 'D{project}_{index}'\ntype = '{kind}'\n"
                text += f"{settings}\n"
            self.projects.append(text)
        self.events: list[tuple[tuple[int, int], str]] = []
        for index in range(3):
            text = (
                f"id = 'e{index}'\nafter_s = {chance.uniform(0, 40) * tick_s}\n"
                f"duration_s = {chance.randint(25, 70) * tick_s}\nramp_s = {10 * tick_s}\n"
                f"randomize_start_s = {20 * tick_s}\nopt_out = 0.2\n"
                "compliance = { uniform = [0.5, 1.5] }\n"
            )
            for limit in ("export_limit_kw", "import_limit_kw"):
                if chance.random() < 0.5:
                    text += f"{limit} = {chance.uniform(0, 3)}\n"
            self.events.append(((index, (index + 1) % 5), text))

    def run(self, folder: Path, projects: Sequence[int]) -> tuple[dict[str, Any], dict[Any, Any]]:
        """Only these projects, in this order: what each device gave, and every settlement."""
        text = self.head + "".join(self.projects[project] for project in projects)
        for who, event in self.events:
            if own := [f"P{project}" for project in who if project in projects]:
                text += f"[[events]]\nprojects = {own}\n{event}"
        path = folder / "mixture.toml"
        path.write_text(text)
        simulation = Simulation(make_plan(Options(config=path)).configuration.scenario)
        roster = simulation.roster
        output: dict[str, list[float]] = {der: [] for der in roster.der_id}
        settled = {}
        for _ in range(TICKS):
            outcome = simulation.advance()
            for der, kw in zip(roster.der_id, outcome.batch.current_output.tolist(), strict=True):
                output[der].append(kw)
            for settlement in outcome.settlements:
                key = (settlement.project_id, settlement.event)
                settled[key] = (
                    settlement.start_ms,
                    settlement.ending,
                    settlement.delivered_kwh,
                    settlement.violations,
                )
        return output, settled


@pytest.mark.parametrize("seed", range(3))
def test_a_project_in_an_event_depends_on_no_other(tmp_path: Path, seed: int) -> None:
    mixture = Mixture(seed)
    output, settled = mixture.run(tmp_path, range(5))
    assert settled
    for some in ([1], [4, 0], [3, 2]):
        part, settled_part = mixture.run(tmp_path, some)
        assert part == {der: output[der] for der in part}
        assert settled_part == {key: settled[key] for key in settled_part}
