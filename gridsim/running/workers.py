"""The workers of a run: its ledger, transports and sources, each with its own threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat, zip_longest
from typing import Final

from gridsim.api import rfc3339
from gridsim.contracts.part_status import LedgerStatus
from gridsim.delivery import MessageTrace, Observer, Runner
from gridsim.delivery.spool import SpoolBuffer
from gridsim.ledger import Ledger, LedgerError
from gridsim.running.engine import Engine
from gridsim.running.hub import Hub
from gridsim.running.inbox import CommandInbox, RecordedInbox
from gridsim.running.parts import PlannedSource, PlannedTransport
from gridsim.running.parts_reload import PartsReload
from gridsim.running.plan import Plan
from gridsim.running.recovery import Recovery, together
from gridsim.sources import Sources, SourceWorker

_LOOK_S: Final = 0.2
_POLL_S: Final = 0.02
_FIRST_ATTEMPT_S: Final = 15.0
# How long the first tick waits for sources of instructions to connect.
_SOURCE_STARTUP_S: Final = 6.0
# How long sources may take at the end to send the acknowledgements still queued, counted from the
# later of their close and the transports' flush. A source in a flood needs about a second.
_ACK_FLUSH_S: Final = 1.3
_ACK_LEAST_S: Final = 0.5
# The same for a run that no signal stops: after a flood, much is still unread.
_ACK_LAST_S: Final = 2.0
# How long the ledger may take at the end; a working disk needs at most a second.
_LEDGER_S: Final = 10.0
_IDLE_S: Final = 0.5


class Workers:
    """The ledger, the transports and the sources of a run, and the hub that gives them results.

    A run calls `open`, `connect`, and `close` in this order, from the thread that starts and
    stops it. Before `open` there are none, and the hub takes subscribers.
    """

    def __init__(self, inbox: CommandInbox | RecordedInbox) -> None:
        self.hub = Hub()
        self.ledger: Ledger | None = None
        self.ledger_error: LedgerError | None = None
        """The error of the ledger when it was closed, or None."""
        self.runners: list[Runner] = []
        self.retired: list[Runner] = []
        """The runners that a reload has replaced: their accounts stay."""
        self.sources = Sources([])
        self.observers: list[Observer | None] = []
        """The observer of each transport of the plan."""
        self._recovery: Recovery | None = None
        self.block = False
        """True if a full queue makes the run wait, unless the configuration sets `on_full`."""
        self._next_tick: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self._inbox = inbox

    def open(
        self,
        plan: Plan,
        next_tick: Callable[[], tuple[int, int]],
        wake_s: float,
        *,
        block: bool,
        trace: MessageTrace | None,
        recovery: Recovery | None = None,
        frontiers: Sequence[Observer] = (),
    ) -> None:
        """Create the ledger's file and the workers of a plan; connect to nothing yet.

        `next_tick` gives the next tick and its simulated time, UTC ms. `wake_s`, `block` and
        `trace` are as in `PlannedTransport.runner`. `frontiers` observe the transports besides the
        ledger. With `recovery` the run is a resumed one. Raises UsageError or LedgerError if the
        ledger cannot be created or continued, or a spool cannot be used.
        """
        self.block, self._next_tick = block, next_tick
        buffers = _open_spools(plan, continues=recovery is not None)
        try:
            if recovery is not None:
                recovery.use_spools(buffers)
            if plan.ledger is not None:
                at = None if recovery is None else recovery.continuation()
                earlier = sum(buffer.earlier for buffer in buffers if buffer is not None)
                self.ledger = plan.ledger.open(at, earlier)
                if recovery is not None:
                    recovery.rewound = self.ledger.rewound
            plan.run_file.open(
                plan.config,
                rfc3339(time.time_ns() // 1_000_000),
                "" if plan.ledger is None else str(plan.ledger.path.absolute()),
                tuple(str(path.absolute()) for path in plan.plugins),
            )
        except BaseException:
            _close_spools(buffers)
            raise
        fates = self.ledger.fates if self.ledger is not None else ()
        observers = [
            *map(together, zip_longest(fates, frontiers)), *repeat(None, len(plan.transports))
        ]  # fmt: skip
        self.observers, self._recovery = observers, recovery
        if recovery is not None:
            recovery.observers = observers
        self.runners = [
            one.runner(wake_s, observer, block=block, trace=trace, buffer=buffer)
            for one, observer, buffer in zip(plan.transports, observers, buffers, strict=False)
        ]
        self.sources = Sources([self.new_source(one, trace) for one in plan.sources])
        # Subscriptions made before this stay.
        self.hub.connect(self.ledger, self.runners, self.sources, recovery)

    def connect(self, stopping: threading.Event) -> bool:
        """Connect all, wait until each is up or has failed once, and return whether to go on.

        False: a stop was requested, or a transport has failed for good.
        """
        for runner in self.runners:
            runner.start()
        wait_for_first_attempts(self.runners, stopping, _FIRST_ATTEMPT_S)
        if stopping.is_set() or any(runner.state == "failed" for runner in self.runners):
            return False
        # After the transports, because they choose the port of an embedded broker.
        self.sources.start()
        wait_for_first_attempts(self.sources.workers, stopping, _SOURCE_STARTUP_S)
        return True

    def new_source(self, planned: PlannedSource, trace: MessageTrace | None) -> SourceWorker:
        """Return a worker for a source, not started."""
        name, source = planned.name, planned.source
        return SourceWorker(
            name, source, self._inbox, self._next_tick, is_for=planned.is_for, trace=trace
        )

    def new_runner(
        self, planned: PlannedTransport, index: int, wake_s: float, trace: MessageTrace | None
    ) -> Runner:
        """Return a runner for a transport that a reload adds at an index, not started."""
        observer = self.observers[index] if index < len(self.observers) else None
        return planned.runner(wake_s, observer, block=self.block, trace=trace)

    def change(self, reload: PartsReload) -> None:
        """Use the transports and sources of a reload. Called between two ticks."""
        self.runners = list(reload.runners)
        self.retired += reload.retired
        self.sources = Sources(reload.workers)
        self.hub.connect(self.ledger, self.runners, self.sources, self._recovery)

    def confirm(self, timeout_s: float) -> bool:
        """Wait until no reading is on its way and the ledger is written; return whether so."""
        done = all([settled(runner, timeout_s) for runner in self.runners])  # noqa: C419
        if self.ledger is not None:
            self.ledger.sync(_LEDGER_S)
        return done

    def close(
        self, engine: Engine, is_late: Callable[[], bool], *, hurry: bool, again: bool = False
    ) -> bool:
        """Send what is queued, close all, and return whether every thread has returned.

        Flushing ends when `is_late` returns True. `hurry`: the run is stopped early. `again`: it
        was stopped where an earlier life had been already, and can be resumed.
        """
        # An offer that waits for room blocks the engine: wake it first.
        if hurry:
            self.hub.wake()
        idle = engine.wait_idle(_IDLE_S)
        finished = idle and engine.tick > engine.first_tick and not again
        if finished:
            engine.finish()
        ending = time.monotonic()
        self.sources.close()
        runners = [*self.runners, *self.retired]
        for runner in runners:
            runner.close()
        idle = idle or engine.wait_idle(_IDLE_S)
        flush(runners, is_late)
        for runner in runners:
            runner.settle()
        left = ending + (_ACK_FLUSH_S if hurry else _ACK_LAST_S) - time.monotonic()
        idle = self.sources.wait(max(left, _ACK_LEAST_S)) and idle
        idle = self.hub.close(is_late) and idle
        if self.ledger is not None:
            try:
                self.ledger.close(complete=finished, timeout_s=_LEDGER_S)
            except LedgerError as error:
                self.ledger_error = error
        return idle and not any(runner.is_alive() for runner in runners)

    def ledger_status(self) -> LedgerStatus | None:
        """Return the status of the ledger; None: the run has none."""
        ledger = self.ledger
        if ledger is None:
            return None
        return LedgerStatus(str(ledger.path), ledger.waited_s, str(ledger.error or ""))


def _open_spools(plan: Plan, *, continues: bool) -> list[SpoolBuffer | None]:
    """Open the spools of a plan's transports; None for a transport without one.

    Raises UsageError.
    """
    opened: list[SpoolBuffer | None] = []
    try:
        opened.extend(
            None if one.spool is None else one.spool.open(one, continues=continues)
            for one in plan.transports
        )
    except BaseException:
        _close_spools(opened)
        raise
    return opened


def _close_spools(buffers: Iterable[SpoolBuffer | None]) -> None:
    for buffer in buffers:
        if buffer is not None:
            buffer.close(_IDLE_S)


def wait_for_first_attempts(
    workers: Sequence[Runner | SourceWorker], stopping: threading.Event, timeout_s: float
) -> None:
    """Wait until each is up or has failed once, or until a stop is requested."""
    deadline = time.monotonic() + timeout_s
    for worker in workers:
        while worker.state == "connecting" and worker.error is None:
            if stopping.is_set() or time.monotonic() > deadline:
                return
            worker.wait_first_attempt(_LOOK_S)


def has_no_receiver(runners: Sequence[Runner]) -> bool:
    """Return whether a reader has closed its pipe, or every transport has failed."""
    states = [runner.state for runner in runners]
    return "reader gone" in states or all(state == "failed" for state in states)


def flush(runners: Sequence[Runner], is_late: Callable[[], bool]) -> None:
    """Wait until each has sent what is queued or makes no progress, or until it is too late."""
    waiting = list(runners)
    while waiting and not is_late():
        waiting = [
            runner for runner in waiting if not (runner.wait(_POLL_S) or runner.is_stalled())
        ]


def settled(runner: Runner, timeout_s: float) -> bool:
    """Wait until nothing is pending; give up without progress for `timeout_s`, or on a failure."""
    pending = runner.counters().pending
    while not runner.wait_settled(timeout_s):
        before, pending = pending, runner.counters().pending
        if runner.state in ("failed", "closed", "reader gone") or pending >= before:
            return False
    return True
