"""Whether a run kept the rate that it promised, and which part was too slow if not.

The load is open-loop: ticks are due by the clock, whatever became of the ones before. A rate
is held if 99 % of the ticks started, and 99 % of the batches were confirmed, before the next
were due, and no reading was dropped for want of room in a queue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gridsim.delivery import Runner
from gridsim.delivery.account import QUEUE_FULL
from gridsim.delivery.timing import percentiles
from gridsim.running.engine import Engine

_MAY_BE_LATE = 0.01


def is_held(engine: Engine, runners: Sequence[Runner]) -> bool:
    """The verdict on the run so far. At speed 0 nothing is promised."""
    if not engine.interval_s:
        return True
    return _ticks_held(engine) and all(_delivery_held(runner) for runner in runners)


def behind_now(engine: Engine, runners: Sequence[Runner]) -> str:
    """What is behind its schedule at this moment, and by how much; empty if nothing is."""
    if not engine.interval_s:
        return ""
    late = [("ticks", engine.behind_s()), *((r.name, r.behind_s()) for r in runners)]
    return ", ".join(f"{name} {by:.1f} s" for name, by in late if by > engine.wake_s)


def shortfall_lines(engine: Engine, runners: Sequence[Runner]) -> Iterator[str]:
    """By how much the rate was missed, and where the time went."""
    pace = engine.pace
    if not _ticks_held(engine):
        yield (
            f"the rate was not held: {pace.late_ticks:,} of {pace.ticks:,} ticks came late, "
            f"the worst by {pace.worst_s:.1f} s"
        )
    for runner in runners:
        if not _delivery_held(runner):
            _, p99 = percentiles(runner.timing.settled)
            dropped = runner.counters().dropped[QUEUE_FULL]
            yield (
                f"the rate was not held: {runner.name} confirmed {runner.timing.late_batches:,} "
                f"batches late (p99 {p99:.1f} s) and dropped {dropped:,} readings for want of room"
            )
    parts = sorted(_seconds_by_part(engine, runners), key=lambda part: -part[1])
    listed = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in parts)
    yield f"the slowest part was {parts[0][0]}; time spent: {listed}"


def _ticks_held(engine: Engine) -> bool:
    return engine.pace.late_ticks <= _MAY_BE_LATE * engine.pace.ticks


def _delivery_held(runner: Runner) -> bool:
    batches = len(runner.timing.settled)
    on_time = runner.timing.late_batches <= _MAY_BE_LATE * batches
    return on_time and not runner.counters().dropped[QUEUE_FULL]


def _seconds_by_part(engine: Engine, runners: Sequence[Runner]) -> Iterator[tuple[str, float]]:
    yield "models", engine.pace.stepping_s
    for runner in runners:
        timing = runner.timing
        encoding = runner.encoding_s
        yield f"{runner.name} encoding", encoding
        yield f"{runner.name} transport", max(timing.computing - encoding, 0.0)
        yield f"{runner.name} far end", timing.waiting
