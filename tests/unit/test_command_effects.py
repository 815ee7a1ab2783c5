"""The orders that active commands give to devices: one at a time, and many."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from gridsim.api import Target, read_instruction
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.commands.lines import Lines
from gridsim.simulation.commands.storage import SocTargets
from gridsim.simulation.step import Simulation

TOY = """
[simulation]
seed = 1
start = "2026-07-01T12:00:00Z"

[[transports]]
type = "stdout"

[[projects]]
id = "P"
load = { type = "constant", kw = 1.0 }

[[projects.ders]]
id = "TOY"
type = "battery"
nameplate_capacity = 0.004
energy_capacity_kwh = 0.01
"""


def test_ratings_that_round_to_nothing_can_be_limited(tmp_path: Path) -> None:
    path = tmp_path / "toy.toml"
    path.write_text(TOY)
    simulation = Simulation(make_plan(Options(config=path)).configuration.scenario)
    body = {"id": "c-1", "command": "limit_power", "value": 50}
    outcome = simulation.advance([read_instruction(json.dumps(body).encode(), Target("P"))])
    assert [told.status for told in outcome.acknowledgements] == ["accepted"]


def test_a_target_of_another_device_changes_nothing_of_ones_own_way() -> None:
    """The second device gets a target in every tick while the first is on its way."""
    ways = []
    for disturbed in (False, True):
        targets = SocTargets(np.array([5.0, 5.0]))
        targets.put(np.array([0]), np.array([52.0]))
        soc, power, way = np.array([50.0, 50.0]), np.zeros(2), []
        for _ in range(30):
            if disturbed:
                targets.put(np.array([1]), np.array([90.0]))
            asked = targets.advance(soc, power)
            way.append(float(asked[0]))
            # 0.05 % for a kW and tick, of what flowed in the tick that is over.
            soc, power = soc - 0.05 * power, np.nan_to_num(asked)
        ways.append(way)
    assert ways[0] == ways[1]
    assert ways[0][-1] == 0.0


def test_what_went_on_before_a_target_teaches_nothing() -> None:
    """Between two targets nobody is followed: a change over the gap is no change over a tick."""
    targets, place = SocTargets(np.array([5.0])), np.array([0])
    targets.put(place, np.array([90.0]))
    targets.advance(np.array([50.0]), np.array([-5.0]))
    targets.clear(place)
    targets.put(place, np.array([90.0]))
    # Had it learned that 5 kW bring 39 % a tick, it would now stop at once.
    assert targets.advance(np.array([89.0]), np.array([-5.0])).tolist() == [-5.0]


def test_lines_are_the_same_at_some_places_as_everywhere() -> None:
    lines = Lines(4)
    lines.put(np.array([0, 2]), np.array([0.0, 1.0]), np.array([4.0, 5.0]), 1000, 2000.0)
    for time_ms in (0, 1500, 3000):
        some = np.array([2, 1])
        np.testing.assert_array_equal(lines.at(time_ms, some), lines.at(time_ms)[some])


def test_a_ramp_of_a_limit_begins_at_the_limit_before_it(tmp_path: Path) -> None:
    """Not at the rated power, nor at the present power, which is 0 here."""
    path = tmp_path / "toy.toml"
    path.write_text(TOY.replace("0.004", "10.0").replace("0.01", "100.0"))
    for target in (Target("P"), Target("P", "TOY")):
        simulation = Simulation(make_plan(Options(config=path)).configuration.scenario)

        def output(at: Simulation = simulation, to: Target = target, **body: object) -> float:
            given = [read_instruction(json.dumps(body).encode(), to)] if body else []
            outcome = at.advance(given)
            assert "rejected" not in {told.status for told in outcome.acknowledgements}
            return float(outcome.batch.current_output[0])

        output(id="a", command="limit_power", value=50)
        output(id="b", command="limit_power", value=10, ramp_s=10)
        for _ in range(4):
            output()
        # From 50 % to 10 %, in the middle of the sixth second of ten.
        assert output(id="c", command="set_power", value=9.0) == 2.8


def test_the_limit_of_import_of_a_project_binds_its_devices(tmp_path: Path) -> None:
    path = tmp_path / "toy.toml"
    path.write_text(TOY.replace("0.004", "10.0").replace("0.01", "100.0"))
    simulation = Simulation(make_plan(Options(config=path)).configuration.scenario)
    limit = json.dumps({"id": "l", "command": "limit_import", "value": 3.0}).encode()
    charge = json.dumps({"id": "c", "command": "set_power", "value": -9.0}).encode()
    simulation.advance([read_instruction(limit, Target("P"))])
    for _ in range(3):
        outcome = simulation.advance([read_instruction(charge, Target("P"))])
        charge = charge.replace(b'"c', b'"cc')
    # The load takes 1 kW of the 3.
    assert outcome.batch.current_output[0] == -2.0
