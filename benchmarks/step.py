"""The time of a tick of the models, without any I/O.

Prints the median and the worst of many ticks for the default fleet and for growing ones, and
what each fleet costs per device relative to the largest.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from gridsim.config.resolve import Flags
from gridsim.running.plan import DEFAULT_CONFIG, Options, make_plan
from gridsim.simulation.step import Simulation

ROOT = Path(__file__).parent.parent
NOON = Flags(start="2026-07-01T15:00:00Z")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=150)
    parser.add_argument("--projects", type=int, nargs="*", default=[500, 5_000, 50_000])
    options = parser.parse_args()
    print(f"{'DERs':>9}  {'first':>9}  {'median':>9}  {'worst':>9}  {'per DER':>9}")
    measure(Options(config=DEFAULT_CONFIG, flags=NOON), options.ticks)
    for projects in options.projects:
        counts = f"projects.0.count={projects}"
        fleet = Options(config=ROOT / "configs/fleet-10k.toml", flags=NOON, overrides=(counts,))
        measure(fleet, options.ticks)


def measure(options: Options, ticks: int) -> None:
    simulation = Simulation(make_plan(options).configuration.scenario)
    times = []
    for _ in range(ticks + 1):
        began = time.perf_counter()
        batch = simulation.step()
        times.append(time.perf_counter() - began)
    first, rest = times[0], np.array(times[1:])
    median = float(np.median(rest))
    print(
        f"{len(batch):>9,}  {first * 1e3:>6.1f} ms  {median * 1e3:>6.2f} ms  "
        f"{rest.max() * 1e3:>6.1f} ms  {median / len(batch) * 1e6:>6.2f} us"
    )


if __name__ == "__main__":
    main()
