"""A backfill of many days that goes on live, and the proof that it has no seam.

python benchmarks/backfill.py
python benchmarks/backfill.py --days 30 --homes 100

Starts `gridsim --until now` with standard output in a pipe, waits until it has been live for a
while, and stops it. Each second of the readings must follow the one before, with a reading of each
device. Then runs the same ticks at speed 0: the digests of the two must be equal, or it fails.
Prints readings per second, and the processor time for a reading, which depends less on other
processes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

CONFIG = """
[simulation]
seed = 3
tick_s = 1.0
[site]
latitude = 45.96
longitude = -66.64
timezone = "America/Moncton"
[[projects]]
id = "HOME_{{n:03}}"
count = {homes}
contract_threshold = 2.0
[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 6.0
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 13.5
[[events]]
id = "evening"
cron = "0 17 * * *"
duration_s = 3600
[[transports]]
type = "stdout"
framing = "project"
"""
_TIME = re.compile(rb'"timestamp":"([^"]+)"')
_LIVE_S = 10.0


@dataclass
class Seen:
    """The readings of a run."""

    lines: int
    digest: str
    gaps: int
    """The number of ticks that do not follow the one before by a second."""
    uneven: int
    """The number of ticks that have another number of messages than there are homes."""
    took_s: float
    cpu_s: float


def run(config: Path, homes: int, *words: str, live_s: float | None = None) -> Seen:
    """Run gridsim, and read what it writes; with `live_s` stop it that long after it is live."""
    command = [sys.executable, "-m", "gridsim", "-c", str(config), "--no-web", "--ui", "plain"]
    began = time.monotonic()
    before = os.times()
    log = config.with_suffix(".log")
    with log.open("wb") as errors:
        process = subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        digest, lines, gaps, uneven = hashlib.blake2b(), 0, 0, 0
        last: datetime | None = None
        stop_at: float | None = None
        while tick := [line for _ in range(homes) if (line := process.stdout.readline())]:
            lines += len(tick)
            digest.update(b"".join(tick))
            ends = {match[1] for line in (tick[0], tick[-1]) if (match := _TIME.search(line))}
            uneven += len(ends) != 1 or len(tick) != homes
            now = datetime.fromisoformat(ends.pop().decode())
            gaps += last is not None and now - last != timedelta(seconds=1)
            last = now
            if live_s is not None and stop_at is None:
                behind = datetime.now(UTC) - now
                stop_at = time.monotonic() + live_s if behind < timedelta(seconds=2) else None
            if stop_at is not None and time.monotonic() > stop_at:
                process.send_signal(signal.SIGTERM)
                stop_at = float("inf")
        process.wait()
    after = os.times()
    cpu_s = after.children_user + after.children_system
    cpu_s -= before.children_user + before.children_system
    for line in log.read_text().splitlines():
        if "backfill" in line or "accepted" in line or "rror" in line:
            print("  ", line)
    return Seen(lines, digest.hexdigest(), gaps, uneven, time.monotonic() - began, cpu_s)


def main() -> int:
    """Run both, compare them, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--homes", type=int, default=100)
    args = parser.parse_args()
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=args.days)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "fleet.toml"
        config.write_text(CONFIG.format(homes=args.homes))
        at = f"{start:%Y-%m-%dT%H:%M:%SZ}"
        live = run(config, args.homes, "--start", at, "--until", "now", live_s=_LIVE_S)
        ticks = live.lines // args.homes
        free = run(config, args.homes, "--start", at, "--speed", "0", "--duration", f"{ticks}s")
    readings = 2 * live.lines
    print(f"{ticks:,} ticks, {readings:,} readings: {live.gaps} gaps, {live.uneven} uneven ticks")
    print(f"{readings / (live.took_s - _LIVE_S):,.0f} readings/s in {live.took_s:,.0f} s")
    print(f"processor time of gridsim: {1e6 * live.cpu_s / readings:.2f} us a reading")
    same = live.digest == free.digest
    print(f"digest of the run at speed 0: {'equal' if same else 'DIFFERENT'}")
    return int(not same or bool(live.gaps) or bool(live.uneven))


if __name__ == "__main__":
    sys.exit(main())
