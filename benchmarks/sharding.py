"""A run with shards beside one in a single process: the same results, and the speed.

python benchmarks/sharding.py same
python benchmarks/sharding.py same --engine ray --shards 1,2,4,7 --only default
python benchmarks/sharding.py speed --turns 3 --seconds 20

`same` runs every shipped configuration in one process and with shards, at speed 0 with a fixed seed
and start, and compares the bytes of every device and the ledgers. `speed` compares two shards with
one process in readings per second, into the null device and into files, in turns, and prints the
ratio of each turn. Fails if something differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from digests import CASES, ENVIRONMENT, ROOT, SEED, Case, start_options

TABLES = ("settlements", "violations", "episodes", "true_reductions", "unmeasured")
"""The tables of the ledger that are compared, besides the number of readings of each tick."""
LINE = re.compile(r"([\d,]+) ticks and ([\d,]+) readings in ([\d,.]+) s")
Run = tuple[dict[str, str], dict[str, list[str]]]
"""The digest of each device's readings, and the rows of each table of the ledger."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("same", "speed"))
    parser.add_argument("--engine", default="processes")
    parser.add_argument("--shards", default="2", help="numbers of shards, with commas")
    parser.add_argument("--sync", default="clock")
    parser.add_argument("--only", default="", help="a part of the configurations' names")
    parser.add_argument("--config", default="configs/fleet-10k.toml", help="for `speed`")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    if options.what == "speed":
        speed(options)
    else:
        same(options)


def same(options: argparse.Namespace) -> None:
    """Compare every configuration with its run in one process."""
    differs = False
    for case in CASES:
        if options.only not in case.config:
            continue
        whole = run(case, ("--set", 'execution.engine="local"'))
        assert whole is not None
        one, tables = whole
        for shards in options.shards.split(","):
            execution = {"engine": options.engine, "shards": int(shards), "sync": options.sync}
            words = [
                word
                for key, value in execution.items()
                for word in ("--set", f"execution.{key}={json.dumps(value)}")
            ]
            found = run(case, words)
            if found is None:
                print(f"{case.config}, {shards} shards: it has fewer projects", flush=True)
                continue
            several, merged = found
            wrong = [
                id for id in sorted(one.keys() | several.keys()) if one.get(id) != several.get(id)
            ]
            rows = [name for name in tables if tables[name] != merged[name]]
            differs |= bool(wrong or rows)
            counts = ", ".join(f"{len(found):,} {name}" for name, found in tables.items())
            verdict = "the same" if not (wrong or rows) else f"DIFFERS: {[*wrong[:3], *rows]}"
            print(
                f"{case.config}, {shards} shards: {len(one):,} DERs, {counts}: {verdict}",
                flush=True,
            )
    if differs:
        sys.exit("the runs marked DIFFERS are not the same")


def run(case: Case, execution: tuple[str, ...] | list[str]) -> Run | None:
    """Run a configuration and return its results; None if it has fewer projects than shards."""
    with tempfile.TemporaryDirectory() as folder:
        path, ledger = Path(folder, "d", "{der_id}"), Path(folder, "run.sqlite")
        path.parent.mkdir()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "gridsim", "--config", str(ROOT / case.config)),
                *("--speed", "0", "--seed", str(SEED), "--duration", case.duration),
                *start_options(case, ROOT),
                *("--set", f'transports=[{{type="file", path={json.dumps(str(path))}}}]'),
                *("--set", "sources=[]", "--set", "views=[]"),
                *("--set", f"ledger={{path={json.dumps(str(ledger))}}}"),
                *(word.format(root=ROOT) for word in case.options),
                *execution,
            ],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
        )
        if done.returncode and "shards need at least" in done.stderr:
            return None
        if done.returncode:
            sys.exit(f"{case.config} failed:\n{done.stderr}")
        digests = {}
        for file in path.parent.iterdir():
            with file.open("rb") as readings:
                digests[file.name] = hashlib.file_digest(readings, "sha256").hexdigest()
        return digests, _tables(ledger)


def _tables(path: Path) -> dict[str, list[str]]:
    """Return the rows of the compared tables, and the readings of each tick, sorted."""
    with closing(sqlite3.connect(path)) as ledger:
        found = {name: _rows(ledger, f"SELECT * FROM {name}") for name in TABLES}
        found["ticks"] = _rows(ledger, "SELECT tick, rows FROM batches")
    return found


def _rows(ledger: sqlite3.Connection, query: str) -> list[str]:
    return sorted(map(repr, ledger.execute(query)))


def speed(options: argparse.Namespace) -> None:
    """Compare two processes with one, turn by turn."""
    print(
        f"{options.config}, runs of {options.seconds:g} s; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    for into in ("the null device", "files"):
        free_gb = shutil.disk_usage(tempfile.gettempdir()).free / 1e9
        if into == "files" and free_gb < options.seconds:
            sys.exit(f"files need up to 1 GB a second, and {free_gb:.0f} GB are free")
        ratios = []
        for turn in range(options.turns):
            local = rate(options, into, ("--set", 'execution.engine="local"'))
            two = rate(
                options,
                into,
                ("--set", 'execution.engine="processes"', "--set", "execution.shards=2"),
            )
            ratios.append(two / local)
            print(
                f"into {into}, turn {turn + 1}: one process {local:,.0f} readings/s, "
                f"two {two:,.0f}, ratio {two / local:.2f}; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
        print(f"into {into}: ratio {statistics.median(ratios):.2f}, the median")


def rate(options: argparse.Namespace, into: str, execution: tuple[str, ...]) -> float:
    """Return the readings per second of a run that is stopped after some seconds."""
    with tempfile.TemporaryDirectory() as folder:
        transport = '{type="null_device"}'
        if into == "files":
            transport = f'{{type="file", path={json.dumps(str(Path(folder, "r-{shard}")))}}}'
        log = Path(folder, "log")
        with log.open("w") as file:
            child = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gridsim", "--config", str(ROOT / options.config)),
                    *(
                        "--speed",
                        "0",
                        "--start",
                        "2026-07-01T12:00:00Z",
                        "--ui",
                        "plain",
                        "--set",
                        "simulation.summary_every_s=1",
                    ),
                    *("--plugin", str(Path(__file__).with_name("null_device.py"))),
                    *("--set", f"transports=[{transport}]"),
                    *("--set", "sources=[]", "--set", "views=[]", *execution),
                ],
                cwd=ROOT,
                env={**os.environ, **ENVIRONMENT},
                stderr=file,
            )
            # A busy machine must not let it go on and fill the disk.
            killer = threading.Timer(2 * options.seconds + 60, child.kill)
            killer.start()
            while " tick " not in log.read_text() and child.poll() is None:
                time.sleep(0.1)
            time.sleep(options.seconds)
            child.send_signal(signal.SIGTERM)
            child.wait()
            killer.cancel()
        found = LINE.search(log.read_text())
        if found is None:
            sys.exit(f"the run has no account:\n{log.read_text()}")
        return float(found[2].replace(",", "")) / float(found[3].replace(",", ""))


if __name__ == "__main__":
    main()
