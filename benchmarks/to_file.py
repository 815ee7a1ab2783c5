"""The JSON lines per second that a free-running fleet writes to a file, end to end.

python benchmarks/to_file.py --folder /dev/shm

Runs gridsim with all its models, and in turn writes as many bytes from one buffer to the same
folder: the time that the file system needs for a program that computes nothing. A folder in memory
excludes the disk; the folder needs room for one run's lines.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
BLOCK = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default=str(ROOT / "configs/fleet-10k.toml"))
    parser.add_argument("--ticks", type=int, default=800, help="ticks of one second")
    parser.add_argument("--rounds", type=int, default=5, help="alternating runs")
    parser.add_argument(
        "--folder", help="folder to write to; the system's temporary folder by default"
    )
    options = parser.parse_args()
    rates, limits = [], []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder, "readings.jsonl")
        for _ in range(options.rounds):
            readings, seconds = _run(options.config, options.ticks, path)
            rates.append(readings / seconds)
            _check(path, readings)
            size = path.stat().st_size
            path.unlink()
            limits.append(readings / _write(path, size))
            path.unlink()
            print(
                f"{readings:,} readings of {size / readings:.0f} bytes in {seconds:.1f} s: "
                f"{rates[-1]:,.0f}/s; the same bytes from one buffer: {limits[-1]:,.0f}/s"
            )
    print(
        f"median of {options.rounds}: {median(rates):,.0f} records/s, "
        f"{median(rates) / median(limits):.2f} of what the file system takes"
    )


def _run(config: str, ticks: int, path: Path) -> tuple[int, float]:
    """Return the readings of a run and its seconds, from the first tick to the last byte."""
    transport = f'transports=[{{type="file", path={json.dumps(str(path))}}}]'
    run = subprocess.run(
        [
            *(sys.executable, "-m", "gridsim", "--config", config, "--speed", "0"),
            *("--start", "2026-07-01T12:00:00-03:00"),
            *("--duration", f"{ticks}s", "--set", transport),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    said = re.search(r"ticks and ([\d,]+) readings in ([\d.]+) s", run.stderr)
    if run.returncode or said is None:
        sys.exit(run.stderr)
    return int(said[1].replace(",", "")), float(said[2])


def _check(path: Path, readings: int) -> None:
    """Check that every reading has its line and that the last line is whole."""
    lines, last = 0, b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            lines += block.count(b"\n")
            last = (last + block)[-BLOCK:]
    json.loads(last.splitlines()[-1])
    if lines != readings:
        sys.exit(f"{lines:,} lines for {readings:,} readings")


def _write(path: Path, size: int) -> float:
    """Return the seconds to write as many bytes from one buffer."""
    block = memoryview(b"x" * BLOCK)
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    began = time.perf_counter()
    left = size
    while left:
        left -= os.write(fd, block[:left])
    seconds = time.perf_counter() - began
    os.close(fd)
    return seconds


if __name__ == "__main__":
    main()
