"""Blocks of ticks change no value: a run with them equals one that computes single ticks."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gridsim.api import ClearFault, Command, InjectFault, Instruction, Target
from gridsim.config.resolve import Flags
from gridsim.contracts.results import TickResult
from gridsim.running.plan import Options, make_plan
from gridsim.simulation import blocks
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed

TEXT = """
[simulation]
seed = 7

[site]
latitude = { uniform = [45.9, 46.0] }
longitude = { choice = [-66.6, -66.7] }
timezone = "America/Moncton"

[weather]
type = "synthetic"
field_points = 256

[[projects]]
id = "HOME_{n}"
count = 3
contract_threshold = 1.0
load = { type = "household" }

[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = { uniform = [3.0, 8.0] }
curtailment_rate = 0.5

[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0

[[projects]]
id = "SHOP"
standalone = true
load = { type = "constant", kw = 3.0 }

[[projects.ders]]
id = "SHOP_PV"
type = "solar"
nameplate_capacity = 20.0
arrays = [
  { capacity_kw = 12.0, tilt = 10.0, azimuth = 90.0 },
  { capacity_kw = 12.0, tilt = 10.0, azimuth = 270.0 },
]
diffuse_iam = true

[[events]]
id = "peak"
after_s = 420
duration_s = 900

[[faults]]
type = "stuck_inverter"
ders = ["HOME_1_PV"]
after_s = 600
duration_s = 900

[[transports]]
type = "stdout"
"""

# Noon; the clock goes back, on the first of a month; sunrise, midnight and new year; seconds.
PERIODS = [
    ("2026-06-20T15:00:00Z", 60.0),
    ("2026-11-01T04:30:00Z", 60.0),
    ("2026-12-31T12:00:00Z", 900.0),
    ("2026-03-08T05:59:30Z", 1.0),
]
TICKS = 60


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[str, float], Scenario]:
    def scenario(start: str, tick_s: float) -> Scenario:
        path = tmp_path / "blocks.toml"
        path.write_text(TEXT)
        options = Options(
            config=path, flags=Flags(start=start), overrides=(f"simulation.tick_s={tick_s}",)
        )
        return make_plan(options).configuration.scenario

    return scenario


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    def single(on: bool) -> None:
        monkeypatch.setattr(blocks, "_CELLS", 0 if on else 16_384)

    return single


def instructions(seed: int) -> dict[int, list[Instruction]]:
    """Return commands and faults at random ticks, some to the solar arrays."""
    chance = random.Random(seed)
    array = Target("HOME_1", "HOME_1_PV")
    # In any case a limit that ends in the midst of a block, and takes some ticks to move back.
    by_tick: dict[int, list[Instruction]] = {
        17: [Command(array, "limit", "limit_power", 1.0, "%", duration_s=130.0)]
    }
    for number in range(7):
        name = f"c{number}"
        kinds: list[Instruction] = [
            Command(array, name, "limit_power", 5.0, "%", duration_s=chance.choice([1, 300])),
            Command(Target("HOME_2", "HOME_2_BAT"), name, "set_power", 2.0),
            Command(Target("SHOP", "SHOP_PV"), name, "disconnect", duration_s=120.0),
            Command(Target("HOME_3"), name, "limit_export", 0.5, duration_s=600.0),
            InjectFault(array, name, "", {"type": "sign_flip", "duration_s": 200}),
            ClearFault(array, name, "sign_flip"),
        ]
        by_tick.setdefault(chance.randrange(TICKS), []).append(chance.choice(kinds))
    return by_tick


def values(result: TickResult) -> list[bytes]:
    truth, batch = result.truth, result.batch
    assert truth is not None
    columns = [truth.baseline_kw, truth.load_kw, truth.output_kw, truth.soc, *truth.extra.values()]
    columns += [batch.current_output, batch.power_meter_measurement, batch.baseline]
    return [np.ascontiguousarray(column).tobytes() for column in columns]


@pytest.mark.parametrize("seed", range(len(PERIODS)))
def test_a_run_in_blocks_equals_one_of_single_ticks(
    scenario: Callable[[str, float], Scenario], single: Callable[[bool], None], seed: int
) -> None:
    made, given = scenario(*PERIODS[seed]), instructions(seed)
    single(True)
    one = Simulation(made)
    expected = [values(one.advance(given.get(tick, ()))) for tick in range(TICKS)]
    single(False)
    several = Simulation(made)
    # Two checkpoints in the midst of a block; each new run begins with a short one.
    cuts = random.Random(seed).sample(range(1, TICKS), 2)
    for tick in range(TICKS):
        if tick in cuts:
            several = resumed(several, made)
        assert values(several.advance(given.get(tick, ()))) == expected[tick], tick
    assert several.clipped == one.clipped


def test_the_state_in_the_midst_of_a_block_is_that_of_the_tick(
    scenario: Callable[[str, float], Scenario], single: Callable[[bool], None]
) -> None:
    states = []
    for on in (True, False):
        single(on)
        simulation = Simulation(scenario(*PERIODS[0]))
        for _ in range(40):
            simulation.advance()
        states.append(repr(simulation.state()))
    assert states[0] == states[1]
