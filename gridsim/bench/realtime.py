"""The measurement of a fleet in real time: whether it holds its rate, and its processor time."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from gridsim.bench.product import connected
from gridsim.bench.sample import Sample, Stopwatch
from gridsim.bench.target import BenchTarget
from gridsim.contracts.latency import RecentDurations
from gridsim.delivery import Runner
from gridsim.delivery.timing import percentiles
from gridsim.running.board import Board
from gridsim.running.clock import Clock
from gridsim.running.engine import Engine
from gridsim.running.observe import observe
from gridsim.running.pace import is_held
from gridsim.simulation.step import Simulation
from gridsim.text.progress import Progress

_LOOK_S = 0.02
# A run that is this far behind is stopped, because it cannot hold its rate any more.
_GIVE_UP_S, _GIVE_UP_SHARE = 5.0, 0.05


@dataclass(frozen=True, slots=True)
class Lag:
    """Percentiles of a lag, ms."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class RealTime:
    """The result of a run in real time; its figures exclude the first tick."""

    ticks: int
    rate_hz: float
    held: bool
    """The verdict of `--strict`."""
    records: int
    delivered: int
    dropped: int
    tick_lag: Lag
    confirmed: Lag
    """The time from a tick to the confirmation of all its readings."""
    broker_lag: Lag | None
    """The time that the broker took to answer; None if the transport does not report it."""
    cpu_cores: float
    """The processor time, core-seconds per second, without the broker's."""


def real_time(target: BenchTarget, seconds: float, progress: Progress) -> RealTime:
    """Run the target at speed 1 for `seconds`, or until it is too far behind to hold its rate."""
    ticks = 1 + target.ticks(seconds)
    wake_s = max(target.tick_s, 0.05)
    board = Board(target.plan.configuration.scenario.roster)
    with connected(target, "drop_oldest", wake_s) as runner:
        engine = Engine(
            Simulation(target.plan.configuration.scenario),
            lambda result: runner.offer(result.batch),
            tick_s=target.tick_s,
            speed=1.0,
            ticks=ticks,
        )
        clock = Clock(engine.run_due, engine.until_next_wake)
        clock.start()
        progress.begin(f"{target.ders:,} DERs in real time", ticks)
        try:
            used, is_late = _watch(
                engine, runner, clock, max(_GIVE_UP_S, seconds * _GIVE_UP_SHARE), progress
            )
        finally:
            engine.stop()
            clock.stop()
            engine.wait_idle(5.0)
    if engine.error is not None:
        raise engine.error
    counters, timing = runner.counters(), runner.timing
    return RealTime(
        ticks=ticks - 1,
        rate_hz=1 / target.tick_s,
        held=not is_late
        and not runner.error
        and is_held(observe(engine, [runner], (), board, hang_timeout_s=math.inf)),
        records=counters.accepted,
        delivered=counters.delivered,
        dropped=counters.dropped.total() + counters.unconfirmed,
        tick_lag=_lag(engine.pace.recent),
        confirmed=_lag(timing.settled),
        broker_lag=_lag(timing.far_end, warm_up=0) if timing.far_end else None,
        cpu_cores=used.cpu_s / used.seconds,
    )


def _watch(
    engine: Engine, runner: Runner, clock: Clock, too_far_s: float, progress: Progress
) -> tuple[Sample, bool]:
    """Wait for the run's end; stop waiting early if the run falls behind or its connection fails.

    Return the time used since the end of the first tick, and whether the wait stopped early.
    """
    watch, warm, ticks = Stopwatch(), False, 0
    while not engine.finished.wait(_LOOK_S):
        if not warm and runner.timing.settled:
            watch, warm = Stopwatch(), True
        clock.watch()
        if engine.tick > ticks:
            progress.advance(engine.tick - ticks)
            ticks = engine.tick
        if max(engine.behind_s(), runner.behind_s()) > too_far_s or runner.error is not None:
            return watch.read(), True
    while runner.counters().pending:
        if runner.behind_s() > too_far_s or runner.error is not None:
            return watch.read(), True
        time.sleep(_LOOK_S)
    return watch.read(), False


def _lag(seconds: RecentDurations, warm_up: int = 1) -> Lag:
    p50, p99 = percentiles(seconds.values()[warm_up:])
    return Lag(p50 * 1000, p99 * 1000)
