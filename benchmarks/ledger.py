"""The cost of a ledger: steps a fleet with and without one, and verifies its content.

Prints the ratio of a tick with the ledger to one without, the processor time of the ledger, the
most memory that the process had, readings per second of the writer, bytes per reading, and how fast
`gridsim verify` compares as many readings from a file. `--config` names another fleet, for example
one with faults.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from gridsim.config.resolve import Flags
from gridsim.ledger import Ledger
from gridsim.running.plan import Options, Plan, make_plan
from gridsim.simulation.step import Simulation
from gridsim.verify import VerifyOptions, verify

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=25_000)
    parser.add_argument("--ticks", type=int, default=60)
    parser.add_argument("--verify", type=int, default=20, help="ticks of readings to verify")
    parser.add_argument("--config", type=Path, default=ROOT / "configs/fleet-10k.toml")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        help="a setting of the configuration, such as for gridsim",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        plan = make_plan(
            Options(
                config=options.config,
                flags=Flags(start="2026-07-01T15:00:00Z", speed=0.0),
                overrides=(
                    f"projects.0.count={options.projects}",
                    f'ledger.path="{path}"',
                    *options.set,
                ),
            )
        )
        ders = len(plan.configuration.scenario.roster)
        print(f"{ders:,} DERs, {options.ticks} ticks, {os.cpu_count()} processors")
        run(plan, 2, None)
        began = time.process_time()
        bare, rows = run(plan, options.ticks, None)
        bare_cpu = time.process_time() - began
        bare_mb = most_mb()
        ledger, began, cpu = opened(plan), time.perf_counter(), time.process_time()
        kept, rows = run(plan, options.ticks, ledger)
        ledger.close(complete=True, timeout_s=600)
        whole, kept_cpu = time.perf_counter() - began, time.process_time() - cpu
        print(f"tick without a ledger: {bare * 1e3:.1f} ms; with: {kept * 1e3:.1f} ms (median)")
        print(f"ratio: {kept / bare:.2f}; the run waited {ledger.waited_s:.2f} s for the ledger")
        print(
            f"processor time of the ledger: {(kept_cpu - bare_cpu) / rows * 1e6:.3f} us a reading "
            f"(step: {bare_cpu / rows * 1e6:.3f})"
        )
        print(f"most memory without a ledger: {bare_mb:.0f} MB; with: {most_mb():.0f} MB")
        print(f"stepped and written: {rows / whole:,.0f} readings/s")
        print(f"writer alone: {alone(plan, options.ticks):,.0f} readings/s")
        print(f"{path.stat().st_size / rows:.1f} bytes per reading")
        check(plan, path, options.verify)


def opened(plan: Plan) -> Ledger:
    assert plan.ledger is not None
    return replace(plan.ledger, overwrite=True).open()


def most_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def run(plan: Plan, ticks: int, ledger: Ledger | None) -> tuple[float, int]:
    """Return the median of a tick's seconds, and the number of readings."""
    simulation = Simulation(plan.configuration.scenario)
    times, rows = [], 0
    for _ in range(ticks):
        began = time.perf_counter()
        outcome = simulation.advance()
        if ledger is not None:
            ledger.record(outcome)
            ledger.fates[0].settled(outcome.batch.number, len(outcome.batch), "delivered", "")
        times.append(time.perf_counter() - began)
        rows += len(outcome.batch)
    return float(np.median(times)), rows


def alone(plan: Plan, ticks: int) -> float:
    """Return the readings per second of a writer without other load on the machine."""
    simulation = Simulation(plan.configuration.scenario)
    outcome = simulation.advance()
    n = len(outcome.batch)
    ledger, began = opened(plan), time.perf_counter()
    for tick in range(ticks):
        ledger.record(replace(outcome, batch=replace(outcome.batch, number=tick * n)))
    ledger.close(complete=True, timeout_s=600)
    return n * ticks / (time.perf_counter() - began)


def check(plan: Plan, path: Path, ticks: int) -> None:
    held = path.with_suffix(".jsonl")
    ledger = opened(plan)
    simulation = Simulation(plan.configuration.scenario)
    with held.open("wb") as file:
        for _ in range(ticks):
            outcome = simulation.advance()
            ledger.record(outcome)
            ledger.fates[0].settled(outcome.batch.number, len(outcome.batch), "delivered", "")
            bodies = plan.transports[0].format.encode(outcome.batch).bodies
            file.writelines(body + b"\n" for body in bodies)
    ledger.close(complete=True, timeout_s=600)
    began = time.perf_counter()
    report = verify(VerifyOptions(path, (str(held),)), print)
    seconds = time.perf_counter() - began
    assert report.passed, list(report.lines())
    print(f"verify: {report.received:,} readings in {seconds:.1f} s, ", end="")
    print(f"{report.received / seconds:,.0f} readings/s")


if __name__ == "__main__":
    main()
