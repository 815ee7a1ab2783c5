"""Homes with a device of every kind, and the readings of those that stay in a reload."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from gridsim.api import Instruction, Target, read_instruction
from gridsim.contracts.results import Reloaded, TickResult
from gridsim.simulation.reload.swap import prepare, swap
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from tests.fixtures.runs import ARRAY, BATTERY, HEAD

KINDS = """
[[projects.ders]]
id = "{project_id}_EV"
type = "ev_charger"
nameplate_capacity = 7.2
managed = true
[[projects.ders]]
id = "{project_id}_HP"
type = "heat_pump"
nameplate_capacity = 6
hot_water_kwh = 6
[[projects.ders]]
id = "{project_id}_WT"
type = "wind_turbine"
nameplate_capacity = 30
hub_height = 40
[[projects.ders]]
id = "{project_id}_GEN"
type = "generator"
nameplate_capacity = 5
"""
HOMES = (
    """
[[projects]]
id = "HOME_{n}"
count = 2
contract_threshold = 2.0
baseline = { type = "like_days", slot_min = 60 }
load = { type = "household", annual_kwh = 40000 }
"""
    + ARRAY
    + BATTERY
    + "dead_time = 4\nreport_on_change = { current_output = 0.05 }\nreport_every_s = 600\n"
    + KINDS
)
OTHER = (
    """
[[projects]]
id = "NEW"
contract_threshold = 1.5
load = { type = "household", annual_kwh = 9000 }
"""
    + BATTERY
    + "dead_time = 25\n"
    + ARRAY
    + f"snowfall = {[50] * 12}\n"
    + KINDS
)
EVENT = """
[[events]]
id = "evening"
after_s = 150
duration_s = 1200
notice_s = 100
ramp_s = 120
randomize_start_s = 60
compliance = { uniform = [0.7, 1.3] }
"""
FAULTS = """
[[faults]]
type = "offline"
readings = "stored"
ders = ["*_PV"]
after_s = 250
duration_s = { uniform = [200.0, 400.0] }
[[faults]]
type = "frozen_meter"
per_day = 400.0
duration_s = 100
of = "project"
[[faults]]
type = "delay"
delay_s = 40
jitter_s = 30
probability = 0.3
"""
REST = EVENT + FAULTS
PLAIN = HEAD + HOMES + REST
AT = 30
"""The tick of the reload: the event runs, arrays are offline and store readings."""
TICKS = 44
ASKED = {
    20: ("HOME_1_BAT", {"id": "a", "command": "set_power", "value": -3, "ramp_s": 400}),
    21: ("HOME_2_BAT", {"id": "b", "command": "target_soc", "value": 60}),
    22: ("HOME_2_PV", {"id": "c", "command": "limit_export", "value": 1, "duration_s": 300}),
    40: ("HOME_1_BAT", {"id": "a", "command": "set_power", "value": 1}),
}


def asked(tick: int) -> list[Instruction]:
    if tick not in ASKED:
        return []
    der, body = ASKED[tick]
    return [read_instruction(json.dumps(body).encode(), Target(der[:6], der), "test")]


def course(scenario: Scenario, after: Scenario | None = None) -> list[TickResult]:
    """The results of a run, with a reload before the tick `AT`; its own result comes before it."""
    simulation, results = Simulation(scenario), list[TickResult]()
    for tick in range(TICKS):
        if tick == AT and after is not None:
            new = Simulation(after)
            # Two ticks earlier, as if the run had gone on meanwhile.
            prepare(scenario, new, AT - 2)
            results.append(swap(simulation, new, Reloaded("digest")))
            simulation = new
        results.append(simulation.advance(asked(tick)))
    return results


def reload_of(results: list[TickResult]) -> TickResult:
    (found,) = [one for one in results if one.reload is not None]
    return found


def readings(results: list[TickResult], of: Collection[str]) -> list[Any]:
    """All readings of some devices, to the last bit."""
    found = []
    for one in results:
        batch, labels = one.batch, one.batch.labels
        assert labels is not None
        ids = [batch.roster.der_id[device] for device in batch.device.tolist()]
        columns = (
            *(batch.tick, batch.timestamp_ms, batch.is_online, batch.current_output),
            *(batch.power_meter_measurement, batch.baseline, batch.current_soc),
            *(batch.connection_start_ms, labels.faults, labels.current_output),
        )
        extra = zip(*(repr_of(column) for _, column in sorted(batch.extra.items())), strict=True)
        for id, row, more in zip(ids, zip(*map(repr_of, columns), strict=True), extra, strict=True):
            if id in of:
                found.append((one.tick, id, row, more))
    return found


def repr_of(column: Any) -> list[str]:
    """Texts, because NaN is not equal to itself."""
    return [repr(value) for value in column.tolist()]
