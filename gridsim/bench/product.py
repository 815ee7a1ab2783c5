"""The measurement of gridsim itself: the time of the models, delivery and transport of a normal
run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gridsim.bench.sample import Sample, Stopwatch
from gridsim.bench.survey import WARM_UP_TICKS, Survey
from gridsim.bench.target import BenchTarget
from gridsim.contracts.results import TickResult
from gridsim.delivery import Runner
from gridsim.delivery.account import OnFull
from gridsim.errors import GridsimError, NeverConnectedError
from gridsim.running.engine import Engine
from gridsim.simulation.step import Simulation

_LOOK_S = 0.0005
_FIRST_ATTEMPT_S = 0.2


@contextmanager
def connected(target: BenchTarget, on_full: OnFull, wake_s: float) -> Iterator[Runner]:
    """Yield the transport's runner, connected, and close it at the end.

    Raises NeverConnectedError.
    """
    policy = replace(target.outlet.policy, on_full=on_full, give_up_at_start=True)
    runner = replace(target.outlet, policy=policy).runner(wake_s)
    runner.start()
    try:
        while runner.state == "connecting":
            runner.wait_first_attempt(_FIRST_ATTEMPT_S)
        if runner.state == "failed":
            raise NeverConnectedError(f"transport {runner.name} never connected: {runner.error}")
        yield runner
    finally:
        runner.close()
        runner.wait(policy.stall_timeout_s)
        runner.settle()


def flat_out(target: BenchTarget, fleet: Survey, ticks: int) -> Sample:
    """Run `ticks` ticks without pauses, and measure until the last reading is confirmed.

    Raises GridsimError if the broker did not confirm every reading.
    """
    began: list[Stopwatch] = []
    with connected(target, "block", 0.0) as runner:

        def emit(outcome: TickResult) -> None:
            runner.offer(outcome.batch)
            if engine.tick == WARM_UP_TICKS:
                wait_settled(runner)
                began.append(Stopwatch())

        engine = Engine(
            Simulation(target.plan.configuration.scenario),
            emit,
            tick_s=target.tick_s,
            speed=0.0,
            ticks=WARM_UP_TICKS + ticks,
        )
        engine.run_free()
        if engine.error is not None:
            raise engine.error
        wait_settled(runner)
        sample = began[0].read()
        delivered = runner.counters().delivered
    expected = fleet.warm_up_records + fleet.records
    if delivered != expected:
        raise GridsimError(f"the broker confirmed {delivered:,} of {expected:,} readings")
    return sample


def wait_settled(runner: Runner) -> None:
    """Wait until no reading is pending. Raises GridsimError if the connection is lost meanwhile."""
    while runner.counters().pending:
        if runner.error is not None:
            raise GridsimError(f"the connection was lost during the measurement: {runner.error}")
        time.sleep(_LOOK_S)
