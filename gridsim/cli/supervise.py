"""Runs a plan: starts its threads, watches over them, and ends them in good order."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from types import FrameType
from typing import Any

from loguru import logger

from gridsim.contracts.results import TickResult
from gridsim.delivery import Runner
from gridsim.errors import GridsimError, NeverConnectedError, NotHeldError
from gridsim.ledger import Ledger, LedgerError
from gridsim.running.clock import Clock
from gridsim.running.engine import Engine
from gridsim.running.inbox import CommandInbox
from gridsim.running.pace import is_held
from gridsim.running.plan import Plan
from gridsim.simulation.step import Simulation
from gridsim.sources import Sources, SourceWorker
from gridsim.text import summary

_LOOK_S = 0.2
# Until when everything that is queued must be out after a signal, seconds.
_FLUSH_S = {signal.SIGINT: 1.7, signal.SIGTERM: 4.7}
_FIRST_ATTEMPT_S = 15.0
# A run begins with open ears, if they open soon; sources try on without it, too.
_FIRST_EAR_S = 6.0
# How long sources may take at the end to hand over what they have been told.
_LAST_WORDS_S = 0.5
# How long the ledger may take to write what is left: a second's work at most where disks answer.
_LEDGER_S = 10.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended."""

    status: int
    hung: bool
    """A plugin's thread is still busy: only `os._exit` ends the process."""


