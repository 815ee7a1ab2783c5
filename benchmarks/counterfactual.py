"""Measure the cost of the true reduction of an event: `python benchmarks/counterfactual.py`.

It steps the same homes with and without the measurement, before and during an event, and prints
the time of a tick, their ratio, and the time in which the copy is made.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation

HOMES = """
[simulation]
tick_s = 1
start = 2026-01-14T18:00:00Z
[[transports]]
type = "stdout"
[[projects]]
id = "HOME_{{n:06}}"
count = {homes}
contract_threshold = 1.0
load = {{ type = "household" }}
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 5.0
[[projects.ders]]
id = "{{project_id}}_EV"
type = "ev_charger"
nameplate_capacity = 7.2
[[projects.ders]]
id = "{{project_id}}_HP"
type = "heat_pump"
nameplate_capacity = 3.0
[[events]]
id = "peak"
start = 2026-01-14T18:00:{begin:02}Z
duration_s = 600
"""
_BEFORE = 30


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--homes", type=int, nargs="+", default=[250, 2_500, 25_000])
    parser.add_argument("--ticks", type=int, default=60)
    options = parser.parse_args()
    print("DERs      before  with   ratio    during  with   ratio    copy made in")
    for homes in options.homes:
        print(row(homes, options.ticks))


def row(homes: int, ticks: int) -> str:
    """Return the line for a number of homes; times in ms a tick, medians."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "homes.toml"
        path.write_text(HOMES.format(homes=homes, begin=_BEFORE), encoding="utf-8")
        scenario = make_plan(Options(config=path)).configuration.scenario
    plain = Simulation(scenario)
    measured = Simulation(replace(scenario, rebound_ms=600_000))
    before = _pairs(plain, measured, _BEFORE - 1)
    first = _pairs(plain, measured, 1)
    during = _pairs(plain, measured, ticks)
    copying = first[1] - during[1]
    return (
        f"{4 * homes:<9,} {before[0]:6.2f} {before[1]:6.2f} {before[1] / before[0]:6.2f}  "
        f"{during[0]:8.2f} {during[1]:6.2f} {during[1] / during[0]:6.2f}  {copying:8.1f} ms"
    )


def _pairs(plain: Simulation, measured: Simulation, ticks: int) -> tuple[float, float]:
    """Step both in turn and return the median time of a tick of each, ms."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ticks):
        for simulation, own in zip((plain, measured), times, strict=True):
            began = time.perf_counter()
            simulation.advance()
            own.append(1000.0 * (time.perf_counter() - began))
    return statistics.median(times[0]), statistics.median(times[1])


if __name__ == "__main__":
    main()
