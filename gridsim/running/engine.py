"""The engine: runs the ticks that are due and hands their batches to delivery."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gridsim.contracts.results import TickResult
from gridsim.running.inbox import CommandInbox
from gridsim.simulation.step import Simulation

# A wake-up this much early still runs its tick: waiting for the next would cost a whole one.
_EARLY_S = 0.002
# The clock wakes the engine no more often than this, however fast simulated time passes.
SHORTEST_WAKE_S = 0.05


@dataclass(slots=True)
class Pace:
    """How the ticks kept their time. Lateness is real seconds behind the schedule."""

    ticks: int = 0
    readings: int = 0
    late_ticks: int = 0
    """Ticks that started after the wake-up that should have run them."""
    worst_s: float = 0.0
    stepping_s: float = 0.0
    """Real time spent in the models."""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))
    """The latenesses of the last ticks."""


class Engine:
    """Steps one simulation. `run_due` and `run_free` are called from one thread at a time."""

    def __init__(
        self,
        simulation: Simulation,
        emit: Callable[[TickResult], None],
        *,
        tick_s: float,
        speed: float,
        ticks: int | None = None,
        inbox: CommandInbox | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`speed` is simulated seconds per second, 0: as fast as it can; `ticks` None: endless.

        What is in the `inbox` at a tick's start is heeded in it.
        """
        self.simulation = simulation
        self.pace = Pace()
        self.finished = threading.Event()
        """Set after the last tick, after `stop`, or when `error` is there."""
        self.error: BaseException | None = None
        self.interval_s = tick_s / speed if speed else 0.0
        """Real seconds from tick to tick."""
        self.wake_s = max(self.interval_s, SHORTEST_WAKE_S)
        """Real seconds from wake-up to wake-up."""
        self._emit = emit
        self._ticks = ticks
        self._inbox = inbox
        self._monotonic = monotonic
        self._stopping = False
        self._running = threading.Lock()
        self._started: float | None = None
        self._step_began: float | None = None
        roster = simulation.roster
        self._types, self._type = np.unique(np.array(roster.type), return_inverse=True)
        self._output = np.zeros(len(roster))

    def stop(self) -> None:
        """The tick that is running ends, then no other begins. From any thread."""
        self._stopping = True

    def wait_idle(self, timeout_s: float) -> bool:
        """Whether the tick that is running, if any, ended in time."""
        idle = self._running.acquire(timeout=timeout_s)
        if idle:
            self._running.release()
        return idle

    def until_next_wake(self) -> float:
        """Real seconds until the clock should call `run_due` again."""
        if self._started is None:
            return self.wake_s
        return self.wake_s - (self._monotonic() - self._started) % self.wake_s

    def behind_s(self) -> float:
        """How long ago the next tick was due, real seconds; 0 before it is."""
        if self._started is None or self._ended():
            return 0.0
        due = self._started + self.pace.ticks * self.interval_s
        return max(self._monotonic() - due, 0.0)

    def stuck_in(self, longer_than_s: float) -> str:
        """The plugin that has been holding up the present tick for so long, or nothing."""
        began = self._step_began
        if began is None or self._monotonic() - began < longer_than_s:
            return ""
        return self.simulation.busy_with or "the simulation"

    def run_due(self) -> None:
        """Runs every tick that is due by the monotonic clock: none is skipped or doubled."""
        if self.finished.is_set():
            return
        if self._started is None:
            self._started = self._monotonic()
        with self._running:
            while not self._ended():
                lateness = self._monotonic() - self._started - self.pace.ticks * self.interval_s
                if lateness < -_EARLY_S:
                    return
                self._note(max(lateness, 0.0))
                self._tick()
        self.finished.set()

    def run_free(self) -> None:
        """Runs all ticks, one after the other."""
        with self._running:
            while not self._ended():
                self._tick()
        self.finished.set()

    def finish(self) -> None:
        """Emits what is still open at the end; called once, when no tick runs any more."""
        try:
            self._emit(self.simulation.finish())
        except Exception as error:
            self.error = self.error or error

    def output_by_type(self) -> dict[str, float]:
        """The sum of the last reported `current_output` for each reported type, kW."""
        sums = np.bincount(self._type, self._output, len(self._types))
        return dict(zip(self._types.tolist(), sums.tolist(), strict=True))

    def _ended(self) -> bool:
        done = self._ticks is not None and self.pace.ticks >= self._ticks
        return done or self._stopping or self.error is not None

    def _note(self, lateness: float) -> None:
        self.pace.recent.append(lateness)
        self.pace.worst_s = max(self.pace.worst_s, lateness)
        self.pace.late_ticks += lateness > self.wake_s

    def _tick(self) -> None:
        try:
            self._step_began = self._monotonic()
            outcome = self.simulation.advance(self._inbox.drain() if self._inbox else ())
            self.pace.stepping_s += self._monotonic() - self._step_began
            self._step_began = None
            batch = outcome.batch
            self.pace.ticks += 1
            self.pace.readings += len(batch)
            self._output[batch.device] = batch.current_output
            self._emit(outcome)
        except BaseException as error:
            # On a scheduler's thread nobody else would see it: the run must end with it.
            self._step_began = None
            self.error = error
