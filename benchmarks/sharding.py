"""The speed of two shards in processes beside one process.

python benchmarks/sharding.py --turns 3 --seconds 20

Compares readings per second, into the null device and into files, in turns, and prints the ratio of
each turn. That the results are equal, `benchmarks/shards.py` shows.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from digests import ENVIRONMENT, ROOT

LINE = re.compile(r"([\d,]+) ticks and ([\d,]+) readings in ([\d,.]+) s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default="configs/fleet-10k.toml")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    speed(parser.parse_args())


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
