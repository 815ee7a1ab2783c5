"""The time and memory to simulate a day of 100 homes and load it into a DataFrame.

python benchmarks/pandas_day.py

Two ways, each in a separate process: `gridsim.simulate` and `to_pandas`, and a run at speed 0 that
writes JSON lines to a file, which pandas reads. Then `Simulator.copy` of 10,000 homes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

WAYS = ("nothing", "simulate", "file")


def homes(count: int) -> dict[str, Any]:
    return {
        "simulation": {"tick_s": 60.0, "seed": 42, "start": "2026-07-01"},
        "projects": [
            {
                "id": "HOME_{n:05}",
                "count": count,
                "contract_threshold": 2.0,
                "ders": [
                    {"id": "{project_id}_PV", "type": "solar", "nameplate_capacity": 5.0},
                    {
                        "id": "{project_id}_BAT",
                        "type": "battery",
                        "nameplate_capacity": 5.0,
                        "energy_capacity_kwh": 10.0,
                    },
                ],
            }
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=100)
    parser.add_argument("--duration", default="1d")
    parser.add_argument("--copied", type=int, default=10_000, help="homes of the copied simulator")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, options.homes, options.duration)))
        return
    found = {way: in_a_process(way, options.homes, options.duration) for way in WAYS}
    libraries = found["nothing"]["peak_mb"]
    for way, text in (("simulate", "sim.run and to_pandas"), ("file", "a file, and read_json")):
        one = found[way]
        print(
            f"{text}: {one['rows']:,} readings in {one['wall_s']:.1f} s ({one['cpu_s']:.1f} s of "
            f"processor time), peak {one['peak_mb']:.0f} MB, libraries {libraries:.0f} MB of it"
        )
    one, other = found["simulate"], found["file"]
    wall, cpu = (other[key] / one[key] for key in ("wall_s", "cpu_s"))
    memory = (other["peak_mb"] - libraries) / (one["peak_mb"] - libraries)
    print(f"the file takes {wall:.1f} x the time, {cpu:.1f} x the processor, {memory:.1f} x memory")
    copies(options.copied)


def in_a_process(way: str, count: int, duration: str) -> dict[str, Any]:
    words = ["--way", way, "--homes", str(count), "--duration", duration]
    done = subprocess.run(
        [sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(way: str, count: int, duration: str) -> dict[str, Any]:
    import pandas

    import gridsim

    # The first configuration imports the models, which is not part of the measurement.
    gridsim.simulate(homes(1), overrides=["simulation.start=2026-07-01"]).run("1m").to_pandas()
    rows = 0
    wall, cpu = time.perf_counter(), time.process_time()
    if way == "simulate":
        rows = len(gridsim.simulate(homes(count)).run(duration).to_pandas())
    elif way == "file":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "day.jsonl")
            config = {**homes(count), "transports": [{"type": "file", "path": str(path)}]}
            with gridsim.run(config, speed=0, duration=duration) as run:
                run.wait()
            rows = len(pandas.read_json(path, lines=True))
    return {
        "rows": rows,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def copies(count: int) -> None:
    import gridsim

    sim = gridsim.simulate(homes(count), start="2026-07-01T12:00:00-03:00")
    sim.run("10m")
    took, cpu = [], []
    for _ in range(10):
        began, own = time.perf_counter(), time.process_time()
        copy = sim.copy()
        took.append(time.perf_counter() - began)
        cpu.append(time.process_time() - own)
    ones, others = sim.run("10m").to_arrow(), copy.run("10m").to_arrow()
    same = all(
        ones[name].combine_chunks().to_pylist() == others[name].combine_chunks().to_pylist()
        for name in ones.column_names
    )
    print(
        f"copy of {count:,} homes: {1000 * median(took):.0f} ms ({1000 * median(cpu):.0f} ms of "
        f"processor time), worst of 10 {1000 * max(took):.0f} ms; "
        f"10 minutes later {'equal, bit by bit' if same else 'DIFFERENT'}"
    )


if __name__ == "__main__":
    main()
