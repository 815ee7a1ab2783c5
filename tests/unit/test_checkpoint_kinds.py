"""A simulation goes on alike from a checkpoint: every DER type, load, baseline, event and fault.

A small fleet is stepped, written to bytes, and restored into a simulation made anew; every later
column and fact must be that of the undisturbed run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

from gridsim.api import DER_REGISTERS, SITE_REGISTERS, Command, Target
from gridsim.contracts.results import TickResult
from gridsim.execution.checkpoint import RunFacts, checkpoint_bytes
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed
from tests.fixtures.runs import BATTERY, HEAD, Bench
from tests.fixtures.same import assert_same_result

TICK_60 = HEAD.replace("tick_s = 10.0", "tick_s = 60.0")
SITE = """
[[projects]]
id = "{name}_{{n}}"
count = 3
contract_threshold = 2.0
load = {load}
{more}
"""
HOUSEHOLD = '{ type = "household", annual_kwh = 20000 }'
DER = """
[[projects.ders]]
id = "{{project_id}}_{name}"
type = "{type}"
nameplate_capacity = {{ uniform = [4.0, 8.0] }}
{more}
"""


def site(name: str = "HOME", load: str = HOUSEHOLD, more: str = "") -> str:
    return SITE.format(name=name, load=load, more=more)


def der(type: str, more: str = "", name: str = "DER") -> str:
    return DER.format(type=type, more=more, name=name)


DERS = {
    "battery": der("battery", 'energy_capacity_kwh = 10.0\nlosses = "siemens_junelight"'),
    "battery that wears": der(
        "battery", "energy_capacity_kwh = 10.0\ncycle_life = 6000\ninitial_cycles = 500"
    ),
    "battery that trades": der(
        "battery",
        'energy_capacity_kwh = 10.0\nstrategy = "time_of_use"\n'
        'charge_windows = ["00:00-13:00"]\ndischarge_windows = ["13:00-24:00"]',
    ),
    "solar": der("solar"),
    "managed solar": der("solar", "managed = true\ncurtailment_rate = 0.5"),
    "ev_charger": der("ev_charger", "sessions_per_day = 0.8"),
    "managed ev_charger": der("ev_charger", 'managed = true\nstrategy = "smart"\nv2g = true'),
    "wind_turbine": der("wind_turbine", "response_s = 60"),
    "managed wind_turbine": der("wind_turbine", "managed = true\ncurtailment_rate = 0.5"),
    "heat_pump": der("heat_pump", "heat_loss = 200"),
    "managed heat_pump": der("heat_pump", "managed = true\nheat_loss = 200"),
    "water_heater": der("water_heater"),
    "managed water_heater": der("water_heater", "managed = true"),
    "generator": der("generator"),
    "device": der("pump"),
}
LOADS = {
    "household": HOUSEHOLD,
    "smooth household": HOUSEHOLD.replace("20000", "20000, appliances = false"),
    "constant": '{ type = "constant", kw = 4.0 }',
    "profile": '{ type = "profile", path = "day.csv" }',
}
BASELINES = {
    "the load's": "",
    "a number": "baseline = 5.0",
    "another load's": f"baseline = {HOUSEHOLD}",
    "like days": 'baseline = { type = "like_days", slot_min = 60, days = 2 }',
}
PEAK = "after_s = 900\nduration_s = 2400\n"
EVENTS = {
    "a reduction": PEAK,
    "announced, ramped, at random": PEAK + "notice_s = 600\nramp_s = 300\nrandomize_start_s = 600",
    "with chance": PEAK
    + "opt_out = 0.4\ncompliance = { uniform = [0.5, 1.5] }\ntarget_kw = { uniform = [1, 3] }",
    "an export limit": PEAK + "export_limit_kw = 0.5",
    "an import limit": PEAK + "import_limit_kw = 1.0",
    "again and again": 'cron = "*/15 * * * *"\nduration_s = 600',
    "superseded": PEAK,
    "that supersedes": PEAK.replace("900", "2000"),
}
WINDOW = "after_s = 600\nduration_s = 2000\n"
FAULTS = {
    "offline": WINDOW + 'readings = "stored"',
    "frozen_meter": WINDOW,
    "stuck_inverter": WINDOW,
    "sign_flip": WINDOW,
    "unit_mixup": WINDOW,
    "spike": "probability = 0.3",
    "drift": WINDOW,
    "noise": WINDOW,
    "meter_class": WINDOW,
    "counter_reset": WINDOW + "site_registers = true",
    "alarm": WINDOW,
    "counter_rollover": WINDOW + "capacity = 0.5\nsite_registers = true",
    "soc_jump": WINDOW,
    "clock_skew": WINDOW,
    "clock_step": WINDOW,
    "ghost": WINDOW,
    "dst_clock": WINDOW,
    "drop": "probability = 0.3",
    "delay": "probability = 0.5\ndelay_s = 400\njitter_s = 200",
    "duplicate": "probability = 0.3",
    "reorder": "probability = 0.3",
    "truncate": "probability = 0.3",
    "malformed": "probability = 0.3",
    "schema_drift": WINDOW,
}
BEGINNINGS = {
    "at a rate": "per_day = 60.0\nduration_s = { uniform = [100, 1500] }",
    "by cron": 'cron = "*/10 * * * *"\nduration_s = 300',
    "of projects": 'per_day = 60.0\nduration_s = 600\nof = "project"',
}


def event(number: int, text: str) -> str:
    """Return an event of three sites of its own; the last two events have theirs in common."""
    own = min(number, len(EVENTS) - 2)
    sites = site(f"SITE{own}") + BATTERY if own == number else ""
    return f'{sites}[[events]]\nid = "{number}"\nprojects = ["SITE{own}_*"]\n{text}\n'


def fault(number: int, type: str, text: str) -> str:
    """Return a fault of three sites of its own."""
    return (
        site(f"SITE{number}")
        + BATTERY
        + f'[[faults]]\nid = "{number}"\ntype = "{type}"\nprojects = ["SITE{number}_*"]\n{text}\n'
    )


CASES = {
    # A stanza of three sites for each; no site depends on another.
    "every DER type": "".join(site(f"SITE{i}") + text for i, text in enumerate(DERS.values())),
    "every load": "".join(
        site(f"SITE{i}", load=text) + BATTERY for i, text in enumerate(LOADS.values())
    ),
    "every baseline": "".join(
        site(f"SITE{i}", more=text) + BATTERY for i, text in enumerate(BASELINES.values())
    ),
    "every event": "".join(event(i, text) for i, text in enumerate(EVENTS.values())),
    "every fault": "".join(fault(i, *item) for i, item in enumerate(FAULTS.items())),
    "every beginning of a fault": "".join(
        fault(i, "offline", text) for i, text in enumerate(BEGINNINGS.values())
    ),
}
PUMP = '''
from gridsim.api import Device, DeviceReading, hookimpl

class Pump(Device):
    """Remembers how often it ran, and what it drew."""

    def __init__(self, settings):
        super().__init__(settings)
        self.runs, self.last, self.phases = 0, (0.0, None), {"on": 0, "off": 0}

    def step(self, tick):
        on = tick.rng.random() < 0.5
        self.runs += on
        self.phases["on" if on else "off"] += 1
        self.last = (0.7 * self.last[0] - on, tick.index)
        return DeviceReading(self.last[0], 50.0 + self.runs / 10)

@hookimpl
def gridsim_register(register):
    register.der("pump", Pump)
'''
TICKS = 60
REGISTERS = [*DER_REGISTERS, *SITE_REGISTERS]


def plan(folder: Path, text: str) -> Scenario:
    (folder / "pump.py").write_text(PUMP)
    (folder / "day.csv").write_text(
        "time,kw\n" + "".join(f"2026-01-01T{h:02}:00Z,{2 + h % 5}\n" for h in range(24))
    )
    head = TICK_60.replace("[simulation]", '[simulation]\nplugins = ["./pump.py"]')
    if "counter_" in text:
        head = head.replace("[simulation]", f"[simulation]\nmeasurands = {REGISTERS}")
    text = text.replace("day.csv", (folder / "day.csv").as_posix())
    return Bench(folder).plan(head + text)[0]


def commands(simulation: Simulation, tick: int) -> Sequence[Command]:
    """In an early tick a command of each kind to every three sites; some wait, some hold."""
    if tick != 2:
        return ()
    roster = simulation.roster
    later = simulation.start_ms + 40 * simulation.tick_ms
    sent = list[Command]()
    for first in range(0, len(roster.project_id), 3):
        device = int(np.searchsorted(roster.project, first))
        last = int(np.searchsorted(roster.project, first + 2, "right")) - 1
        target = Target(roster.project_id[first], roster.der_id[device])
        other = Target(roster.project_id[first + 2], roster.der_id[last])
        sent += (
            Command(target, "power", "set_power", -1.0, "kW", ramp_s=3000.0),
            Command(target, "limit", "limit_power", 50.0, "%", duration_s=2400.0),
            Command(target, "export", "limit_export", 2.0, start_ms=later, duration_s=600.0),
            Command(target, "soc", "target_soc", 60.0, start_ms=later),
            Command(
                Target(roster.project_id[first + 1]), "net", "limit_import", 1.0, ramp_s=1200.0
            ),
            Command(other, "cut", "disconnect"),
        )
    return sent


def advance(simulation: Simulation) -> TickResult:
    return simulation.advance(commands(simulation, simulation.next_tick))


@pytest.mark.parametrize("case", CASES)
def test_it_goes_on_alike(case: str, tmp_path: Path) -> None:
    scenario = plan(tmp_path, CASES[case])
    whole, copy = Simulation(scenario), Simulation(scenario)
    for tick in range(TICKS):
        if tick in (1, 14, 32):
            # What one checkpoint loses, the next ones do not bring back.
            copy = resumed(copy, scenario)
            # A simulation is not changed by it.
            checkpoint_bytes(whole.state(), {}, RunFacts())
        assert_same_result(advance(copy), advance(whole))
    assert_same_result(copy.finish(), whole.finish())


def test_every_built_in_fault_is_tried() -> None:
    """A kind that is added has a case above."""
    prefix = "gridsim_plugins.faults."
    found = {e.name for e in entry_points(group="gridsim") if e.value.startswith(prefix)}
    assert found == FAULTS.keys()


@pytest.mark.parametrize(("folder", "tried"), [("ders", DERS), ("loads", LOADS)])
def test_every_built_in_type_is_tried(folder: str, tried: Mapping[str, str]) -> None:
    prefix = f"gridsim_plugins.{folder}."
    found = {e.name for e in entry_points(group="gridsim") if e.value.startswith(prefix)}
    names = " ".join(tried)
    assert found
    assert not {name for name in found if name not in names}
