"""The engine: runs the ticks that are due and emits their results."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gridsim.contracts.results import TickResult
from gridsim.delivery import Turn
from gridsim.running.inbox import CommandInbox
from gridsim.running.permission import Permission
from gridsim.running.schedule import Punctuality, TickSchedule
from gridsim.simulation.step import Simulation

# How often a free run checks whether a pending change has been made.
_YIELD_S = 0.0005


class Engine:
    """The loop that steps one simulation.

    `run_due`, `run_free` and `run` may be called from any thread; a lock lets one run at a time.

    `pause`, `resume`, `set_speed` and `stop` act between two ticks and may be called from any
    thread.
    """

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
        """Prepare to run `simulation` from its next tick and pass each result to `emit`.

        `speed` is in simulated seconds per second; 0 is as fast as possible.

        `ticks` is the index at which the run ends; None: no end. The first tick is the
        simulation's next, so a restored simulation continues where it stopped.
        Instructions queued in `inbox` before a tick starts take effect in that tick.
        """
        self.simulation = simulation
        self.schedule = TickSchedule(tick_s, speed, monotonic)
        self.turn = Turn(len(simulation.roster))
        """The turn in which this engine steps, and transports encode."""
        self.readings = 0
        """The number of readings that left the simulation."""
        self.finished = threading.Event()
        """Set after the last tick, after `stop`, or when `error` is set."""
        self.error: BaseException | None = None
        self.first_tick = simulation.next_tick
        self._emit = emit
        self._ticks = ticks
        self._inbox = inbox
        self._monotonic = monotonic
        self._stopping = False
        self._paused = False
        self._running = threading.Lock()
        self._callers = 0
        """The number of threads that wait to make a change between two ticks."""
        self._step_began: float | None = None
        self._busy: Simulation | None = None
        """The simulation that is about to replace the present one."""
        self._moved: float | None = None
        """The time of the last tick, or of the pause or speed that was set after it."""
        self.permission = Permission()

    @property
    def tick(self) -> int:
        """The index of the next tick."""
        return self.simulation.next_tick

    @property
    def waiting(self) -> int:
        """The number of instructions that wait for the next tick."""
        return 0 if self._inbox is None else len(self._inbox)

    @property
    def speed(self) -> float:
        return self.schedule.speed

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    @property
    def is_paused(self) -> bool:
        return self._paused

    @property
    def pace(self) -> Punctuality:
        """The punctuality of the ticks."""
        return self.schedule.pace

    @property
    def interval_s(self) -> float:
        """Real seconds from tick to tick; 0 at speed 0."""
        return self.schedule.interval_s

    @property
    def wake_s(self) -> float:
        """Real seconds from wake-up to wake-up."""
        return self.schedule.wake_s

    def catch_up(self, behind_s: float | None, present: int) -> None:
        """Begin with a tick that was due `behind_s` seconds ago; None: it is due now.

        The ticks before `present` are caught up, and not counted as late. Call it before the first
        tick.
        """
        self.schedule.catch_up(self.tick, behind_s, present)

    def due_in_s(self) -> float | None:
        """Return in how many seconds the next tick is due; None without a schedule."""
        return self.schedule.due_in_s(self.tick)

    def follow(self, tick: int, at_s: float, speed: float) -> None:
        """Run at a speed from now on, so that `tick` is due at the monotonic time `at_s`.

        It is the schedule of all shards of a run. Ends a pause. Ticks that are due already are
        caught up, and not counted as late. A backfill goes on, unless the speed changes.
        """
        with self._between_ticks():
            self._paused, self._moved = False, self._monotonic()
            self.schedule.follow(tick, at_s, speed, self.tick)

    def stop(self) -> None:
        """Start no more ticks; the tick that is running ends."""
        self._stopping = True
        self.permission.wake()

    def pause(self) -> None:
        """Pause until `resume`: return when no tick is running."""
        with self._between_ticks():
            self._paused = True
            self.schedule.restart()

    def resume(self) -> None:
        """Resume with the next tick due now, so that the pause does not count as lateness."""
        with self._between_ticks():
            self._paused = False
            self.schedule.restart()
            self._moved = self._monotonic()

    def set_speed(self, speed: float) -> None:
        """Change the speed from the next tick on, which is due now. It ends the backfill."""
        with self._between_ticks():
            self.schedule.end_backfill(self.tick)
            self.schedule.speed = speed
            self.schedule.restart()
            self._moved = self._monotonic()

    def swap(
        self, replace: Callable[[Simulation], tuple[Simulation, TickResult]], busy: Simulation
    ) -> bool:
        """Replace the simulation between two ticks, and emit the result of `replace`.

        `busy` is the new simulation, whose plugins may be called meanwhile. Returns False if no
        tick is to come. An exception of `replace` is raised, and the run goes on.
        """
        with self._between_ticks():
            if self._ended():
                return False
            older = self.simulation
            self._busy, self._step_began = busy, self._monotonic()
            try:
                self.simulation, result = replace(older)
            finally:
                self._step_began = self._busy = None
            try:
                self._emit(result)
            except BaseException as error:
                self.error = error
            return True

    def wait_idle(self, timeout_s: float) -> bool:
        """Return whether the tick that is running, if any, ended in time."""
        idle = self._running.acquire(timeout=timeout_s)
        if idle:
            self._running.release()
        return idle

    def until_next_wake(self) -> float:
        """Return the real seconds until the clock should call `run_due` again."""
        return self.schedule.until_next_wake()

    def behind_s(self) -> float:
        """Return how long ago the next tick was due, in real seconds; 0 if it is not due yet."""
        due_in_s = self.due_in_s()
        return 0.0 if due_in_s is None or self._ended() else max(-due_in_s, 0.0)

    def is_ticking(self, within_s: float) -> bool:
        """Return whether a tick ended in the last `within_s` seconds, or none was meant to."""
        due_in_s = self.due_in_s()
        if self._paused or (self._moved is None and due_in_s is not None and due_in_s > 0):
            return True
        return self._moved is not None and self._monotonic() - self._moved < within_s

    def stuck_in(self, longer_than_s: float) -> str:
        """Return the plugin that has blocked the current tick for this long, or an empty string."""
        began = self._step_began
        if began is None or self._monotonic() - began < longer_than_s:
            return ""
        return (self._busy or self.simulation).busy_with or "the simulation"

    def run_due(self) -> None:
        """Run every tick that is due by the monotonic clock; none is skipped or repeated."""
        if self.finished.is_set():
            return
        with self._running:
            while not (self._ended() or self._paused or self._callers) and self.speed:
                if not self.schedule.is_due(self.tick):
                    return
                if not self._is_allowed():
                    continue
                self.schedule.note(self.tick)
                self._tick()
            ended = self._ended()
        if ended:
            self.finished.set()

    def run_free(self) -> None:
        """Run ticks one after the other, until the end, a pause or a speed above 0."""
        while True:
            while self._callers:
                time.sleep(_YIELD_S)
            with self._running:
                if self._ended() or self._paused or self.speed:
                    ended = self._ended()
                    break
                if self._is_allowed():
                    self._tick()
        if ended:
            self.finished.set()

    def run(self, ticks: int) -> int:
        """Run up to `ticks` ticks now, at any speed; return how many ran.

        An exception in a tick is not raised: it is in `error`.
        """
        done = 0
        with self._running:
            while done < ticks and not self._ended():
                self._tick()
                done += self.error is None
            ended = self._ended()
        if ended:
            self.finished.set()
        return done

    def finish(self) -> None:
        """Emit what is still open at the end. Call it once, when no tick runs any more."""
        try:
            self._emit(self.simulation.finish())
        except Exception as error:
            self.error = self.error or error

    @contextmanager
    def _between_ticks(self) -> Iterator[None]:
        """Hold the lock that a tick needs; the loops release it between ticks for a caller."""
        self._callers += 1
        self.permission.wake()
        try:
            with self._running:
                yield
        finally:
            self._callers -= 1

    def _is_allowed(self) -> bool:
        """Wait a while for the permission to run the next tick; return whether it may run."""
        return self.permission.wait(self.tick, lambda: self._callers or self._stopping)

    def _ended(self) -> bool:
        done = self._ticks is not None and self.tick >= self._ticks
        return done or self._stopping or self.error is not None

    def _tick(self) -> None:
        try:
            self._step_began = self._monotonic()
            with self.turn.taken():
                began = self._monotonic()
                given = () if self._inbox is None else self._inbox.drain()
                result = self.simulation.advance(given)
            self.schedule.pace.stepping_s += self._monotonic() - began
            self._step_began = None
            self.readings += len(result.batch)
            self._emit(result)
            self._moved = self._monotonic()
        except BaseException as error:
            # The scheduler's thread would swallow the error: store it, and the run ends.
            self._step_began = None
            self.error = error
