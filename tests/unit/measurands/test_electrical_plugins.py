"""The power factor, the reactive power and the phases of DER types and loads of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridsim.api import Batch
from gridsim.errors import PluginError
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation

PLUGIN = """
import numpy as np
from gridsim.api import (
    DerSettings, Device, DeviceReading, Fleet, Load, Telemetry, hookimpl,
)

class Lagging(Device):
    power_factor = FACTOR
    def step(self, tick):
        return -4.0

class Leading(Device):
    def step(self, tick):
        return DeviceReading(4.0, reactive_kvar=3.0)

class WideSettings(DerSettings):
    phases: int = 2

class Wide(Fleet):
    Settings = WideSettings
    reported_type = "wide"
    def step(self, tick, orders):
        return Telemetry(np.full(len(self.members), 2.0), reactive_kvar=REACTIVE)

class Motor(Load):
    power_factor = 0.8
    def at(self, tick):
        return np.full(len(self.members), 8.0)
    def expected(self, time_ms):
        return np.full(len(self.members), 8.0)

@hookimpl
def gridsim_register(register):
    register.der("lagging", Lagging)
    register.der("leading", Leading)
    register.der("wide", Wide)
    register.load("motor", Motor)
"""
CONFIG = """
[simulation]
speed = 0
start = 2026-03-10T00:00:00Z
plugins = ["./own.py"]
measurands = ["reactive_kvar", "power_factor", "voltage_l1", "voltage_l2", "voltage_l3",
  "meter_reactive_kvar", "meter_power_factor"]
[site]
timezone = "Europe/Berlin"
[weather]
type = "clear"
[[transports]]
type = "stdout"
[[projects]]
id = "HOME"
load = { type = "motor" }
"""
TYPES = ("lagging", "leading", "wide")
DERS = "".join(
    f'[[projects.ders]]\nid = "{name}"\ntype = "{name}"\nnameplate_capacity = 5.0\n'
    for name in TYPES
)


def first(
    folder: Path, factor: str = "0.8", reactive: str = "np.full(1, -1.5)", more: str = ""
) -> Batch:
    (folder / "own.py").write_text(PLUGIN.replace("FACTOR", factor).replace("REACTIVE", reactive))
    (folder / "config.toml").write_text(CONFIG + DERS + more)
    plan = make_plan(Options(config=folder / "config.toml"))
    return Simulation(plan.configuration.scenario).step()


def test_a_plugin_says_its_power_factor_reactive_power_and_phases(tmp_path: Path) -> None:
    extra = first(tmp_path).extra
    assert extra["reactive_kvar"].tolist() == [-3.0, 3.0, -1.5]
    assert extra["power_factor"].tolist() == [-0.8, 0.8, 0.8]
    lines = [~np.isnan(extra[f"voltage_l{number}"]) for number in (1, 2, 3)]
    assert np.sum(lines, axis=0).tolist() == [3, 3, 2]
    # The load draws 6 kvar, and the devices inject -1.5 of their own.
    assert extra["meter_reactive_kvar"].tolist() == [7.5] * 3


@pytest.mark.parametrize(
    ("factor", "reactive", "more", "message"),
    [
        ("0.0", "None", "", "'lagging' has power_factor = 0.0: it must be in (0, 1]"),
        ("1.1", "None", "", "'lagging' has power_factor = 1.1: it must be in (0, 1]"),
        ("1.0", "np.array([np.inf])", "", "'wide' returned reactive_kvar = inf for wide"),
        ("1.0", "np.zeros(2)", "", "'wide' returned reactive_kvar of shape (2,)"),
        (
            "1.0",
            "None",
            "phases = 4\n",
            "'wide' returned phases = 4 for wide: it must be 1, 2 or 3",
        ),
    ],
)
def test_a_wrong_value_names_the_plugin(
    tmp_path: Path, factor: str, reactive: str, more: str, message: str
) -> None:
    with pytest.raises(PluginError) as caught:
        first(tmp_path, factor, reactive, more)
    assert message in str(caught.value)
