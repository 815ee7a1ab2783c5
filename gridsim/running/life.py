"""One life of a run that keeps checkpoints: what it restores, writes, and sends again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from gridsim.contracts.part_status import CheckpointStatus, ResumeStatus
from gridsim.contracts.results import TickResult
from gridsim.contracts.state import State, StateError
from gridsim.execution.checkpoint import CheckpointError, RunFacts
from gridsim.execution.progress import RunProgress
from gridsim.running.board import Board
from gridsim.running.checkpoints import Checkpoints
from gridsim.running.engine import Engine
from gridsim.running.inbox import JournaledInbox
from gridsim.running.plan import Plan
from gridsim.running.recovery import Recovery, SettledFrontier, schedule
from gridsim.running.workers import Workers
from gridsim.simulation.step import Simulation

# How long a checkpoint that is being written may delay a reload.
_WAIT_S: Final = 5.0


class Life:
    """The checkpoints of a run, and its recovery if it was resumed.

    A run without `[checkpoint]` has none. The methods do nothing at the run's end.
    """

    def __init__(self, plan: Plan, simulation: Simulation, board: Board) -> None:
        """Restore the state of the checkpoint. Raises CheckpointError if it does not fit."""
        assert plan.checkpoint is not None
        self._plan, self._own = plan, plan.checkpoint
        self._simulation, self._board = simulation, board
        self._kept = kept = plan.checkpoint.kept
        self.readings = 0
        """The number of readings so far."""
        if kept is None:
            self.inbox = JournaledInbox()
        else:
            facts = kept.checkpoint.facts
            try:
                simulation.restore(kept.checkpoint.state)
                board.restore(facts.board)
            except StateError as error:
                path = plan.checkpoint.path
                raise CheckpointError(f"--resume: error: {path}: {error}") from error
            self.readings = facts.readings
            self.inbox = JournaledInbox(kept.checkpoint.tick, kept.journal)
        self.recovery: Recovery | None = None
        self.frontiers: Sequence[SettledFrontier] = ()
        self._checkpoints = Checkpoints(plan.checkpoint, self._take)
        self.inbox.note = self._checkpoints.note
        self._workers: Workers | None = None
        self._engine: Engine | None = None

    def open(self, engine: Engine, workers: Workers, *, manual: bool) -> None:
        """Open the folder, before the workers open. Raises UsageError or StateError."""
        self._engine, self._workers = engine, workers
        settled = [0] * len(self._plan.transports)
        if self._kept is not None:
            configuration = self._plan.configuration
            now = schedule(
                self._kept,
                0.0 if manual else engine.speed,
                configuration.tick_ms / 1000,
                self._plan.ticks,
            )
            self.recovery = Recovery(self._kept, self._own.on_recovery, now.present)
            self.inbox.live_from = now.present
            engine.catch_up(now.behind_s, now.present)
            engine.readings = self.readings
            settled = self.recovery.sent_from
        note = self._checkpoints.settle
        self.frontiers = [SettledFrontier(i, number, note) for i, number in enumerate(settled)]
        gap = None if self.recovery is None else self.recovery.missing
        self._checkpoints.open(self.inbox.known, gap)

    def start(self) -> None:
        """Start to write checkpoints, after the workers have opened."""
        if self._kept is not None:
            # After the spools, which compare the configured faults.
            registry = self._plan.registry
            faults = {one.name: one.type for one in registry if one.kind == "fault"}
            self._plan.alterations.restore(self._kept.altering, faults)
        self._checkpoints.start(self._is_durable)

    def before_publish(self, result: TickResult) -> None:
        """Note a tick before its readings are handed over."""
        if result.tick < self._simulation.next_tick:
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
        if result.tick < self._simulation.next_tick:
            self._checkpoints.after_tick(self._simulation.next_tick)

    def mark(self) -> None:
        """Note the present progress."""
        engine = self._engine
        if engine is None:
            return
        due_s = engine.due_in_s()
        due_ms = 0 if due_s is None else round(1000 * (time.time() + due_s))
        self._checkpoints.mark(RunProgress(engine.tick, due_ms, engine.speed, self.readings))

    def is_again(self) -> bool:
        """Return whether an earlier life has been at this tick already."""
        recovery, tick = self.recovery, self._simulation.next_tick
        return recovery is not None and recovery.is_again(tick)

    def close(self, *, ended: bool) -> None:
        """Stop writing. With `ended` the run cannot be resumed."""
        self._checkpoints.close(ended=ended and not self.is_again())

    def checkpoint(self, timeout_s: float) -> bool:
        """Write a checkpoint now, and return whether it is on the disk. No tick may be running."""
        self._checkpoints.wait(timeout_s)
        taken = self._checkpoints.take(self._simulation.next_tick)
        done = taken and self._checkpoints.wait(timeout_s)
        return done and self._checkpoints.status().tick == self._simulation.next_tick

    def status(self) -> tuple[CheckpointStatus, ResumeStatus | None]:
        """Return the status of the checkpoints, and that of the recovery."""
        recovery = self.recovery
        return self._checkpoints.status(), None if recovery is None else recovery.status()

    def reloaded(self, plan: Plan, simulation: Simulation) -> None:
        """Continue with another configuration, between two ticks: take a checkpoint of it."""
        assert plan.checkpoint is not None
        self._plan, self._simulation = plan, simulation
        self._checkpoints.keys = plan.checkpoint.keys
        self._checkpoints.wait(_WAIT_S)
        self._checkpoints.take(simulation.next_tick)

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
