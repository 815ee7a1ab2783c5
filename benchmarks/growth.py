"""The growth of the models' time and memory with the fleet.

Steps fleets of 1,000 to 1,000,000 DERs, each in a separate process, without any I/O, prints a table
and writes a plot of it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from plot import Series, loglog

from gridsim.bench.machine import peak_memory
from gridsim.bench.target import BENCH_CONFIG, find_target, sized
from gridsim.running.plan import Options
from gridsim.simulation.step import Simulation

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ders", type=int, nargs="*", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--ticks", type=int, default=120, help="at least; fewer only past 100,000")
    parser.add_argument("--plot", type=Path, default=ROOT / "docs/growth.svg")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps(measure(options.measure, options.ticks)))
        return
    found = [_in_a_process(ders, options.ticks) for ders in options.ders]
    print(
        f"{'DERs':>9}  {'making':>8}  {'tick':>10}  {'per DER':>9}  {'memory':>8}  {'per DER':>9}"
    )
    for one in found:
        print(
            f"{one['ders']:>9,}  {one['making_s']:>6.1f} s  {one['tick_s'] * 1e3:>7.2f} ms  "
            f"{one['tick_s'] / one['ders'] * 1e6:>6.3f} us  {one['bytes'] / 1e6:>5.0f} MB  "
            f"{one['bytes'] / one['ders'] / 1e3:>6.2f} kB"
        )
    for low, high in itertools.pairwise(found):
        more = high["ders"] - low["ders"]
        print(
            f"from {low['ders']:,} to {high['ders']:,} DERs: each further one "
            f"{(high['tick_s'] - low['tick_s']) / more * 1e6:.3f} us and "
            f"{(high['bytes'] - low['bytes']) / more / 1e3:.2f} kB; time grows as n^"
            f"{_exponent(low, high, 'tick_s'):.2f}, memory as n^{_exponent(low, high, 'bytes'):.2f}"
        )
    ders = [one["ders"] for one in found]
    series = [
        Series("time per tick, ms", ders, [one["tick_s"] * 1e3 for one in found]),
        Series("memory, MB", ders, [one["bytes"] / 1e6 for one in found]),
    ]
    options.plot.parent.mkdir(exist_ok=True)
    options.plot.write_text(loglog("What a fleet costs, models only", "DERs", series))


def measure(ders: int, ticks: int) -> dict[str, Any]:
    default = Options(config=BENCH_CONFIG)
    base = find_target(default).ders
    began = time.perf_counter()
    target = sized(default, ders, base)
    simulation = Simulation(target.plan.configuration.scenario)
    simulation.step()
    making = time.perf_counter() - began
    times = []
    for _ in range(max(20, min(ticks, ticks * 100_000 // ders))):
        began = time.perf_counter()
        simulation.step()
        times.append(time.perf_counter() - began)
    return {
        "ders": target.ders,
        "making_s": making,
        "tick_s": median(times),
        "bytes": peak_memory() or 0,
    }


def _in_a_process(ders: int, ticks: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", str(ders), "--ticks", str(ticks)]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    return found


def _exponent(low: dict[str, Any], high: dict[str, Any], key: str) -> float:
    """Return the exponent of the growth; 1 is linear."""
    return math.log(high[key] / low[key]) / math.log(high["ders"] / low["ders"])


if __name__ == "__main__":
    main()
