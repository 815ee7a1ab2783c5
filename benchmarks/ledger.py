"""What does a ledger cost? Steps a fleet with and without one, and verifies what was written.

Prints the ratio of a tick with the ledger to one without, rows per second of the writer, bytes
per reading, and how fast `gridsim verify` compares as many readings from a file.
"""

from __future__ import annotations

import argparse
import os
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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        plan = make_plan(
            Options(
                config=ROOT / "configs/fleet-10k.toml",
                flags=Flags(start="2026-07-01T15:00:00Z", speed=0.0),
                overrides=(f"projects.0.count={options.projects}", f'ledger.path="{path}"'),
            )
        )
        ders = len(plan.configuration.scenario.roster)
        print(f"{ders:,} DERs, {options.ticks} ticks, {os.cpu_count()} processors")
        bare = run(plan, options.ticks, None)
        ledger, began = opened(plan), time.perf_counter()
        kept = run(plan, options.ticks, ledger)
        ledger.close(complete=True, timeout_s=600)
        whole = time.perf_counter() - began
        rows = ders * options.ticks
        print(f"tick without a ledger: {bare * 1e3:.1f} ms; with: {kept * 1e3:.1f} ms (median)")
        print(f"ratio: {kept / bare:.2f}; the run waited {ledger.waited_s:.2f} s for the ledger")
        print(f"stepped and written: {rows / whole:,.0f} readings/s")
        print(f"writer alone: {alone(plan, options.ticks):,.0f} readings/s")
        print(f"{path.stat().st_size / rows:.1f} bytes per reading")
        check(plan, path, options.verify)


def opened(plan: Plan) -> Ledger:
    assert plan.ledger is not None
    return replace(plan.ledger, overwrite=True).open()


def run(plan: Plan, ticks: int, ledger: Ledger | None) -> float:
    """The median of a tick's seconds."""
    simulation = Simulation(plan.configuration.scenario)
    times = []
    for _ in range(ticks):
        began = time.perf_counter()
        outcome = simulation.advance()
        if ledger is not None:
            ledger.record(outcome)
            ledger.fates[0].settled(outcome.batch.number, len(outcome.batch), "delivered", "")
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def alone(plan: Plan, ticks: int) -> float:
    """Readings per second where nothing else is to be done."""
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
