"""The shard's side: a run of some of the projects, led by the driver."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from gridsim import logs
from gridsim.contracts.results import TickResult
from gridsim.contracts.run_context import Announcement
from gridsim.errors import GridsimError
from gridsim.ledger import LedgerError
from gridsim.running.inbox import StampedInbox
from gridsim.running.plan import Plan, make_plan
from gridsim.running.run import FLUSH_S, Run
from gridsim.running.runfile import HiddenRunFile
from gridsim.running.shards.facts import FactMaker
from gridsim.running.shards.messages import (
    LogLine,
    Question,
    ShardFacts,
    ShardReport,
    ShardSchedule,
    ShardSpec,
    StampedInstruction,
)
from gridsim.simulation.step import Simulation

_STATUS_S: Final = 0.2
"""The longest time for which a status is used again: to make one takes up to a millisecond."""
_FREE_S: Final = 0.05
"""The time between two reports at speed 0, where a report of each tick would cost more than it."""
_LOG_LINES: Final = 1_000
"""The log lines that wait for the driver; the oldest of more are dropped."""


class DrivenRun(Run):
    """A run whose ticks and instructions come from a driver."""

    is_driven: ClassVar[bool] = True

    def __init__(self, plan: Plan, note: Callable[[TickResult], None], *, monitored: bool) -> None:
        """Make the simulation. `note` is called with each result, in the engine's thread."""
        self.is_monitored = monitored
        self._noted = note
        super().__init__(plan)
        self._engine.permission.allow(0)

    @property
    def tick(self) -> int:
        """The index of the next tick."""
        return self._engine.tick

    @property
    def speed(self) -> float:
        """The simulated seconds per second; 0 is as fast as possible."""
        return self._engine.speed

    @property
    def simulation(self) -> Simulation:
        """The simulation, which the engine's thread steps."""
        return self._engine.simulation

    def follow(self, schedule: ShardSchedule) -> None:
        """Run the allowed ticks by a schedule from now on."""
        with self._steering:
            # The wall clock is common to all shards, also on other machines.
            at_s = time.monotonic() + schedule.at_s - time.time()
            self._engine.follow(schedule.tick, at_s, schedule.speed)
            self._set_paces()
            if self._state == "running":
                self._driver.go()

    def allow(self, until: int, instructions: Sequence[StampedInstruction]) -> None:
        """Take the instructions of later ticks, then allow the ticks below `until`."""
        inbox = self._inbox
        assert isinstance(inbox, StampedInbox)
        for tick, number, instruction in instructions:
            inbox.post_at(tick, number, instruction)
        self._engine.permission.allow(until)

    def finish(self, tick: int) -> None:
        """Run the ticks below `tick` now, without the schedule, and no more after them."""
        self._engine.run(max(tick - self._engine.tick, 0))
        self._engine.stop()
        self._engine.run(0)

    def ask(self, question: Question, arguments: Sequence[Any]) -> Any:
        """Return what the monitor answers."""
        monitor = self._viewing.monitor
        if monitor is None:
            raise GridsimError("this run has no views")
        return getattr(monitor, question)(*arguments)

    def _publish(self, result: TickResult) -> None:
        super()._publish(result)
        self._noted(result)


