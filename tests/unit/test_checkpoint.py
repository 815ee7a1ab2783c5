"""A checkpoint as bytes: what is not one, or not of this run, is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gridsim import __version__
from gridsim.api import Device, StateError
from gridsim.contracts.tree_serial import tree_from_bytes, tree_to_bytes
from gridsim.execution.checkpoint import (
    CheckpointError,
    RunFacts,
    check_keys,
    checkpoint_bytes,
    read_checkpoint,
)
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from tests.fixtures.runs import HEAD, HOMES, Bench

KEYS = {"simulation.seed": "1f", "weather.type": "2e"}
FACTS = RunFacts("abc", 5, 7, ["file"], "/x", {"episodes": 3})

HEATER = """
from gridsim.api import Device, hookimpl

class Heater(Device):
    def __init__(self, settings):
        super().__init__(settings)
        self.log = open(__file__)

    def step(self, tick):
        return -1.0

@hookimpl
def gridsim_register(register):
    register.der("heater", Heater)
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return Bench(tmp_path).plan(HEAD + HOMES)[0]


@pytest.fixture
def data(scenario: Scenario) -> bytes:
    simulation = Simulation(scenario)
    for _ in range(3):
        simulation.step()
    return checkpoint_bytes(simulation.state(), KEYS, FACTS)


def changed(data: bytes, **parts: Any) -> bytes:
    tree = tree_from_bytes(data)
    assert isinstance(tree, dict)
    return tree_to_bytes({**tree, **parts})


def test_a_checkpoint_holds_the_tick_that_comes_next(scenario: Scenario, data: bytes) -> None:
    again = Simulation(scenario)
    again.restore(read_checkpoint(data).state)
    assert again.next_tick == 3
    assert again.advance().tick == 3


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda data: data[:-1], "the checkpoint cannot be read: the data is cut off"),
        (lambda data: b"", "the checkpoint cannot be read: the data is cut off"),
        (lambda data: b"\x80\x04K\x01.", "the checkpoint cannot be read: .* does not begin with"),
        (lambda data: data[:-1] + b"\0\0", "bytes more"),
        (lambda data: tree_to_bytes([1]), "the data is not a checkpoint"),
        (lambda data: changed(data, state=[]), "the data is not a checkpoint"),
        (lambda data: changed(data, gridsim="0.0.1"), "written by gridsim 0.0.1"),
        (lambda data: changed(data, checkpoint=99), f"this is {__version__}"),
        (lambda data: changed(data, keys={"a": 1}), "the data is not a checkpoint"),
        (lambda data: changed(data, facts={}), "does not have the facts of its run"),
        (lambda data: changed(data, state={"next_tick": -1}), "have the tick that comes next"),
    ],
)
def test_what_is_no_checkpoint_of_this_run_is_refused(
    data: bytes, damage: Any, complaint: str
) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        read_checkpoint(damage(data))


def test_a_checkpoint_of_another_configuration_is_refused_with_its_keys(data: bytes) -> None:
    checkpoint = read_checkpoint(data)
    check_keys(checkpoint, dict(KEYS))
    many = {f"projects.0.{n}": "x" for n in range(9)}
    with pytest.raises(CheckpointError) as caught:
        check_keys(checkpoint, {"weather.type": "y", **many})
    named = "projects.0.0, projects.0.1, projects.0.2, projects.0.3, projects.0.4, projects.0.5"
    assert f"{named}, projects.0.6, projects.0.7 and 3 more; " in str(caught.value)


def test_a_state_is_for_its_own_scenario(scenario: Scenario, data: bytes) -> None:
    state = read_checkpoint(data).state
    with pytest.raises(StateError, match="the checkpoint belongs to another scenario"):
        Simulation(scenario.subset([0])).restore(state)


def test_a_state_is_for_a_simulation_that_was_just_made(scenario: Scenario, data: bytes) -> None:
    used = Simulation(scenario)
    used.step()
    with pytest.raises(StateError, match="only before a simulation's first tick"):
        used.restore(read_checkpoint(data).state)


@pytest.mark.parametrize(
    "part", ["next_tick", "failures", "fleets", "loads", "baselines", "maker", "commands"]
)
def test_a_state_with_a_part_amiss_is_refused(scenario: Scenario, data: bytes, part: str) -> None:
    state = read_checkpoint(data).state
    missing = {name: tree for name, tree in state.items() if name != part}
    for broken in (missing, {**state, part: "x"}):
        with pytest.raises(StateError, match=r"does not fit|has no such state"):
            Simulation(scenario).restore(broken)


def test_a_plugin_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    (tmp_path / "heater.py").write_text(HEATER)
    text = HEAD.replace("[simulation]", '[simulation]\nplugins = ["./heater.py"]')
    text += HOMES.replace('"solar"', '"heater"')
    simulation = Simulation(Bench(tmp_path).plan(text)[0])
    with pytest.raises(StateError) as caught:
        checkpoint_bytes(simulation.state(), KEYS, FACTS)
    assert str(caught.value).startswith(
        "the DER type 'heater': Heater.log cannot be kept in a checkpoint: "
        "it is of the type TextIOWrapper."
    )
    for fleet in simulation._course.fleets.running:
        for device in getattr(fleet.fleet, "devices", ()):
            assert isinstance(device, Device)
            device.log.close()  # type: ignore[attr-defined]


def test_a_disabled_fleet_stays_disabled(tmp_path: Path) -> None:
    (tmp_path / "heater.py").write_text(
        HEATER.replace("self.log = open(__file__)", "pass").replace(
            "return -1.0", "return -1.0 if tick.index < 2 else 1 / 0"
        )
    )
    text = HEAD.replace(
        "[simulation]", '[simulation]\non_error = "skip_fleet"\nplugins = ["./heater.py"]'
    )
    scenario = Bench(tmp_path).plan(text + HOMES.replace('"solar"', '"heater"'))[0]
    simulation = Simulation(scenario)
    for _ in range(4):
        simulation.step()
    again = Simulation(scenario)
    again.restore(read_checkpoint(checkpoint_bytes(simulation.state(), KEYS, FACTS)).state)
    assert [(one.fleet, one.tick) for one in again.failures] == [("heater", 2)]
    assert again.failures == simulation.failures
    one, other = simulation.advance(), again.advance()
    assert len(one.batch) == 3
    assert one.batch.current_output.tolist() == other.batch.current_output.tolist()
    assert other.failures == ()
