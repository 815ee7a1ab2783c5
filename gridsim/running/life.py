"""One life of a run: what it restores from a checkpoint, writes to others, and sends again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from loguru import logger

from gridsim.contracts.results import TickResult
from gridsim.contracts.state import State, StateError
from gridsim.contracts.status import RunStatus
from gridsim.execution.checkpoint import CheckpointError, RunFacts
from gridsim.execution.folder import Kept
from gridsim.execution.progress import RunProgress
from gridsim.running.board import Board
from gridsim.running.checkpoints import Checkpoints
from gridsim.running.engine import Engine
from gridsim.running.inbox import CommandInbox, JournaledInbox, StampedInbox
from gridsim.running.plan import Plan
from gridsim.running.recovery import (
    Recovery,
    ResumeSchedule,
    SettledFrontier,
    schedule,
    schedule_from,
)
from gridsim.running.workers import Workers
from gridsim.simulation.step import Simulation

_LOOK_S: Final = 0.01


class Life:
    """The checkpoints of a run, and its recovery if it was resumed.

    In a run without `[checkpoint]` most of the methods do nothing.
    """

    def __init__(
        self, plan: Plan, simulation: Simulation, board: Board, *, driven: bool = False
    ) -> None:
        """Restore the state of the checkpoint. Raises CheckpointError if it does not fit.

        `driven`: the instructions come from the driver of the run's shards.
        """
        self._plan, self._own = plan, plan.checkpoint
        self._simulation, self._board = simulation, board
        self._kept = kept = None if plan.checkpoint is None else plan.checkpoint.kept
        self.readings = 0
        """The number of readings so far."""
        kind = StampedInbox if driven else JournaledInbox
        self.inbox: CommandInbox = StampedInbox() if driven else CommandInbox()
        if plan.recorded is not None:
            self.inbox = plan.recorded
        self._driven = driven
        self._present = 0
        """The first tick that is due after the start; earlier ones are caught up."""
        self.recovery: Recovery | None = None
        self.frontiers: Sequence[SettledFrontier] = ()
        self._checkpoints: Checkpoints | None = None
        if plan.checkpoint is not None:
            self._checkpoints = Checkpoints(plan.checkpoint, self._take)
            self._journaled = self.inbox = kind()
            if kept is not None:
                self._restore(kept, plan.checkpoint.path)
                self._journaled = self.inbox = kind(kept.checkpoint.tick, kept.journal)
            self._journaled.note = self._checkpoints.note
        self._workers: Workers | None = None
        self._engine: Engine | None = None

    def open(self, engine: Engine, workers: Workers, *, manual: bool) -> None:
        """Open the folder, before the workers open. Raises UsageError or StateError."""
        self._engine, self._workers = engine, workers
        now = self._schedule(0.0 if manual else engine.speed)
        if now is not None:
            self._present = self.inbox.live_from = now.present
            engine.catch_up(now.behind_s, now.present)
        if self._own is None or self._checkpoints is None:
            return
        settled = [0] * len(self._plan.transports)
        if self._kept is not None and now is not None:
            self.recovery = Recovery(self._kept, self._own.on_recovery, now.present)
            engine.readings = self.readings
            settled = self.recovery.sent_from
        note = self._checkpoints.settle
        self.frontiers = [SettledFrontier(i, number, note) for i, number in enumerate(settled)]
        gap = None if self.recovery is None else self.recovery.missing
        self._checkpoints.open(self._journaled.known, gap)

    def begin(self, engine: Engine) -> None:
        """Note which ticks are due by now, when the transports have connected: they catch up."""
        if self._kept is None and (now := self._schedule(engine.speed)) is not None:
            self._present = self.inbox.live_from = now.present
            engine.catch_up(now.behind_s, now.present)
            if due := now.present - self._simulation.next_tick:
                logger.info(
                    "the first tick was due {:.1f} s ago: {:,} ticks catch up", now.behind_s, due
                )

    def start(self) -> None:
        """Start to write checkpoints, after the workers have opened."""
        if self._checkpoints is None:
            return
        if self._kept is not None:
            # After the spools, which compare the configured faults.
            registry = self._plan.registry
            faults = {one.name: one.type for one in registry if one.kind == "fault"}
            self._plan.alterations.restore(self._kept.altering, faults)
        self._checkpoints.start(self._is_durable, self._is_settled)

    def before_publish(self, result: TickResult) -> None:
        """Note a tick before its readings are handed over."""
        if result.tick < self._present:
            self._wait_for_room(result)
        if self._checkpoints is not None and result.tick < self._simulation.next_tick:
            self.readings = result.batch.number + len(result.batch)
            if self.recovery is not None:
                self.recovery.note(result)
            for injected in result.injected:
                altering = self._plan.alterations.injected_as(injected.fault)
                if altering is not None:
                    self._checkpoints.alter(altering)
            self.mark()

    def after_publish(self, result: TickResult) -> None:
        """Take a checkpoint if one is due."""
        if self._checkpoints is not None and result.tick < self._simulation.next_tick:
            self._checkpoints.after_tick(self._simulation.next_tick)

    def mark(self) -> None:
        """Note the present progress."""
        engine = self._engine
        if engine is None or self._checkpoints is None:
            return
        due_s = engine.due_in_s()
        due_ms = 0 if due_s is None else round(1000 * (time.time() + due_s))
        self._checkpoints.mark(RunProgress(engine.tick, due_ms, engine.speed, self.readings))

    def is_again(self) -> bool:
        """Return whether an earlier life has been at this tick already."""
        recovery, tick = self.recovery, self._simulation.next_tick
        return recovery is not None and recovery.is_again(tick)

    def close(self, *, failed: bool) -> None:
        """Stop writing. A run that has failed can be resumed, unless it failed before its first
        tick; one that has ended cannot.
        """
        engine, workers = self._engine, self._workers
        if self._checkpoints is None or engine is None or workers is None:
            return
        states = [runner.state for runner in workers.runners]
        failed |= bool(states) and all(state == "failed" for state in states)
        began = engine.tick > engine.first_tick or self._kept is not None
        self._checkpoints.close(ended=not (failed and began) and not self.is_again())

    def checkpoint(self, timeout_s: float) -> bool:
        """Write a checkpoint now, and return whether it is on the disk. No tick may be running."""
        if self._checkpoints is None:
            return False
        self._checkpoints.wait(timeout_s)
        taken = self._checkpoints.take(self._simulation.next_tick)
        done = taken and self._checkpoints.wait(timeout_s)
        return done and self._checkpoints.status().tick == self._simulation.next_tick

    def status(self, status: RunStatus) -> RunStatus:
        """Return the run's status with that of the checkpoints and the recovery."""
        if self._checkpoints is None:
            return status
        resumed = None if self.recovery is None else self.recovery.status()
        return replace(status, checkpoint=self._checkpoints.status(), resumed=resumed)

    def reloaded(self, plan: Plan, simulation: Simulation) -> None:
        """Continue with another configuration, between two ticks: take a checkpoint of it."""
        self._plan, self._simulation = plan, simulation
        if plan.checkpoint is None or self._checkpoints is None:
            return
        self._checkpoints.keys = plan.checkpoint.keys
        self._checkpoints.take(simulation.next_tick, at_once=True)

    def _wait_for_room(self, result: TickResult) -> None:
        """Wait until transports that work have room, while the run catches up.

        It steps faster than real time then, and a full queue would drop readings.
        """
        engine, workers = self._engine, self._workers
        if engine is None or workers is None:
            return
        nbytes = result.batch.nbytes
        for runner in workers.runners:
            while not (runner.buffer.has_room_for(nbytes) or engine.is_stopping):
                if runner.state != "up" or runner.is_stalled():
                    break
                time.sleep(_LOOK_S)

    def _schedule(self, speed: float) -> ResumeSchedule | None:
        """Return the place of the run in real time; None: its first tick is due now."""
        plan, now = self._plan, None
        configuration = plan.configuration
        # A driver gives its shards the schedule itself.
        epoch_ms = None if self._driven else configuration.epoch_ms
        tick_s = configuration.tick_ms / 1000
        if self._kept is not None:
            now = schedule(self._kept, speed, tick_s, plan.ticks)
        if (now is None or now.behind_s is None) and epoch_ms is not None and speed:
            first = self._simulation.next_tick
            earlier = 0 if now is None else now.present
            since_s = time.time() - epoch_ms / 1000
            now = schedule_from(since_s, tick_s / speed, first, plan.ticks)
            return replace(now, present=max(now.present, earlier))
        return now

    def _restore(self, kept: Kept, path: Path) -> None:
        """Restore the state of a checkpoint. Raises CheckpointError if it does not fit."""
        facts = kept.checkpoint.facts
        try:
            self._simulation.restore(kept.checkpoint.state)
            self._board.restore(facts.board)
        except StateError as error:
            raise CheckpointError(f"--resume: error: {path}: {error}") from error
        self.readings = facts.readings

    def _is_durable(self, tick: int, timeout_s: float) -> bool:
        """Wait until the ledger and the spools have what was recorded before a tick."""
        workers = self._workers
        if workers is None:
            return True
        ledger = workers.ledger
        written = ledger is None or ledger.wait_committed(tick, timeout_s)
        for runner in workers.runners:
            if runner.buffer.keeps:
                runner.buffer.sync(timeout_s)
        return written

    def _is_settled(self, number: int) -> bool:
        """Return whether the readings below a number are settled, or in a spool."""
        runners = [] if self._workers is None else self._workers.runners
        return all(
            frontier.number >= number or runner.buffer.keeps
            for frontier, runner in zip(self.frontiers, runners, strict=False)
        )

    def _take(self) -> tuple[State, RunFacts]:
        """Return the state between two ticks, and the facts beside it."""
        plan = self._plan
        ledger = None if self._workers is None else self._workers.ledger
        about = plan.about
        return self._simulation.state(), RunFacts(
            run="" if about is None else about.run,
            start_ms=plan.configuration.start_ms,
            readings=self.readings,
            transports=[one.name for one in plan.transports],
            ledger="" if plan.ledger is None else str(plan.ledger.path.absolute()),
            positions={} if ledger is None else dict(ledger.positions),
            board=self._board.state(),
            altering=plan.alterations.injected(),
        )
