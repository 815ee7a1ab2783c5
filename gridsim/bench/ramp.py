"""The search for the largest fleet that holds its rate: doubling, then bisection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gridsim.bench.realtime import RealTime, real_time
from gridsim.bench.rounds import Say
from gridsim.bench.target import BenchTarget, sized
from gridsim.running.plan import Options
from gridsim.text.progress import Progress

LARGEST = 4_000_000
"""The upper bound of the search, DERs."""
_PRECISION = 0.1


@dataclass(frozen=True, slots=True)
class Step:
    ders: int
    run: RealTime


@dataclass(frozen=True, slots=True)
class Ramp:
    seconds: float
    """The duration of each fleet's run."""
    largest_held: int
    """The size of the fleet, DERs; 0 if even the smallest fleet did not hold its rate."""
    steps: tuple[Step, ...]
    """The steps in the order in which they ran."""


def ramp(
    options: Options, start: BenchTarget, seconds: float, say: Say, progress: Progress
) -> Ramp:
    """Search for the largest fleet from the size of `start` on, and report each step to `say`."""
    steps: list[Step] = []

    def holds(ders: int) -> bool:
        target = start if ders == start.ders else sized(options, ders, start.ders)
        try:
            run = real_time(target, seconds, progress)
        finally:
            if target is not start:
                target.plan.close()
        steps.append(Step(target.ders, run))
        say(step_line(steps[-1]))
        return run.held

    search(holds, start.ders)
    held = [step.ders for step in steps if step.run.held]
    return Ramp(seconds, max(held, default=0), tuple(steps))


def search(holds: Callable[[int], bool], start: int, largest: int = LARGEST) -> int:
    """Return the largest size for which `holds` is true, to within 10 %; 0 if there is none. The
    search assumes that if `holds` is true for a size, it is true for all smaller sizes.
    """
    good, bad = 0, 0
    size = min(start, largest)
    while not bad or (not good and bad > 1):
        if holds(size):
            good = size
            if bad or size == largest:
                break
            size = min(2 * size, largest)
        else:
            bad = size
            if good:
                break
            size //= 2
    while bad - good > max(1, _PRECISION * good) and good:
        size = (good + bad) // 2
        good, bad = (size, bad) if holds(size) else (good, size)
    return good


def step_line(step: Step) -> str:
    run = step.run
    verdict = "held" if run.held else "NOT held"
    return (
        f"{step.ders:>9,} DERs: {verdict:<8}  tick lag p99 {run.tick_lag.p99_ms:,.1f} ms, "
        f"confirmed p99 {run.confirmed.p99_ms:,.1f} ms, CPU {run.cpu_cores:.2f} cores"
    )
