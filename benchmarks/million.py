"""A large fleet in shards on this machine: memory, readings per second, and the rate that it holds.

python benchmarks/million.py --engine processes
python benchmarks/million.py --engine ray --ders 1000000 --shards 2

Half of the DERs are batteries and half are solar arrays, two in each project. Readings are encoded
as JSON, one message per project, and written to the null device. The first run is at speed 0; the
second is in real time, one reading per DER and second. From the first follows what 10 and 100
million DERs would need: processor time and memory grow with their number, because shards share
nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FLEET = """
[simulation]
seed = 5
start = "2026-07-01T15:00:00Z"
[[transports]]
type = "null_device"
framing = "project"
queue_mb = 1000
[[projects]]
id = "H_{n:07}"
count = COUNT
contract_threshold = 1.0
load = { type = "household", annual_kwh = 8000 }
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 13.5
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 6.0
"""
LINE = re.compile(r"([\d,]+) ticks and ([\d,]+) readings in ([\d,.]+) s, CPU ([\d,]+) %")
LAG = re.compile(r"tick lag .*|the rate was not held.*")
# A core that is busy all the time is late at the first disturbance.
BUSY = 0.7


class Measured(NamedTuple):
    """One run."""

    ticks: int
    readings: int
    seconds: float
    cpu: float
    memory: int
    """The largest sum over all processes, bytes; shared pages count once."""
    processes: int
    begin: float
    """The time from the command to the first tick, seconds."""
    lines: list[str]
    """The lines that the run printed about its rate."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", default="processes", choices=("local", "processes", "ray"))
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--ders", type=int, default=1_000_000)
    parser.add_argument("--ticks", type=int, default=20, help="ticks at speed 0")
    parser.add_argument("--seconds", type=int, default=60, help="duration in real time")
    options = parser.parse_args()
    print(f"{options.engine}, {options.shards} shards, {options.ders:,} DERs, null device")
    small = measure(options, max(options.ders // 100, 2 * options.shards), options.ticks, 0)
    free = measure(options, options.ders, options.ticks, 0)
    per_s = free.readings / free.seconds
    print(f"speed 0: {free.ticks} ticks in {free.seconds:.1f} s, {per_s:,.0f} readings/s, "
          f"{free.cpu:.2f} cores, {free.memory / 1e9:.2f} GB in {free.processes} processes, "
          f"{free.begin:.0f} s to the first tick", flush=True)  # fmt: skip
    live = measure(options, options.ders, options.seconds, 1)
    print(f"real time: {live.ticks} ticks in {live.seconds:.1f} s, {live.cpu:.2f} cores, "
          f"{live.memory / 1e9:.2f} GB")  # fmt: skip
    for line in live.lines:
        print(f"  {line}")
    core_us = 1e6 * free.cpu * free.seconds / free.readings
    each = (free.memory - small.memory) / (options.ders - options.ders // 100)
    base = small.memory / options.shards
    print(f"one reading: {core_us:.3f} us of a core; one DER: {each:,.0f} bytes; one shard: "
          f"{base / 1e6:,.0f} MB besides")  # fmt: skip
    print("| DERs | cores at 1 Hz | shards of a core | memory | messages/s |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for ders in (options.ders, 10_000_000, 100_000_000):
        cores = ders * core_us / 1e6 / BUSY
        shards = max(1, -(-round(1000 * cores) // 1000))
        memory = ders * each + shards * base
        print(f"| {ders:,} | {cores:,.1f} | {shards:,} | {memory / 1e9:,.1f} GB | {ders // 2:,} |")


def measure(options: argparse.Namespace, ders: int, ticks: int, speed: int) -> Measured:
    """Run a fleet, and return what it took."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "fleet.toml")
        config.write_text(FLEET.replace("COUNT", str(ders // 2)))
        words = [
            *(sys.executable, "-m", "gridsim", "--config", str(config), "--no-web"),
            *("--plugin", str(ROOT / "benchmarks/null_device.py")),
            *("--speed", str(speed), "--duration", f"{ticks}s"),
            *("--set", f"execution.engine={json.dumps(options.engine)}"),
        ]
        if options.engine != "local":
            words += ["--set", f"execution.shards={options.shards}"]
        began = time.monotonic()
        run = subprocess.Popen(
            words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        memory = Memory(run.pid)
        output, begin = [], 0.0
        assert run.stdout is not None
        for line in run.stdout:
            output.append(line.rstrip())
            if "watch it" in line or "nothing arrives" in line:
                begin = begin or time.monotonic() - began
        run.wait()
        memory.stop()
    found = LINE.search("\n".join(output))
    if found is None or run.returncode:
        sys.exit("\n".join(output))
    numbers = [float(text.replace(",", "")) for text in found.groups()]
    seconds = numbers[2]
    took = time.monotonic() - began
    lines = [line[14:].strip() for line in output if LAG.search(line)]
    return Measured(
        int(numbers[0]),
        int(numbers[1]),
        seconds,
        numbers[3] / 100,
        memory.largest,
        memory.processes,
        begin or took - seconds,
        lines,
    )


class Memory:
    """The largest memory of a process with all its children, looked at twice a second."""

    def __init__(self, pid: int) -> None:
        self.largest = self.processes = 0
        self._pid, self._over = pid, threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(0.5):
            sizes = [size for pid in _family(self._pid) if (size := _size(pid))]
            if sum(sizes) > self.largest:
                self.largest, self.processes = sum(sizes), len(sizes)


def _family(pid: int) -> list[int]:
    children = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children[parent].append(int(path.parent.name))
    found = [pid]
    for one in found:
        found += children[one]
    return found


def _size(pid: int) -> int:
    """Return the proportional set size of a process, bytes; 0 if it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


if __name__ == "__main__":
    main()
