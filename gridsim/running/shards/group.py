"""The shards of a run as a group: their calls, their reports and their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from gridsim.api import Instruction
from gridsim.contracts.results import TickResult
from gridsim.contracts.run_context import Announcement
from gridsim.contracts.status import RunStatus
from gridsim.errors import GridsimError
from gridsim.ledger import LedgerError
from gridsim.running.board import Board
from gridsim.running.plan import Plan
from gridsim.running.run import FLUSH_S
from gridsim.running.shards.follower import Follower, ShardHosts, followed
from gridsim.running.shards.grants import Grants, Sync
from gridsim.running.shards.joining import Joiner
from gridsim.running.shards.ledgers import join_ledgers
from gridsim.running.shards.messages import ShardReport, ShardSchedule, shard_specs
from gridsim.running.shards.routing import Router
from gridsim.running.shards.statuses import merged

_LOOK_S: Final = 0.2
_BEGIN_S: Final = 0.05
"""The time from the decision to begin to the first tick, in which all shards get it."""
_FINISH_S: Final = 1.0
"""The time that shards may take to end with the same tick when the run is stopped early."""
_LAST_S: Final = 1.0


class ShardGroup:
    """The shards of one run. Any thread may call it."""

    def __init__(
        self,
        plan: Plan,
        hosts: ShardHosts,
        bounds: Sequence[int],
        sync: Sync,
        hand_on: Callable[[TickResult], None],
        wants_every: Callable[[], bool],
        *,
        shares_machine: bool,
    ) -> None:
        """Start nothing yet. `bounds` has the index of the first project of each shard.

        `hand_on` gets the results of the run in order, without those of ticks that have no facts
        unless `wants_every` returns true.
        """
        configuration = plan.configuration
        self.error: GridsimError | None = None
        """The error that ended the run early, or None."""
        self.ledger_error: LedgerError | None = None
        self._plan, self._hand_on, self._wants_every = plan, hand_on, wants_every
        self._joiner = Joiner(configuration.scenario, bounds)
        self._grants = Grants(
            sync,
            plan.ticks,
            Router(configuration.scenario, bounds).routed,
            self._joiner.answers.expect,
            tick_s=configuration.tick_ms / 1000,
            backfills_from_ms=configuration.start_ms if plan.goes_live else None,
        )
        self.shards = [
            Follower(
                index,
                spec,
                hosts,
                self._grants,
                self._take,
                lambda: self._joiner.tick,
                lambda: plan.run_file.announced,
                again=plan.checkpoint is not None,
            )
            for index, spec in enumerate(
                shard_specs(plan, len(bounds), shares_machine=shares_machine)
            )
        ]
        self._lock = threading.RLock()
        """Held while reports are joined and results are handed on."""
        self._deadline: float | None = None

    # Lifecycle.

    def begin(self) -> None:
        """Make all shards. None connects before all have read the configuration.

        Raises GridsimError, such as UsageError, if one cannot be made.
        """
        for one in self.shards:
            one.begin()
        self.all(lambda host: None)

    def connect(self, announced: Mapping[str, Announcement]) -> bool:
        """Connect the transports, and return whether to go on."""
        reports = self.all(lambda host: host.start(announced))
        for shard, report in zip(self.shards, reports, strict=True):
            if isinstance(report, ShardReport):
                shard.note(report)
        return all(isinstance(one, ShardReport) and not one.is_over for one in reports)

    def run(self) -> None:
        """Advance the shards from now on."""
        for shard in self.shards:
            shard.run()

    def follow(self, tick: int, speed: float, at_s: float | None = None) -> None:
        """Begin or resume, so that a tick is due at a time of the wall clock; None: now."""
        due_s = time.time() + _BEGIN_S if at_s is None else at_s
        schedule = ShardSchedule(tick, due_s, speed)
        self.all(followed(schedule))
        with self._grants.changed:
            self._grants.schedule = schedule
            self._grants.changed.notify_all()

    def pause(self) -> int:
        """Stop the ticks of all shards, and return the furthest next tick of them."""
        with self._grants.changed:
            self._grants.schedule = None
        return max((at for at in self.all(lambda host: host.pause()) if at is not None), default=0)

    def hurry(self, flush_s: float) -> None:
        """Limit the time for sending what is queued; only the first call does."""
        if self._deadline is None:
            self._deadline = time.monotonic() + flush_s

    @property
    def is_hurried(self) -> bool:
        """True if the time for sending is limited."""
        return self._deadline is not None

    def is_late(self) -> bool:
        """Return whether the time for sending is over."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def is_over(self) -> bool:
        """Return whether no more ticks will run: all are done, or a shard has failed or is lost."""
        for one in self.shards:
            if one.ended.is_set() and (one.lost or one.error) is not None:
                self._lose(one)
        reports = [one.report for one in self.shards if one.report is not None]
        over = [one for one in reports if one.is_over]
        # A shard that ends before its last tick has no transport left.
        ticks = self._plan.ticks
        early = any(ticks is None or one.tick < ticks for one in over)
        return self.error is not None or early or len(over) == len(self.shards)

    def finish(self) -> None:
        """Make all shards end with the same tick: the furthest that one of them has reached."""
        with self._grants.changed:
            self._grants.schedule = None
        for one in self.shards:
            one.replace_no_more()
        deadline = time.monotonic() + _FINISH_S
        shards = self._started()
        pauses = [(one, one.call(lambda host: host.pause())) for one in shards]
        reached = [
            at
            for one, future in pauses
            if isinstance(at := self._await(one, future, deadline - time.monotonic()), int)
        ]
        last = max(reached, default=0)
        finishes = [(one, one.call(_finished(last, one))) for one in shards]
        for one, future in finishes:
            report = self._await(one, future, max(deadline - time.monotonic(), 0.1))
            if isinstance(report, ShardReport):
                one.note(report)

    def stop(self) -> bool:
        """Stop all shards, which send what is queued; return whether their threads returned."""
        with self._grants.changed:
            self._grants.schedule = None
        for one in self.shards:
            one.replace_no_more()
        returned, stops = True, []
        for one in self._started():
            left = None if self._deadline is None else max(self._deadline - time.monotonic(), 0.1)
            stops.append((one, one.call(_stopped(left, one))))
        for one, future in stops:
            limit_s = None if self._deadline is None else FLUSH_S + 2 * _LAST_S
            report = self._await(one, future, limit_s)
            if isinstance(report, ShardReport):
                one.note(report)
                returned &= not report.hung
        with self._lock:
            for result in self._joiner.rest():
                self._hand_on(result)
        return returned

    def close(self) -> bool:
        """End the processes, and merge their ledgers; return whether they ended in time."""
        alive = [one for one in self.shards if not one.ended.is_set()]
        for one in alive:
            one.end()
        deadline = time.monotonic() + 2 * _LAST_S
        ended = [one.join(max(deadline - time.monotonic(), 0.0)) for one in alive]
        if self.ledger_error is None:
            statuses = [one.report.status for one in self.shards if one.report is not None]
            try:
                join_ledgers(self._plan, statuses, hurry=self.is_hurried)
            except GridsimError as error:
                self.ledger_error = LedgerError(str(error))
        return all(ended)

    # Instructions, reports and calls.

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction for the next tick that no shard has reached."""
        return self._grants.post(instruction)

    @property
    def tick(self) -> int:
        """The index of the first tick that a shard has not done yet."""
        return self._joiner.tick

    def status(self, board: Board) -> RunStatus:
        """Return the newest status of the shards, merged; `board` has what is joined over them."""
        with self._lock:
            shards = [one for one in self.shards if one.lost is None]
            reports = [one.report for one in shards if one.report is not None]
            earlier = sum(one.earlier for one in shards)
            return merged(self._plan, reports, board, self._grants.waiting(self.tick), earlier)

    def all(self, method: Callable[[Any], Any]) -> list[Any]:
        """Call every shard, and return the answers; None for one that is lost."""
        calls = [None if one.lost else one.call(method) for one in self.shards]
        return [
            None if call is None else self._await(one, call, None)
            for one, call in zip(self.shards, calls, strict=True)
        ]

    def _await(self, shard: Follower, future: Future[Any], timeout_s: float | None) -> Any:
        """Return the answer; None if the shard is lost or late. Raises the error of a start."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            try:
                return future.result(_LOOK_S if end is None else max(end - time.monotonic(), 0.0))
            except TimeoutError:
                if end is not None or self.is_late():
                    return None
            except GridsimError as error:
                if shard.lost is not None:
                    self._lose(shard)
                    return None
                raise shard.error or error from None

    def _take(self, shard: Follower, report: ShardReport) -> None:
        """Join a report, and hand on the results that are ready. Called in a shard's thread."""
        with self._lock:
            self._joiner.take(shard.index, report.facts, report.tick)
            tick = self._joiner.tick
            posted = self._grants.instructions(tick)
            for result in self._joiner.ready(posted, every=self._wants_every()):
                self._hand_on(result)
            self._grants.forget([self._needs_from(one) for one in self.shards])
        if report.error and self.error is None:
            self.error = GridsimError(f"{shard.name}: {report.error}")
            self.error.exit_status = report.exit_status
        if report.ledger_error and self.ledger_error is None:
            self.ledger_error = LedgerError(f"{shard.name}: {report.ledger_error}")

    def _needs_from(self, shard: Follower) -> int:
        """Return the first tick whose instructions a shard may still need."""
        report = shard.report
        if report is None:
            return 0
        kept = report.status.checkpoint
        return report.tick if kept is None else min(kept.tick, report.tick)

    def _lose(self, shard: Follower) -> None:
        """End the run without a shard that is lost."""
        with self._lock:
            self._joiner.forget(shard.index)
            if self.error is None:
                why = shard.lost or shard.error or f"{shard.name} has ended"
                self.error = GridsimError(f"{why}; its account is not known")

    def _started(self) -> list[Follower]:
        """Return the shards that have started and still answer."""
        return [one for one in self.shards if not one.ended.is_set() and one.report is not None]


def _stopped(flush_s: float | None, shard: Follower) -> Callable[[Any], ShardReport]:
    return lambda host: host.stop(flush_s, shard.since)


def _finished(tick: int, shard: Follower) -> Callable[[Any], ShardReport]:
    return lambda host: host.finish(tick, shard.since)
