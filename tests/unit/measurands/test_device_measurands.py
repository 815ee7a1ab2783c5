"""Measurands that a type of the easy contract reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridsim.simulation.step import Simulation
from tests.fixtures.runs import HEAD, Bench

LAMP = """
from gridsim.api import Device, DeviceReading, hookimpl
class Lamp(Device):
    measurands = ("state", "energy_available_kwh")
    def step(self, tick):
        extra = {"state": 4.0, "energy_available_kwh": 2.5, **MORE}
        if tick.index == 1:
            extra = {}
        assert tick.wanted <= set(self.measurands)
        return DeviceReading(-1.0, extra=extra)
@hookimpl
def gridsim_register(register):
    register.der("lamp", Lamp)
"""
SITE = """
[[projects]]
id = "P"
[[projects.ders]]
id = "LAMP"
type = "lamp"
nameplate_capacity = 1.0
[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 1.0
"""


def made(bench: Bench, folder: Path, wanted: list[str], more: str = "{}") -> Simulation:
    (folder / "lamp.py").write_text(LAMP.replace("**MORE", f"**{more}"))
    head = f'[simulation]\nplugins = ["./lamp.py"]\nmeasurands = {wanted}'
    text = HEAD.replace("[simulation]", head) + '[weather]\ntype = "clear"\n' + SITE
    return Simulation(bench.plan(text)[0])


def test_a_device_reports_the_measurands_that_the_run_wants(bench: Bench, tmp_path: Path) -> None:
    simulation = made(bench, tmp_path, ["state"])
    extra = simulation.step().extra
    assert set(extra) == {"state"}
    assert extra["state"].tolist()[0] == 4.0
    # What a device does not report in a tick is missing.
    assert np.isnan(simulation.step().extra["state"][0])
    assert set(made(bench, tmp_path, []).step().extra) == set()


def test_a_measurand_that_is_not_declared_is_refused(bench: Bench, tmp_path: Path) -> None:
    simulation = made(bench, tmp_path, ["session_kwh"], "{'session_kwh': 1.0}")
    with pytest.raises(Exception, match="declare it in `columns` or `measurands`"):
        simulation.step()
