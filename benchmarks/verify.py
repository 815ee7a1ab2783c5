"""Measure `gridsim verify` on the readings of a real run: 10,000 DERs, a reading per second.

python benchmarks/verify.py --seconds 1000     # ten million readings
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = Path(__file__).parents[1] / "configs" / "fleet-10k.toml"
DERS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=100, help="simulated seconds")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        readings, ledger = Path(name) / "readings.jsonl", Path(name) / "ledger.sqlite"
        run = (
            *("--config", str(CONFIG), "--speed", "0", "--start", "2026-07-14T15:00:00Z"),
            *("--duration", f"{seconds}s", "--set", f'ledger.path="{ledger}"'),
            *("--set", f'transports=[{{type="file",path="{readings}"}}]'),
        )
        subprocess.run([sys.executable, "-m", "gridsim", *run], check=True, capture_output=True)
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "gridsim", "verify", str(ledger), str(readings)]
        )
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.monotonic() - began
        n = DERS * seconds
        size, own = readings.stat().st_size, ledger.stat().st_size
    print(f"{n:,} readings, {size / 1e6:,.0f} MB; ledger {own / 1e6:,.0f} MB; status {status}")
    print(f"{elapsed:.1f} s, {(usage.ru_utime + usage.ru_stime) / n * 1e6:.2f} us of CPU a reading")
    print(f"{usage.ru_maxrss / 1000:,.0f} MB at its peak")


if __name__ == "__main__":
    main()
