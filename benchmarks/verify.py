"""Measure `gridsim verify` on the readings of a real run: 10,000 DERs, a reading per second.

python benchmarks/verify.py --seconds 1000     # ten million readings
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).parents[1] / "configs" / "fleet-10k.toml"
DERS = 10_000


class Stages:
    """The processor time of each stage, without that of stages within it."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._open = ["start"]
        self._since = time.process_time()

    def timed(self, owner: Any, name: str, stage: str) -> None:
        """Count the time in a function of a module or class for a stage."""
        setattr(owner, name, self.counted(getattr(owner, name), stage))

    def counted(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            self._enter(stage)
            try:
                return function(*args, **options)
            finally:
                self.leave()

        return run

    def _enter(self, stage: str) -> None:
        self._count()
        self._open.append(stage)

    def leave(self) -> None:
        self._count()
        self._open.pop()

    def _count(self) -> None:
        now = time.process_time()
        self.spent[self._open[-1]] += now - self._since
        self._since = now


def measure(ledger: Path, readings: Path) -> None:
    """Run verify in this process, and print its report, its stages and its memory."""
    stages = Stages()
    from gridsim.verify import VerifyOptions, main, opening, unchanged, verify

    stages.timed(opening._Joined, "readinto", "read")
    stages.timed(unchanged.Unchanged, "match", "decode")
    stages.timed(unchanged.Unchanged, "_match", "match")
    for name in ("_next", "finish"):
        stages.timed(unchanged.Unchanged, name, "ledger")
    stages.timed(main, "compare_readings", "compare")
    stages.timed(main, "_report", "compare")
    report = verify(VerifyOptions(ledger=ledger, files=(str(readings),)), print)
    stages.leave()
    print(*report.lines(), sep="\n")
    total = sum(stages.spent.values())
    shares = (f"{name} {spent / total:.0%}" for name, spent in stages.spent.most_common())
    print(f"{total / report.received * 1e6:.2f} us of CPU a reading: {', '.join(shares)}")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{usage.ru_maxrss / 1000:,.0f} MB at its peak", flush=True)


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=100, help="simulated seconds")
    parser.add_argument("--of", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.of:
        measure(*given.of)
        return
    with tempfile.TemporaryDirectory() as name:
        readings, ledger = Path(name) / "readings.jsonl", Path(name) / "ledger.sqlite"
        options = (
            *("--config", str(CONFIG), "--speed", "0", "--start", "2026-07-14T15:00:00Z"),
            *("--duration", f"{given.seconds}s", "--set", f'ledger.path="{ledger}"'),
            *("--set", f'transports=[{{type="file",path="{readings}"}}]'),
        )
        subprocess.run([sys.executable, "-m", "gridsim", *options], check=True, capture_output=True)
        size, own = readings.stat().st_size, ledger.stat().st_size
        n = DERS * given.seconds
        print(f"{n:,} readings, {size / 1e6:,.0f} MB; ledger {own / 1e6:,.0f} MB", flush=True)
        began = time.monotonic()
        # A separate process, so that its memory is that of verify alone.
        subprocess.run([sys.executable, __file__, "--of", str(ledger), str(readings)], check=True)
        print(f"{time.monotonic() - began:.1f} s in all")


if __name__ == "__main__":
    run()
