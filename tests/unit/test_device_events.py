"""A `Device` that says what it can do takes part in events; one that does not takes no commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridsim.api import (
    Acknowledgement,
    Command,
    DerSettings,
    Device,
    DeviceCapability,
    DeviceTick,
    Fleet,
    Target,
    fleet_of,
)
from gridsim.contracts.results import Settlement
from gridsim.errors import PluginError
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.testing import FleetContract, make_members, make_tick

EXAMPLES = Path(__file__).parents[2] / "examples"
HEATED = f"""
[simulation]
tick_s = 60.0
start = 2026-01-14T20:00:00Z
plugins = ["{EXAMPLES / "my_ders" / "electric_heater.py"}", "{{deaf}}"]
[[projects]]
id = "A"
contract_threshold = 1.0
baseline = 3.0
load = {{{{ type = "constant", kw = 1.0 }}}}
[[projects.ders]]
id = "A_HEAT"
type = "electric_heater"
nameplate_capacity = 2.0
loss_kw_per_k = 1.0
[[projects]]
id = "B"
[[projects.ders]]
id = "B_LAMP"
type = "lamp"
nameplate_capacity = 0.1
[[events]]
id = "peak"
projects = ["A"]
after_s = 600
duration_s = 1200
[[transports]]
type = "stdout"
"""
LAMP = """
from gridsim.api import Device, hookimpl

class Lamp(Device):
    def step(self, tick):
        return -0.1

@hookimpl
def gridsim_register(register):
    register.der("lamp", Lamp)
"""


class Boiler(Device):
    def capability(self, tick: DeviceTick) -> DeviceCapability:
        share = float(tick.rng.random())
        return DeviceCapability(-share, 0.0, preferred_kw=-share)

    def step(self, tick: DeviceTick) -> float:
        kw = -float(tick.rng.random()) if tick.setpoint_kw is None else tick.setpoint_kw
        return min(max(kw, -1.0, tick.min_kw), tick.max_kw, 0.0)


class Wordless(Boiler):
    def capability(self, tick: DeviceTick) -> DeviceCapability:
        return (-1.0, 0.0)  # type: ignore[return-value]


class MaybeManaged(Boiler):
    class Settings(DerSettings):
        managed: bool = True


class TestBoilerContract(FleetContract):
    fleet = fleet_of(Boiler, "boiler")
    settings = ({"nameplate_capacity": 1.0},)


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    (tmp_path / "lamp.py").write_text(LAMP)
    path = tmp_path / "config.toml"
    path.write_text(HEATED.format(deaf=tmp_path / "lamp.py"))
    return Simulation(make_plan(Options(config=path)).configuration.scenario)


def test_the_heater_of_the_guide_sheds_in_an_event(simulation: Simulation) -> None:
    output, settlements = list[float](), list[Settlement]()
    for _ in range(35):
        result = simulation.advance()
        output.append(float(result.batch.current_output[0]))
        settlements += result.settlements
    assert output == [-2.0] * 10 + [-1.0] * 20 + [-2.0] * 5
    [own] = settlements
    assert own.delivered_kwh == pytest.approx(1.0 / 3.0)
    assert own.violations == ()


def answers(simulation: Simulation, target: Target) -> Acknowledgement:
    [answer] = simulation.advance([Command(target, "c-1", "set_power", -0.05)]).acknowledgements
    return answer


def test_a_command_to_a_type_that_may_ignore_it_is_rejected(simulation: Simulation) -> None:
    answer = answers(simulation, Target("B", "B_LAMP"))
    assert (answer.status, answer.reason) == (
        "rejected",
        "B_LAMP is of the type 'lamp', which takes no commands",
    )
    answer = answers(simulation, Target("B"))
    assert (answer.status, answer.reason) == (
        "rejected",
        "B has only DERs of types that take no commands",
    )
    assert answers(simulation, Target("A", "A_HEAT")).status == "accepted"


def test_a_device_is_flexible_if_it_says_what_it_can_do() -> None:
    def stage(device: type[Device], **settings: bool) -> str:
        fleet: type[Fleet] = fleet_of(device, "any")
        return fleet.stage(device.Settings(nameplate_capacity=1.0, **settings))

    assert stage(Boiler) == "flexible"
    assert stage(MaybeManaged) == "flexible"
    assert stage(MaybeManaged, managed=False) == "free"


def test_capability_has_the_same_chance_as_the_step() -> None:
    members = make_members(DerSettings, [{"nameplate_capacity": 1.0}] * 3)
    fleet = fleet_of(Boiler, "boiler")(members)
    able = fleet.capability(make_tick(7))
    assert able.preferred_kw is not None
    assert (able.preferred_kw == able.min_kw).all()
    assert len(set(able.min_kw.tolist())) == 3
    assert not np.any(able.max_kw)


def test_a_wrong_capability_names_the_type() -> None:
    fleet = fleet_of(Wordless, "wordless")(make_members(DerSettings, [{"nameplate_capacity": 1.0}]))
    with pytest.raises(PluginError, match=r"'wordless' \(class Wordless\): capability returned"):
        fleet.capability(make_tick(0))
