"""The cost of measurands: the processor time of a tick without any, and with all of them.

python benchmarks/measurands.py
python benchmarks/measurands.py --ders 100000 --against ../gridsim-before

Steps the same fleet in alternating pairs, each in a separate process, and prints the median of the
ratios. `--against` is another checkout: the fleet without measurands is then compared with that
there, too. Fails if a ratio is above its limit.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
NONE_LIMIT, ALL_LIMIT = 1.03, 1.6
# Runs in each process: it must work in a checkout of before.
WORKER = """
import sys, time
from pathlib import Path
from gridsim.config.resolve import Flags
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
homes, wanted, zone = int(sys.argv[2]), sys.argv[3], sys.argv[4]
overrides = [f"projects.0.count={homes}", 'transports=[{type="stdout"}]',
    f"site.timezone={zone!r}"]
if wanted == "all":
    from gridsim.api import MEASURANDS
    overrides.append(f"simulation.measurands={list(MEASURANDS)}")
plan = make_plan(Options(config=Path(sys.argv[1]), flags=Flags(start="2026-07-01T15:00:00Z"),
    overrides=tuple(overrides)))
simulation = Simulation(plan.configuration.scenario)
for line in sys.stdin:
    began = time.process_time()
    for _ in range(int(line)):
        simulation.step()
    print(time.process_time() - began, flush=True)
"""


class Worker:
    """A process that steps a fleet on request."""

    def __init__(self, checkout: Path, ders: int, wanted: str, timezone: str) -> None:
        python = checkout / ".venv/bin/python"
        # The fleet has 1,000 homes with a car besides these.
        arguments = [str(ROOT / "configs/fleet-10k.toml"), str(max(1, ders // 2 - 1000))]
        self._process = subprocess.Popen(
            [
                str(python if python.exists() else sys.executable),
                "-c",
                WORKER,
                *arguments,
                wanted,
                timezone,
            ],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": f"{checkout}:{checkout / 'plugins'}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, ticks: int) -> float:
        """Return the processor time of a number of ticks."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{ticks}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def main() -> int:
    """Print the ratios; return 1 if one is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ders", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--ticks", type=int, default=20, help="ticks of each measurement")
    parser.add_argument(
        "--timezone", default="America/Moncton", help="Europe/Berlin: sites of three phases"
    )
    parser.add_argument("--against", type=Path, help="checkout of the commit before")
    options = parser.parse_args()
    none = Worker(ROOT, options.ders, "none", options.timezone)
    full = Worker(ROOT, options.ders, "all", options.timezone)
    workers = [none, full]
    try:
        within = [_compare("all", full, none, ALL_LIMIT, options)]
        if options.against is not None:
            before = Worker(options.against.resolve(), options.ders, "none", options.timezone)
            workers.append(before)
            within.append(_compare("none, beside before", none, before, NONE_LIMIT, options))
    finally:
        for worker in workers:
            worker.stop()
    return 0 if all(within) else 1


def _compare(
    name: str, one: Worker, other: Worker, limit: float, options: argparse.Namespace
) -> bool:
    """Print the ratio of two fleets; return whether it is within its limit."""
    for worker in (one, other):
        worker.seconds(options.ticks)
    pairs = [
        (one.seconds(options.ticks), other.seconds(options.ticks)) for _ in range(options.pairs)
    ]
    ratio = median(a / b for a, b in pairs)
    print(
        f"{options.ders:,} DERs, {name}: {_tick(pairs, 0, options)} against "
        f"{_tick(pairs, 1, options)} ms, ratio {ratio:.3f} (limit {limit})"
    )
    return ratio <= limit


def _tick(pairs: Sequence[tuple[float, float]], which: int, options: argparse.Namespace) -> str:
    return f"{median(pair[which] for pair in pairs) / options.ticks * 1000:.2f}"


if __name__ == "__main__":
    sys.exit(main())