class _Signals:
    """Notes the first SIGINT or SIGTERM; the second ends the process at once."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> _Signals:
        for number in _FLUSH_S:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + number)
        self.received = signal.Signals(number)


def supervise(plan: Plan, *, strict: bool = False) -> Ending:
    """Runs a plan to its end, or to the first signal. Called from the main thread.

    With `strict` a run that did not hold its rate ends with the status of NotHeldError.
    """
    # Before the signals are taken over: a plugin that hangs here can be interrupted.
    simulation = Simulation(plan.configuration.scenario)
    with _Signals() as signals:
        try:
            return _Supervisor(plan, simulation, signals, strict).run()
        finally:
            plan.broker.stop()


class _Supervisor:
    def __init__(self, plan: Plan, simulation: Simulation, signals: _Signals, strict: bool) -> None:
        configuration = plan.configuration
        self._plan = plan
        self._strict = strict
        self._signals = signals
        inbox = CommandInbox()
        self._engine = Engine(
            simulation,
            self._emit,
            tick_s=configuration.tick_ms / 1000,
            speed=configuration.simulation.speed,
            ticks=plan.ticks,
            inbox=inbox,
        )
        wake_s = self._engine.wake_s if self._engine.interval_s else 0.0
        self._ledger: Ledger | None = plan.ledger.open() if plan.ledger is not None else None
        observers = self._ledger.fates if self._ledger is not None else repeat(None)
        self._runners: list[Runner] = [
            outlet.runner(wake_s, observer)
            for outlet, observer in zip(plan.outlets, observers, strict=False)
        ]
        self._clock = Clock(self._engine.run_due, self._engine.until_next_wake)
        self._sources = Sources(
            [SourceWorker(i.name, i.source, inbox, self._next_tick) for i in plan.inlets]
        )
        self._events = summary.EventSummary()
        self._seen_failures = 0
        self._ledger_failed = False

    def run(self) -> Ending:
        _say(summary.plan_lines(self._plan))
        for runner in self._runners:
            runner.start()
        self._wait_for(self._runners, _FIRST_ATTEMPT_S)
        if self._may_begin():
            # After the transports, which have a say in where an embedded broker listens.
            self._sources.start()
            self._wait_for(self._sources.workers, _FIRST_EAR_S)
            _say(summary.broker_lines(self._plan))
            began, cpu = time.monotonic(), time.process_time()
            self._begin()
            error = self._watch()
            hung = self._end(error)
            error = error or self._engine.error
            elapsed = time.monotonic() - began
            cpu = time.process_time() - cpu
            _say(self._events.lines())
            _say(summary.closing_lines(self._engine, self._runners, elapsed, cpu))
            if self._ledger is not None:
                _say(summary.ledger_lines(self._ledger))
        else:
            error, hung = None, self._end(None)
        return Ending(self._status(error), hung)

    def _emit(self, outcome: TickResult) -> None:
        if self._ledger is not None:
            self._ledger.record(outcome)
        _say(outcome.notes)
        self._events.add(outcome.settlements)
        for runner in self._runners:
            runner.offer(outcome.batch)
        self._sources.offer(outcome.acknowledgements)

    def _wait_for(self, workers: Sequence[Runner | SourceWorker], timeout_s: float) -> None:
        """Until each is up or has failed once, or a signal comes."""
        deadline = time.monotonic() + timeout_s
        for worker in workers:
            while worker.state == "connecting" and worker.error is None:
                if self._signals.received is not None or time.monotonic() > deadline:
                    return
                worker.wait_first_attempt(_LOOK_S)

    def _next_tick(self) -> tuple[int, int]:
        """Which tick comes next, and its simulated time, UTC ms; from any thread."""
        index = self._engine.simulation.next_tick
        configuration = self._plan.configuration
        return index, configuration.start_ms + index * configuration.tick_ms

    def _may_begin(self) -> bool:
        return self._signals.received is None and not any(
            r.state == "failed" for r in self._runners
        )

    def _begin(self) -> None:
        if self._engine.interval_s:
            self._clock.start()
        else:
            threading.Thread(target=self._engine.run_free, name="engine", daemon=True).start()

    def _watch(self) -> BaseException | None:
        """Returns when the run is over, with what ended it early, if it was an error."""
        settings = self._plan.configuration.simulation
        next_line = time.monotonic() + settings.summary_every_s
        named = ""
        while not self._engine.finished.wait(_LOOK_S):
            if self._signals.received is not None or self._nobody_listens():
                return None
            if self._engine.interval_s:
                self._clock.watch()
            self._report_failures()
            named = self._report_stuck(named)
            stuck = self._engine.stuck_in(settings.hang_timeout_s)
            if stuck:
                return GridsimError(f"{stuck} has not returned for {settings.hang_timeout_s:g} s")
            if time.monotonic() >= next_line:
                next_line += settings.summary_every_s
                logger.info("{}", summary.live_line(self._engine, self._runners))
        self._report_failures()
        return self._engine.error

    def _end(self, error: BaseException | None) -> bool:
        """Stops the ticks, flushes, closes; returns whether a plugin's thread still hangs."""
        self._engine.stop()
        self._clock.stop()
        idle = self._engine.wait_idle(0.5)
        finished = idle and self._engine.pace.ticks > 0
        if finished:
            self._engine.finish()
        self._sources.close()
        for runner in self._runners:
            runner.close()
        idle = idle or self._engine.wait_idle(0.5)
        self._flush(error)
        for runner in self._runners:
            runner.settle()
        idle = self._sources.wait(_LAST_WORDS_S) and idle
        if self._ledger is not None:
            self._close_ledger(self._ledger, complete=finished)
        return not idle or any(runner.is_alive() for runner in self._runners)

    def _close_ledger(self, ledger: Ledger, *, complete: bool) -> None:
        try:
            ledger.close(complete=complete, timeout_s=_LEDGER_S)
        except LedgerError as error:
            logger.error("{}", error)
            self._ledger_failed = True

    def _flush(self, error: BaseException | None) -> None:
        """Waits for the transports: a complete run as long as they make progress, one that was
        ended by a signal, now or meanwhile, or by an error not for long."""
        deadline: float | None = None
        waiting = list(self._runners)
        while waiting:
            received = self._signals.received
            if deadline is None and (received is not None or error is not None):
                deadline = time.monotonic() + _FLUSH_S[received or signal.SIGTERM]
            if deadline is not None and time.monotonic() >= deadline:
                return
            waiting = [r for r in waiting if not (r.wait(0.02) or r.is_stalled())]

    def _status(self, error: BaseException | None) -> int:
        status = 0
        if error is not None:
            logger.error("{}", str(error) or type(error).__name__)
            status = error.exit_status if isinstance(error, GridsimError) else 1
        if self._ledger_failed:
            status = status or LedgerError.exit_status
        for runner in self._runners:
            if runner.state == "reader gone":
                continue
            if not runner.ever_connected and self._signals.received is None:
                logger.error("transport {} never connected: {}", runner.name, runner.error)
                status = status or NeverConnectedError.exit_status
            elif runner.state == "failed":
                status = status or 1
        if self._strict and not is_held(self._engine, self._runners):
            status = status or NotHeldError.exit_status
        received = self._signals.received
        return status if received is None else 128 + received

    def _nobody_listens(self) -> bool:
        """A reader has left on purpose, or every transport has failed."""
        states = [runner.state for runner in self._runners]
        return "reader gone" in states or all(state == "failed" for state in states)

    def _report_failures(self) -> None:
        for failure in self._engine.simulation.failures[self._seen_failures :]:
            logger.error("{}; DERs taken out: {:,}", failure.reason, failure.devices)
            self._seen_failures += 1

    def _report_stuck(self, named: str) -> str:
        """Names a plugin that holds up the run for two ticks; once."""
        stuck = self._engine.stuck_in(2 * max(self._engine.interval_s, 1.0))
        if stuck and stuck != named:
            logger.warning("{} holds up the run", stuck)
        return stuck


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        logger.info("{}", line)