class HostedRun:
    """The `ShardHost` in the shard's own process. One thread calls it."""

    def __init__(self, spec: ShardSpec, *, takes_logs: bool = True) -> None:
        """Make nothing yet. With `takes_logs` the logs of this process go to the driver."""
        self._spec, self._takes_logs = spec, takes_logs
        self._run: DrivenRun | None = None
        self._facts = FactMaker()
        self._kept: deque[ShardFacts] = deque()
        self._news = threading.Condition()
        self._done = 0
        """The index of the tick after the last whose facts are kept."""
        self._awaited = 0
        """The value of it that the driver waits for."""
        self._lines: deque[LogLine] = deque(maxlen=_LOG_LINES)
        self._status: tuple[float, ShardReport] | None = None
        self._ended = False

    def prepare(self) -> None:
        """Make the plan of the shard."""
        if self._run is not None:
            return
        if self._takes_logs:
            logs.configure_lines(self._take_line, self._spec.log_level)
        plan = make_plan(self._spec.options)
        # They are the driver's.
        plan = replace(plan, sources=(), views=(), run_file=HiddenRunFile())
        if self._spec.run and plan.about is not None:
            about = replace(plan.about, run=self._spec.run)
            ledger = None if plan.ledger is None else replace(plan.ledger, about=about)
            plan = replace(plan, about=about, ledger=ledger)
        run = DrivenRun(plan, self._note, monitored=self._spec.is_monitored)
        self._done, self._facts.simulation = run.tick, run.simulation
        self._run = run

    def start(self, announced: Mapping[str, Announcement]) -> ShardReport:
        """Connect the transports."""
        run = self._started
        run.plan.given.update(announced)
        if run.status().state == "new":
            run.start()
        return self._report(run.tick, fresh=True)

    def follow(self, schedule: ShardSchedule) -> None:
        """Run the allowed ticks by a schedule from now on."""
        self._started.follow(schedule)

    def advance(
        self,
        until: int,
        instructions: Sequence[StampedInstruction],
        since: int,
        wait_s: float,
    ) -> ShardReport:
        """Allow the ticks below `until`, and report what is new."""
        run = self._started
        run.allow(until, instructions)
        over = run.wait(0.0)
        with self._news:
            self._awaited = since + 1
            if not run.speed:
                self._awaited, wait_s = max(until, since + 1), min(wait_s, _FREE_S)
            if not over:
                self._news.wait_for(lambda: self._done >= self._awaited, wait_s)
            while self._kept and self._kept[0].tick < since:
                self._kept.popleft()
        return self._report(since)

    def pause(self) -> int:
        """Stop ticks after the present one, and return the index of the next."""
        self._started.pause()
        return self._started.tick

    def finish(self, tick: int, since: int) -> ShardReport:
        """Run the ticks below `tick` at once, and no more after them."""
        self._started.finish(tick)
        return self._report(since, fresh=True)

    def ask(self, question: Question, arguments: Sequence[Any]) -> Any:
        """Return what the shard's monitor answers."""
        return self._started.ask(question, arguments)

    def confirm(self, timeout_s: float) -> bool:
        """Wait until no reading is on its way, and return whether that is so."""
        return self._started.confirm(timeout_s)

    def save_checkpoint(self, timeout_s: float) -> bool:
        """Write a checkpoint now, in a pause, and return whether it is on the disk."""
        return self._started.save_checkpoint(timeout_s)

    def stop(self, flush_s: float | None, since: int) -> ShardReport:
        """End the shard, and report once more."""
        run = self._started
        if not self._ended:
            if flush_s is not None:
                run.request_stop(flush_s)
            run.stop()
            self._ended = True
        return self._report(since, fresh=True)

    def close(self) -> None:
        """End the shard if it is still up."""
        if self._run is not None and not self._ended:
            self._ended = True
            self._run.request_stop(FLUSH_S)
            self._run.stop()

    # Internal.

    @property
    def _started(self) -> DrivenRun:
        if self._run is None:
            raise GridsimError("this shard is not prepared")
        return self._run

    def _note(self, result: TickResult) -> None:
        """Keep the facts of a tick. Called in the engine's thread."""
        facts = self._facts.take(result)
        with self._news:
            if facts is not None:
                self._kept.append(facts)
            run = self._run
            # The result at the end has the index of the tick that would have come next.
            self._done = result.tick if run is None else run.tick
            if self._done >= self._awaited:
                self._news.notify_all()

    def _report(self, since: int, *, fresh: bool = False) -> ShardReport:
        """Return what is new; the status may be a little older."""
        run = self._started
        over = self._ended or run.wait(0.0)
        with self._news:
            done = self._done
            facts = tuple(one for one in self._kept if one.tick >= since)
        lines = []
        while self._lines:
            lines.append(self._lines.popleft())
        now = time.monotonic()
        at, last = self._status or (-_STATUS_S, None)
        if last is None or fresh or over or now - at >= _STATUS_S:
            error = run.error
            number = 0
            if error is not None:
                number = error.exit_status if isinstance(error, GridsimError) else 1
            elif run.ledger_error is not None:
                number = LedgerError.exit_status
            last = ShardReport(
                self._spec.life,
                done,
                run.status(),
                is_over=over,
                hung=run.hung,
                holding_up=run.holding_up(),
                hanging=run.hanging(),
                error="" if error is None else str(error) or type(error).__name__,
                exit_status=number,
                ledger_error=str(run.ledger_error or ""),
            )
            self._status = now, last
        return replace(last, tick=done, facts=facts, logs=tuple(lines), is_over=over)

    def _take_line(self, level: str, text: str) -> None:
        self._lines.append(LogLine(level, text))
