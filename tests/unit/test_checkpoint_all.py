"""A checkpoint in the midst of everything: events, commands, faults and like days at once."""

from __future__ import annotations

import json

import pytest

from gridsim.api import Batch, Instruction, Target, read_instruction
from gridsim.contracts.results import TickResult
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed
from tests.fixtures.runs import ARRAY, BATTERY, HEAD, HOME, Bench
from tests.fixtures.same import assert_same_result

CONFIG = (
    HEAD
    + HOME.replace("load =", 'baseline = { type = "like_days", slot_min = 60 }\nload =')
    + ARRAY
    + BATTERY
    + "report_on_change = { current_output = 0.05 }\nreport_every_s = 600\n"
    + """
[[events]]
id = "evening"
after_s = 300
duration_s = 1200
notice_s = 200
ramp_s = 120
randomize_start_s = 60
compliance = { uniform = [0.7, 1.3] }

[[events]]
id = "daily"
cron = "20 12 * * *"
duration_s = 300
export_limit_kw = 0.5

[[faults]]
type = "offline"
readings = "stored"
ders = ["*_PV"]
after_s = 500
duration_s = { uniform = [200.0, 900.0] }

[[faults]]
type = "frozen_meter"
per_day = 100.0
duration_s = 300
of = "project"

[[faults]]
type = "delay"
delay_s = 40
jitter_s = 30
probability = 0.3

[[faults]]
type = "reorder"
probability = 0.2
"""
)
TICKS = 200
CHECKPOINTS = (31, 60, 110)
ASKED = {
    40: ("HOME_1_BAT", {"id": "a", "command": "set_power", "value": -3, "ramp_s": 400}),
    55: ("HOME_2_BAT", {"id": "b", "command": "target_soc", "value": 60}),
    58: ("HOME_3_PV", {"id": "c", "command": "limit_export", "value": 1, "duration_s": 500}),
    130: ("HOME_1_BAT", {"id": "a", "command": "set_power", "value": 1}),
    131: ("HOME_1_BAT", {"id": "d", "command": "disconnect", "duration_s": 100}),
}


def step(simulation: Simulation, tick: int) -> TickResult:
    if tick == TICKS:
        return simulation.finish()
    instructions: list[Instruction] = []
    if tick in ASKED:
        der, body = ASKED[tick]
        payload = json.dumps(body).encode()
        instructions = [read_instruction(payload, Target(der[:6], der), "test")]
    return simulation.advance(instructions)


def test_a_checkpoint_in_the_midst_of_everything_goes_on_alike(bench: Bench) -> None:
    """While an event is announced; while commands hold in it and readings are stored; and
    when much of it is over and the next event is near."""
    scenario, _ = bench.plan(CONFIG)
    whole, copies, ones = Simulation(scenario), list[Simulation](), list[TickResult]()
    for tick in range(TICKS + 1):
        if tick in CHECKPOINTS:
            copies.append(resumed(whole, scenario))
        one = step(whole, tick)
        for copy in copies:
            assert_same_result(step(copy, tick), one)
        ones.append(one)
    after = ones[CHECKPOINTS[-1] :]
    late = [one for one in after if (one.batch.tick < one.tick - 10).any()]
    assert late, "nothing was stored: the test is of no use"
    assert {one.event for result in after for one in result.settlements} == {"evening", "daily"}
    told = [(one.id, one.status) for result in after for one in result.acknowledgements]
    assert ("a", "rejected") in told, "its id was used before, here or before the checkpoint"
    assert ("d", "completed") in told
    assert any(result.episodes for result in after)


def test_batches_stay_read_only_after_a_checkpoint(bench: Bench) -> None:
    scenario, _ = bench.plan(HEAD + HOME + ARRAY)
    batch = resumed(Simulation(scenario), scenario).advance().batch
    arrays = [value for name in Batch.__slots__ if hasattr(value := getattr(batch, name), "flags")]
    assert len(arrays) == 10
    assert not any(array.flags.writeable for array in arrays)


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("checkpoint"))
