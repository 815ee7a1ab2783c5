"""The cost of merging the ledgers of shards: runs a fleet as shards and merges their ledgers.

Prints readings per second, processor time and the most memory of the merge, for each of `--shards`,
and checks that the tables are equal to those of the run without shards. `--config` names another
fleet, for example one with faults.
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from gridsim.config.resolve import Flags
from gridsim.contracts.shard import Shard
from gridsim.ledger import Ledger
from gridsim.ledger.schema import TRUTH
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=10_000)
    parser.add_argument("--ticks", type=int, default=100)
    parser.add_argument("--shards", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--config", type=Path, default=ROOT / "configs/fleet-10k.toml")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = folder / "whole.sqlite"
        readings = record(options, whole, None)
        print(f"{readings:,} readings, {whole.stat().st_size / 1e6:.1f} MB")
        for count in options.shards:
            parts = [folder / f"{index}-of-{count}.sqlite" for index in range(count)]
            for index, part in enumerate(parts):
                record(options, part, Shard(index, count))
            merge(parts, folder / f"merged-{count}.sqlite", readings)
            compare(whole, folder / f"merged-{count}.sqlite")


def record(options: argparse.Namespace, path: Path, shard: Shard | None) -> int:
    """Run the fleet, or a shard of it, with a ledger; return the number of readings."""
    plan = make_plan(
        Options(
            config=options.config,
            flags=Flags(start="2026-07-01T15:00:00Z", speed=0.0),
            overrides=(f"projects.0.count={options.projects}",),
            shard=shard,
        )
    )
    assert plan.about is not None
    ledger = Ledger(path, plan.about)
    simulation = Simulation(plan.configuration.scenario)
    for _ in range(options.ticks):
        result = simulation.advance()
        ledger.record(result)
        if len(result.batch):
            ledger.fates[0].settled(result.batch.number, len(result.batch), "delivered", "")
    readings = simulation.left
    ledger.record(simulation.finish())
    ledger.close(complete=True, timeout_s=600)
    return readings


def merge(parts: list[Path], path: Path, readings: int) -> None:
    """Merge in a new process, and print the cost."""
    code = "import sys; from gridsim.__main__ import main; sys.exit(main())"
    began = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code, "merge", *map(str, parts), "-o", str(path)], check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.perf_counter() - began
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{len(parts)} shards: {seconds:.1f} s, {readings / seconds:,.0f} readings/s, "
        f"{cpu_s / readings * 1e6:.2f} us of processor time a reading, "
        f"at most {after.ru_maxrss / 1e3:.0f} MB"
    )


def compare(one: Path, other: Path) -> None:
    """Compare the tables of two ledgers."""
    with closing(sqlite3.connect(one)) as connection:
        connection.execute("ATTACH ? AS other", (str(other),))
        for table in TRUTH:
            for first, second in (("main", "other"), ("other", "main")):
                query = f"SELECT * FROM {first}.{table} EXCEPT SELECT * FROM {second}.{table}"
                assert connection.execute(query).fetchone() is None, table


if __name__ == "__main__":
    main()
