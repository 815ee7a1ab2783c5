"""Instructions to the shards of a run change the same readings as in one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gridsim.api import CallEvent, Command, InjectFault, Instruction, Shard, Target
from gridsim.contracts.instructions import FLEET
from gridsim.contracts.results import TickResult
from gridsim.running.sharding import ShardDivision
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from tests.fixtures.runs import HEAD, HOMES, Bench
from tests.unit.test_subset import assert_same_rows, facts, rows_of

TICKS = 24


def given(tick: int) -> list[Instruction]:
    """Return the instructions that arrive before a tick."""
    some = ["HOME_1", "HOME_2"]
    noise = {"type": "noise", "probability": 0.5, "field": "current_output", "absolute": 0.3}
    delay = {"type": "delay", "probability": 0.3, "delay_s": 60, "projects": some}
    event = {"duration_s": 90, "randomize_start_s": 40}
    few = {"duration_s": 40, "target_kw": 1.0, "projects": some}
    every: dict[int, list[Instruction]] = {
        2: [
            Command(Target("HOME_3", "HOME_3_BAT"), "one", "set_power", -2.0),
            Command(Target("HOME_2"), "two", "limit_export", 1.0),
            Command(Target("HOME_9"), "nowhere", "set_power", 1.0),
        ],
        4: [InjectFault(FLEET, "three", "shake", noise)],
        6: [CallEvent(FLEET, "four", "called", event)],
        8: [InjectFault(FLEET, "five", "later", delay)],
        9: [CallEvent(FLEET, "six", "few", few)],
    }
    return every.get(tick, [])


def results(scenario: Scenario, division: ShardDivision) -> Iterator[TickResult]:
    simulation = Simulation(scenario)
    for tick in range(TICKS):
        own = [one for one in given(tick) if division.is_for(one.target)]
        yield simulation.advance(own)
    yield simulation.finish()


@pytest.mark.parametrize("count", [2, 3])
def test_instructions_to_shards_do_what_they_do_in_one_run(count: int, tmp_path: Path) -> None:
    scenario = Bench(tmp_path).plan(HEAD + HOMES)[0]
    divisions = [ShardDivision(Shard(index, count), scenario) for index in range(count)]
    whole = [*results(scenario, ShardDivision(Shard(0, 1), scenario))]
    parts: list[Sequence[TickResult]] = [
        *zip(*(results(one.scenario, one) for one in divisions), strict=True)
    ]
    answers: dict[str, list[str]] = {}
    for one, some in zip(whole, parts, strict=True):
        assert_same_rows(
            rows_of([each.batch for each in some], scenario), rows_of([one.batch], scenario)
        )
        for name in ("settlements", "episodes"):
            assert facts(some, name) == facts([one], name)
        for each in some:
            for answer in each.acknowledgements:
                answers.setdefault(answer.id, []).append(answer.status)
    assert sum(len(one.settlements) for one in whole) == 5
    first = {id: statuses[0] for id, statuses in answers.items()}
    assert first == dict.fromkeys(("one", "two", "three", "four", "five", "six"), "accepted") | {
        "nowhere": "rejected"
    }
    assert answers["nowhere"] == ["rejected"]
    assert answers["three"] == ["accepted"] * count
