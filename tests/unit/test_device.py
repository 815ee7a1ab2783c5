"""The easy contract: devices, one object each, are as good as a fleet."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from pydantic import Field

from gridsim.api import (
    DerSettings,
    Device,
    DeviceReading,
    DeviceTick,
    Draws,
    Fleet,
    Orders,
    Unit,
    fleet_of,
)
from gridsim.errors import PluginError
from gridsim.simulation.scenario import BaselineSpec, FleetSpec, LoadSpec, Scenario, WeatherSpec
from gridsim.simulation.step import Simulation
from gridsim.testing import (
    START_MS,
    FleetContract,
    make_members,
    make_roster,
    make_sites,
    make_tick,
)
from gridsim_plugins.baselines.expectation import ExpectedLoad
from tests.fixtures.resumed import resumed
from tests.unit.engine.fleets import Calm, Flat


class PumpSettings(DerSettings):
    flow: Annotated[float, Unit("m3/h")] = Field(5.0, gt=0.0, description="at full power")


class Pump(Device):
    """Fills a tank by fits and starts; its state is what is in the tank."""

    Settings = PumpSettings
    columns = {"level": "m3"}  # noqa: RUF012 - the contract's ClassVar

    def __init__(self, settings: PumpSettings) -> None:
        super().__init__(settings)
        self.level = 0.0

    def step(self, tick: DeviceTick) -> DeviceReading:
        share = float(tick.rng.random())
        rated = self.settings.nameplate_capacity
        if tick.setpoint_kw is not None:
            share = min(max(-tick.setpoint_kw / rated, 0.0), 1.0)
        share = min(share, -tick.min_kw / rated)
        self.level += share * self.settings.flow * tick.dt_s / 3600.0
        power = -share * rated
        return DeviceReading(power, self.level % 100.0, {"level": self.level})


class Named(Pump):
    reported_type = "water_pump"


class Undeclared(Pump):
    columns = {}  # noqa: RUF012 - the contract's ClassVar


class Silent(Device):
    def step(self, tick: DeviceTick) -> Any:
        pass


class TestDeviceContract(FleetContract):
    fleet = fleet_of(Pump, "pump")
    settings = ({"nameplate_capacity": 3.0}, {"nameplate_capacity": 2.0, "flow": 1.0})


def simulation(fleet: type[Fleet]) -> Simulation:
    """One project with two devices."""
    sites = make_sites()
    entries = [{"nameplate_capacity": 3.0}, {"nameplate_capacity": 2.0}]
    members = make_members(fleet.Settings, entries, sites=sites)
    return Simulation(
        Scenario(
            draws=Draws(42),
            start_ms=START_MS,
            tick_ms=1000,
            on_error="stop",
            roster=make_roster((2,), fleet.columns),
            sites=sites,
            contract_threshold=np.zeros(1),
            report_every_ticks=np.ones(2, np.int64),
            weather=WeatherSpec("calm", Calm, Calm.Settings()),
            loads=[LoadSpec("flat", Flat, make_members(Flat.Settings, [{}], sites=sites))],
            baselines=[
                BaselineSpec(
                    "expectation", ExpectedLoad, make_members(Flat.Settings, [{}], sites=sites)
                )
            ],
            fleets=[FleetSpec("pump", fleet, "free", members, np.arange(2))],
        )
    )


@pytest.mark.parametrize("device", [Pump, Named])
def test_a_resumed_simulation_of_devices_goes_on_identically(device: type[Device]) -> None:
    whole = simulation(fleet_of(device, "pump"))
    for _ in range(5):
        whole.step()
    copy = resumed(whole, simulation(fleet_of(device, "pump")))
    for _ in range(5):
        one, other = whole.step(), copy.step()
        assert one.current_output.tolist() == other.current_output.tolist()
        assert one.current_soc.tolist() == other.current_soc.tolist()
        assert one.extra["level"].tolist() == other.extra["level"].tolist()
    assert len(set(one.extra["level"].tolist())) == 2, "the devices do nothing"


def test_a_made_class_pickles_as_itself_and_its_base_by_name() -> None:
    fleet = fleet_of(Pump, "pump")
    again = pickle.loads(pickle.dumps(fleet))
    assert (again.device, again.reported_type, again.columns) == (Pump, "pump", Pump.columns)
    base = fleet.__base__
    assert pickle.loads(pickle.dumps(base)) is base


@pytest.mark.parametrize(
    ("device", "complaint"),
    [
        (Undeclared, r"'pump' \(class Undeclared\) reports 'level': declare it in `columns`"),
        (Silent, r"'pump' \(class Silent\): step returned None instead of kW"),
    ],
)
def test_what_a_device_gets_wrong_is_said(device: type[Device], complaint: str) -> None:
    fleet = fleet_of(device, "pump")
    with pytest.raises(PluginError, match=complaint):
        simulation(fleet).step()
    members = make_members(fleet.Settings, [{"nameplate_capacity": 3.0}])
    with pytest.raises(PluginError, match=complaint):
        fleet(members).step(make_tick(), Orders(np.full(1, np.nan), np.zeros(1)))


class SteadyPump(Device):
    """A device of the easy contract, as it stands in a contract test."""

    def step(self, tick: DeviceTick) -> float:
        return -0.5 * float(self.settings.nameplate_capacity)


class TestADeviceStandsInTheContractTest(FleetContract):
    fleet = SteadyPump
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({"nameplate_capacity": 2.0},)
    obeys_within_s = None
