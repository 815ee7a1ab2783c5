"""The cost of realism: the time per tick by plugin, and the start of a small fleet."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.realism.drive import scenario_of
from benchmarks.realism.report import Check, Group, at_most, note
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation

_HOMES, _FARMS, _TICKS = 24_000, 2_000, 180
FLEET = f"""
[simulation]
seed = 1
tick_s = 1.0
start = 2026-03-18T15:00:00Z
[site]
latitude = {{ normal = [45.96, 0.05], min = 45.7, max = 46.2 }}
longitude = {{ normal = [-66.64, 0.07], min = -67.0, max = -66.3 }}
timezone = "America/Moncton"
[weather]
type = "synthetic"
[[projects]]
id = "HOME_{{n}}"
count = {_HOMES}
load = {{ type = "household", annual_kwh = {{ lognormal = [8.3, 0.4] }} }}
[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = {{ uniform = [3.0, 10.0] }}
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 3.57
energy_capacity_kwh = 8.85
losses = "siemens_junelight"
initial_soc = {{ uniform = [20, 90] }}
[[projects.ders]]
id = "{{project_id}}_EV"
type = "ev_charger"
nameplate_capacity = 7.2
[[projects.ders]]
id = "{{project_id}}_HP"
type = "heat_pump"
nameplate_capacity = 5.0
[[projects]]
id = "FARM_{{n}}"
count = {_FARMS}
load = {{ type = "household", annual_kwh = 12000 }}
[[projects.ders]]
id = "{{project_id}}_WH"
type = "water_heater"
nameplate_capacity = 3.0
[[projects.ders]]
id = "{{project_id}}_WIND"
type = "wind_turbine"
nameplate_capacity = 10.0
"""
FIVE = """
[simulation]
seed = 42
start = 2026-07-01T12:00:00Z
[[projects]]
id = "HOME"
load = { type = "household", annual_kwh = 5000 }
"""
_KINDS = ("battery", "solar", "ev_charger", "heat_pump", "water_heater")


def run(plots: Path) -> Group:
    simulation, spent = _timed(scenario_of(FLEET))
    began = time.perf_counter()
    rows = len(simulation.step())
    first = time.perf_counter() - began
    spent.clear()
    ticks, busy = [], []
    for _ in range(_TICKS):
        began, used = time.perf_counter(), time.process_time()
        simulation.step()
        ticks.append(time.perf_counter() - began)
        busy.append(time.process_time() - used)
    checks: list[Check] = [
        at_most(f"{rows:,} DERs, all under full realism: median tick", 0.1,
                float(np.median(busy)), "the target", unit="s"),
        note("  by the clock: median", f"{np.median(ticks):.3f} s", "-"),
        note("  mean, 99 %, worst tick", f"{np.mean(ticks):.3f}, {np.quantile(ticks, 0.99):.3f}, "
             f"{max(ticks):.3f} s", "-"),
        note("  the first tick, which makes the cloud field", f"{first:.2f} s", "-"),
    ]  # fmt: skip
    for name, seconds in sorted(spent.items(), key=lambda item: -sum(item[1])):
        every = np.array(seconds)
        said = f"{every.sum() / _TICKS * 1000:.2f} ms"
        checks.append(note(f"  {name}: mean per tick", said, "-"))
    rest = sum(ticks) - sum(sum(seconds) for seconds in spent.values())
    checks.append(note("  the core: mean per tick", f"{rest / _TICKS * 1000:.2f} ms", "-"))
    starts = [_start() for _ in range(7)]
    checks += [
        at_most("a fleet of five: process start to first reading, best of 7", 1.0,
                min(used for used, _ in starts), "the target", unit="s"),
        note("  by the clock", f"{min(took for _, took in starts):.2f} s", "-"),
    ]  # fmt: skip
    about = f"""{_HOMES:,} homes under one sky with solar, a Siemens battery (dead time, standby),
EV charger and heat pump, and {_FARMS:,} farms with water heater and wind turbine, with household
appliances, for {_TICKS} ticks of a second. These are times of the machine that made this page: the
only figures here that differ from run to run. Processor time is judged, which depends little on
what else the machine does; times by the clock, also those of the parts, stand beside it."""
    return Group("Cost", about, checks)


def _timed(scenario: Scenario) -> tuple[Simulation, dict[str, list[float]]]:
    """Return a simulation, and the seconds by plugin, which grow as it steps."""
    spent: dict[str, list[float]] = defaultdict(list)

    def timing(kind: type[Any], name: str, methods: tuple[str, ...]) -> type[Any]:
        def wrap(method: str) -> Callable[..., Any]:
            def timed(self: Any, *args: Any) -> Any:
                began = time.perf_counter()
                result = getattr(kind, method)(self, *args)
                spent[name].append(time.perf_counter() - began)
                return result

            return timed

        return type(kind.__name__, (kind,), {method: wrap(method) for method in methods})

    weather = scenario.weather
    changed = replace(
        scenario,
        weather=replace(weather, type=timing(weather.type, f"weather {weather.name}", ("at",))),
        loads=[
            replace(spec, type=timing(spec.type, f"load {spec.name}", ("at", "expected")))
            for spec in scenario.loads
        ],
        fleets=[
            replace(spec, type=timing(spec.type, f"{spec.name}, {len(spec.members):,}",
                                      ("capability", "step")))
            for spec in scenario.fleets
        ],
    )  # fmt: skip
    return Simulation(changed), spent


def _start() -> tuple[float, float]:
    """Return the processor time and the seconds from the start of the command to its first line."""
    ders = "".join(
        f'[[projects.ders]]\nid = "DER_{i}"\ntype = "{kind}"\nnameplate_capacity = 5.0\n'
        for i, kind in enumerate(_KINDS)
    )
    # An installed gridsim is compiled; without this, each start would compile the checkout.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "five.toml"
        path.write_text(FIVE + ders + '[[transports]]\ntype = "stdout"\n')
        command = [sys.executable, "-m", "gridsim", "--config", str(path), "--duration", "1s"]
        began = time.perf_counter()
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            assert child.stdout is not None
            line = child.stdout.readline()
            took = time.perf_counter() - began
            used = _processor_s(child.pid, took)
            child.communicate()
        if not line:
            raise RuntimeError("the fleet of five said nothing")
        return used, took


def _processor_s(pid: int, otherwise: float) -> float:
    """Return the processor time of a process so far, or `otherwise` without /proc."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return otherwise
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
