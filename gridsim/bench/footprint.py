"""The memory that each further device needs.

The fleet and a tenth of it run in separate processes, because within one process the second fleet
would reuse the memory of the first, and this process holds further libraries. A child process runs
this module and reads from its standard input which fleet to run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gridsim.bench.machine import memory_now, peak_memory
from gridsim.bench.realtime import real_time
from gridsim.bench.target import BenchTarget, counts_for, find_target
from gridsim.config.resolve import Flags
from gridsim.errors import UsageError
from gridsim.running.plan import Options
from gridsim.text.progress import Progress

_SMALLEST = 10_000
"""The smallest fleet whose memory can be distinguished from that of the libraries, which varies by
1 MB.
"""
_TICKS = 2


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of this process."""

    peak_mb: float
    """The peak until the end of the run in real time, libraries included."""
    end_mb: float
    """The memory in use at the end of the run in real time."""
    kb_per_1000_ders: float | None
    """The difference between the peaks of the fleet and of a tenth of it, per 1,000 DERs.

    None for fleets under 10,000 DERs and for fleets that cannot be made smaller.
    """


def footprint(options: Options, target: BenchTarget) -> Memory | None:
    """Return the memory that the target used; None if the system does not report memory.

    Call it directly after the target has run.
    """
    peak, now = peak_memory(), memory_now()
    if peak is None or now is None:
        return None
    return Memory(peak / 1e6, now / 1e6, _each_thousand(options, target))


def _each_thousand(options: Options, target: BenchTarget) -> float | None:
    if target.ders < _SMALLEST:
        return None
    try:
        counts = counts_for(options, target.ders // 10, target.ders)
    except UsageError:
        return None
    small, whole = _in_child(options, counts), _in_child(options, ())
    if small is None or whole is None or whole["peak"] <= small["peak"]:
        return None
    return float((whole["peak"] - small["peak"]) / (whole["ders"] - small["ders"]))


def _in_child(options: Options, counts: Sequence[str]) -> dict[str, int] | None:
    """Return the DERs and the peak memory of a process that runs the fleet; None if it fails."""
    request = {
        "config": str(options.config),
        "overrides": [*options.overrides, *counts],
        "plugins": [str(path) for path in options.plugins],
    }
    child = subprocess.run(
        # -P: a file of the working folder must not shadow a module.
        [sys.executable, "-P", "-m", "gridsim.bench.footprint"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
    )
    if child.returncode:
        return None
    found: dict[str, int] = json.loads(child.stdout)
    return found


def _main() -> None:
    request: dict[str, Any] = json.load(sys.stdin)
    target = find_target(
        Options(
            config=Path(request["config"]),
            flags=Flags(speed=0.0),
            plugins=tuple(map(Path, request["plugins"])),
            overrides=tuple(request["overrides"]),
        )
    )
    try:
        real_time(target, _TICKS * target.tick_s, Progress())
    finally:
        target.plan.close()
    print(json.dumps({"ders": target.ders, "peak": peak_memory()}))


if __name__ == "__main__":
    _main()
