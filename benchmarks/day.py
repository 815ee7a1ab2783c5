"""The time of the models for one simulated day of 1,000 DERs at 1 Hz: 86 million readings."""

from __future__ import annotations

import argparse
import time

from gridsim.bench.target import BENCH_CONFIG, find_target, sized
from gridsim.running.plan import Options
from gridsim.simulation.step import Simulation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ders", type=int, default=1_000)
    parser.add_argument("--hours", type=float, default=24)
    options = parser.parse_args()
    default = Options(config=BENCH_CONFIG)
    target = sized(default, options.ders, find_target(default).ders)
    simulation = Simulation(target.plan.configuration.scenario)
    readings, cpu = 0, time.process_time()
    began = time.perf_counter()
    for _ in range(round(options.hours * 3600)):
        readings += len(simulation.step())
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"{target.ders:,} DERs, {options.hours:g} simulated hours: {readings:,} readings in "
        f"{seconds:.1f} s ({readings / seconds:,.0f} a second, {cpu:.1f} s of processor time)"
    )


if __name__ == "__main__":
    main()
