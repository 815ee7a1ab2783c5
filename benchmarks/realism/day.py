"""A day of a mixed fleet at 1 s: energy, invariants, and permitted jumps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.realism import conservation, jumps
from benchmarks.realism.drive import recorded, scenario_of, utc_ms
from benchmarks.realism.recording import Day
from benchmarks.realism.report import Check, Group, at_least, at_most, holds
from gridsim.api import Floats
from gridsim.helpers import sun
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation

_START = "2026-04-14T22:00:00"
_TICKS = 86_400
_HOMES = 12
_CONFIG = """
[simulation]
seed = 17
tick_s = 1.0
start = 2026-04-14T22:00:00Z
[site]
latitude = { uniform = [48.0, 48.2] }
longitude = { uniform = [11.4, 11.8] }
altitude = 520.0
timezone = "Europe/Berlin"
[weather]
type = "synthetic"
%s
"""
_PROJECTS = """
[[projects]]
id = "HOME_{n}"
count = %d
load = { type = "household", annual_kwh = 4500 }
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = { uniform = [4.0, 9.0] }
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
initial_soc = { uniform = [15.0, 90.0] }
[[projects.ders]]
id = "{project_id}_EV"
type = "ev_charger"
nameplate_capacity = 7.2
battery_capacity_kwh = 60.0
target_soc = 100
[[projects.ders]]
id = "{project_id}_HP"
type = "heat_pump"
nameplate_capacity = 4.0
room_temperature = 20.0
internal_gains = 400.0
defrost = false
[[projects.ders]]
id = "{project_id}_WH"
type = "water_heater"
nameplate_capacity = 2.0
[[projects]]
id = "FARM_{n}"
count = %d
load = { type = "household", annual_kwh = 9000 }
[[projects.ders]]
id = "{project_id}_JUNE"
type = "battery"
nameplate_capacity = 3.57
energy_capacity_kwh = 8.85
losses = "siemens_junelight"
[[projects.ders]]
id = "{project_id}_WIND"
type = "wind_turbine"
nameplate_capacity = 10.0
[[projects]]
id = "SITE_{n}"
count = %d
load = { type = "household", annual_kwh = 60000 }
[[projects.ders]]
id = "{project_id}_GEN"
type = "generator"
nameplate_capacity = 12.0
strategy = "follow_load"
"""


def run(plots: Path) -> Group:
    about = f"""{_HOMES} homes (solar, battery, EV charger, heat pump, water heater), {_HOMES // 2}
farms (Siemens battery, wind turbine) and {_HOMES // 3} sites with a generator near Munich, through
24 hours in April at ticks of 1 s under the weather `synthetic`: {_TICKS:,} ticks.

**Energy** is added up from the models' own, unrounded telemetry and checked with formulas written
separately here: the stored energy is the energy in minus the energy out and the losses, tick by
tick and over the day. **Invariants** are checked on the emitted batches.

**Jumps**: what may change within a second, by type. Solar: the largest ramp that Lave et al. saw.
Battery: not more than its site's net load changed in the last 12 s (dead time and lag), plus 1 % of
its rating for the limits near full and reserve; its state of charge never moves faster than its
power allows. EV: by more than 2 % of its limit only when a car comes, leaves or is full, and by
10 % in the ramp of 10 s after it came. Heat pump
and water heater: the compressor or the element switches, and a compressor that runs moves by 5 %
of its nameplate a second at most; room and tank temperatures move no faster than heat over heat
capacity. Turbine: no more than the rotor's lag lets through of the nameplate. Generator: its ramp
rate. Load: only by sums of a few appliances' powers."""
    day = _day()
    checks = [*_invariants(day), *conservation.checks(day), *jumps.checks(day), _alone(day)]
    return Group("A day of a mixed fleet", about, checks)


def _scenario(homes: int) -> Scenario:
    return scenario_of(_CONFIG % (_PROJECTS % (homes, max(homes // 2, 1), max(homes // 3, 1))))


def _day() -> Day:
    scenario = _scenario(_HOMES)
    simulation, recording = recorded(scenario)
    n, sites = len(scenario.roster), len(scenario.sites)
    output, soc, meter = (np.empty((_TICKS, n), np.float32) for _ in range(3))
    load, ghi, air = (np.empty((_TICKS, sites)) for _ in range(3))
    telemetry: dict[str, Any] = {}
    for index in range(_TICKS):
        batch = simulation.step()
        output[index], soc[index] = batch.current_output, batch.current_soc
        meter[index] = batch.power_meter_measurement
        sky = recording.sky.pop()
        load[index], ghi[index], air[index] = recording.load.pop(), sky.ghi, sky.temperature_c
        for name, said in recording.telemetry.items():
            one = said.pop()
            columns = {"power": one.current_output, **one.extra}
            if one.current_soc is not None:
                columns["soc"] = one.current_soc
            kept = telemetry.setdefault(name, {key: np.empty((_TICKS, len(columns["power"])))
                                          for key in columns})  # fmt: skip
            for key, column in columns.items():
                kept[key][index] = column
            recording.orders[name].clear()
            recording.able[name].clear()
    members = {f"{spec.name}/{spec.stage}": spec.members for spec in scenario.fleets}
    return Day(scenario, output, soc, meter, load, ghi, air, telemetry, members)


def _invariants(day: Day) -> list[Check]:
    roster = day.scenario.roster
    kinds = np.array(roster.type)
    soc = day.soc[~np.isnan(day.soc)]
    above = np.abs(day.output) - roster.nameplate_capacity
    sites = day.scenario.sites
    up = sun.up_vector(sites.latitude, sites.longitude)
    start = utc_ms(_START)
    dark: NDArray[np.bool_] = np.array(
        [sun.cos_zenith(sun.sun_vector(start + t * 60_000), up) < -0.0145 for t in range(1440)]
    )
    night = np.repeat(dark, 60, axis=0)[:, roster.project]
    arrays = np.flatnonzero(np.isin(kinds, ["solar"]))
    at_night = np.abs(day.output[:, arrays][night[:, arrays]])
    same = np.abs(day.meter - np.round(day.load, 2)[:, roster.project]).max()
    batteries = np.flatnonzero(np.isin(kinds, ["battery_storage"]))
    storage = np.isin(kinds, ["battery_storage", "ev_charger"])
    missing: NDArray[np.bool_] = np.asarray(np.isnan(day.soc).all(axis=0))
    sources = "invariant"
    return [
        at_most("readings with a SoC beyond 0 to 100 %", 0.0,
                float(((soc < 0.0) | (soc > 100.0)).sum()), sources),
        holds("SoC is reported by storage alone", "yes", sources,
              bool(missing[~storage].all() and not np.isnan(day.soc[:, batteries]).any())),
        at_most("output above nameplate", 1e-5, float(above.max()), sources, unit="kW"),
        at_most("solar output with the sun below the horizon", 0.0,
                float(at_night.max(initial=0.0)), sources, unit="kW"),
        at_least("  readings at night", 1000.0, float(at_night.size), sources),
        at_most("meter less the load plugin's value, rounded: largest", 1e-4, float(same), sources,
                unit="kW"),
        at_least("load, least", 0.0, float(day.load.min()), sources, unit="kW"),
        _balance(day),
    ]  # fmt: skip


def _balance(day: Day) -> Check:
    """Check homes whose battery is within its limits: the meter minus all outputs is zero."""
    roster = day.scenario.roster
    net = day.load.copy()
    np.subtract(net, _by_site(day.output, roster.project, net.shape[1]), out=net)
    battery = np.flatnonzero(np.char.endswith(np.array(roster.der_id), "_BAT"))
    free: NDArray[np.bool_] = (
        (day.soc[:, battery] > 15.2) & (day.soc[:, battery] < 89.8)
        & (np.abs(day.output[:, battery]) < 4.9)
    )  # fmt: skip
    # Dead time and lag let each step of the load pass, so it must have been constant for 12 s.
    rest = net + _by_site(day.output * np.char.endswith(np.array(roster.der_id), "_BAT"),
                          roster.project, net.shape[1])  # fmt: skip
    moved = np.abs(np.diff(rest, axis=0, prepend=rest[:1])) > 0.01
    moved[0] = True
    seen = np.cumsum(moved, axis=0)
    before = np.concatenate((np.zeros((12, seen.shape[1]), seen.dtype), seen[:-12]))
    free &= (seen == before)[:, roster.project[battery]]
    worst = np.abs(net[:, roster.project[battery]][free]).max()
    name = "net = meter - outputs, where self-consumption can make it zero"
    # Five outputs rounded to 0.01 kW each.
    return at_most(name, 0.026, float(worst), "identity of the record", unit="kW")


def _by_site(output: NDArray[np.float32], project: Any, sites: int) -> Floats:
    total = np.zeros((len(output), sites))
    for device, site in enumerate(project):
        total[:, site] += output[:, device]
    return total


def _alone(day: Day) -> Check:
    """Compare the first home of the fleet with the same home alone, for an hour."""
    simulation = Simulation(_scenario(1))
    same = True
    ids = [day.scenario.roster.der_id.index(name) for name in simulation.roster.der_id]
    for index in range(3600):
        batch = simulation.step()
        telemetry = np.stack((day.output[index, ids], day.soc[index, ids]))
        ours = np.stack((batch.current_output, batch.current_soc)).astype(np.float32)
        same = same and np.array_equal(telemetry, ours, equal_nan=True)
    return holds("devices alone say what they say in the fleet, 1 h", str(same), "invariant", same)
