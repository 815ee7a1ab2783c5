"""A run: the object that the command line, a notebook or a test starts and controls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Final, Literal

from gridsim.api import Instruction
from gridsim.contracts.results import Reloaded, TickResult
from gridsim.contracts.speed import check_speed
from gridsim.contracts.status import RunState, RunStatus
from gridsim.delivery import Runner
from gridsim.errors import GridsimError, UsageError
from gridsim.ledger import LedgerError
from gridsim.running.backfill import Backfill, Settling
from gridsim.running.board import Board
from gridsim.running.driver import Driver
from gridsim.running.engine import Engine
from gridsim.running.life import Life
from gridsim.running.managed import ManagedRun
from gridsim.running.observe import observe
from gridsim.running.plan import Plan
from gridsim.running.rate_check import Expectation, check_rate
from gridsim.running.reloader import Reloader
from gridsim.running.subscription import OnOverflow, Policy, Subscription
from gridsim.running.viewing import Viewing
from gridsim.running.views import ShownView
from gridsim.running.watcher import Watcher
from gridsim.running.workers import Workers
from gridsim.simulation.step import Simulation
from gridsim.sources import SourceWorker

ClockKind = Literal["real", "manual"]

FLUSH_S: Final = 4.7
"""The default time that `stop` gives transports to send what is queued, seconds."""


class Run(ManagedRun):
    """One run of a plan. It owns all its threads, prints nothing and handles no signal.

        with Run(plan) as run:
            run.post(instruction)
            run.wait()

    Instructions go in with `post`; results come out with `subscribe` and `status`. All methods may
    be called from any thread, but a subscriber must not call `wait`, `stop` or `advance`. With
    the clock `manual` ticks run only in `advance`.
    """

    is_driven: ClassVar[bool] = False
    """True for a shard, whose ticks and instructions come from the driver of all shards."""
    is_monitored: bool = False
    """True if views elsewhere show the run."""

    def __init__(self, plan: Plan, *, clock: ClockKind = "real") -> None:
        """Make the simulation; connect to nothing yet. Raises PluginError, StateError if the
        checkpoint of a resumed run does not fit, and UsageError for an engine that is not local."""
        configuration = plan.configuration
        engine, options = configuration.execution.engine, plan.options
        if engine != "local" and (options is None or options.shard is None):
            raise UsageError(f"[execution] engine: error: {engine!r} is not available here")
        self.plan = plan
        self.expected: Expectation | None = None
        """The expected time of a tick, measured before the first one; None: it is not known."""
        self.hung = False
        """True if a plugin's thread did not return at the end; only `os._exit` ends it."""
        self._manual = clock == "manual"
        make = plan.simulation or (lambda: Simulation(configuration.scenario))
        simulation = make()
        self._board = Board(configuration.scenario.roster)
        self._life = Life(plan, simulation, self._board, driven=self.is_driven)
        self._inbox = self._life.inbox
        self._engine = Engine(
            simulation,
            self._publish,
            tick_s=configuration.tick_ms / 1000,
            speed=configuration.simulation.speed,
            ticks=plan.ticks,
            inbox=self._inbox,
        )
        self._backfill = self._engine.schedule.backfill = Backfill.of(plan, manual=self._manual)
        if self._backfill is not None:
            self._backfill.sent, self._backfill.ended = self._is_sent, self._go_live
        self._settling: Settling | None = None
        """The settling of the backfill, once it has come to the present."""
        self._take_turns()
        self._driver = Driver(self._engine)
        self._state: RunState = "new"
        self._workers = Workers(self._inbox)
        self._viewing = Viewing(self, lambda: self._engine.tick, monitored=self.is_monitored)
        self._stopping = threading.Event()
        self._over = threading.Event()
        """Set when no more ticks will run, for any reason."""
        self._watcher = Watcher(
            self._engine,
            None if self._manual else self._driver,
            self._workers,
            configuration.simulation.hang_timeout_s,
            self._over,
        )
        self._steering = threading.RLock()
        self._reloader = Reloader(
            self._engine,
            self._board,
            self._workers,
            self._viewing,
            self._stopping,
            self._over,
            self._promised_wake_s,
        )
        self._began = self._cpu = 0.0
        self._deadline: float | None = None
        """The monotonic time at which flushing ends; None: it ends when progress stops."""
        self._took: tuple[float, float] | None = None
        """The real and processor time of the run once it is over, seconds."""

    @property
    def error(self) -> BaseException | None:
        """The exception that ended the run early, or None."""
        return self._watcher.error or self._engine.error

    @property
    def ledger_error(self) -> LedgerError | None:
        """The error of the ledger when it was closed, or None."""
        return self._workers.ledger_error

    # Lifecycle.

    def start(self) -> None:
        """Open the ledger, connect transports and sources, and start the ticks.

        Returns when each has connected or failed once. A transport that never connects does
        not raise: `status` has its error. If its `startup` is "fail", no tick runs. Raises
        UsageError or LedgerError if the ledger cannot be created, and NotHeldError if the run would
        not hold its rate and must not begin then.
        """
        if self._state != "new":
            raise RuntimeError("a run starts once; make a new Run")
        self._state = "starting"
        self.expected = None if self._manual else check_rate(self.plan, self._engine.speed)
        self._life.open(self._engine, self._workers, manual=self._manual)
        self._workers.open(
            self.plan,
            self._next,
            self._promised_wake_s(),
            block=self._manual or self._backfill is not None,
            trace=self._viewing.trace,
            recovery=self._life.recovery,
            frontiers=self._life.frontiers,
        )
        self._life.start()
        if not self._workers.connect(self._stopping):
            self._over.set()
            return
        self._viewing.start(self._stopping)
        self._began, self._cpu = time.monotonic(), time.process_time()
        self._state = "running"
        self._watcher.start()
        if not (self._manual or self.is_driven):
            self._life.begin(self._engine)
            self._driver.go()

    def request_stop(self, flush_s: float = FLUSH_S) -> None:
        """Start no more ticks, and give transports `flush_s` seconds from now to flush.

        `wait` returns at once, and a `stop` that is running gets the same time limit. Does not
        wait, so a signal handler may call it. Only the first call sets the limit.
        """
        if self._deadline is None:
            self._deadline = time.monotonic() + flush_s
        self._stopping.set()
        self._engine.stop()
        self._over.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait up to `timeout_s` seconds and return whether the run is over; None: no limit.

        It is over after its last tick, when a plugin failed or hangs, when every transport has
        failed, or when it was stopped. Raises RuntimeError in a subscriber, and before `start`.
        """
        self._workers.hub.refuse_subscribers("wait")
        if self._state == "new":
            raise RuntimeError("wait needs a run that has started")
        return self._over.wait(timeout_s)

    def stop(self) -> None:
        """Stop the ticks, send what is queued, and close everything; `status` still works.

        A run that ended by itself flushes as long as its transports make progress. A run that is
        stopped early, or that failed, flushes for at most 4.7 s. Raises RuntimeError in a
        subscriber. A second call does nothing.
        """
        self._workers.hub.refuse_subscribers("stop")
        with self._steering:
            if self._state in ("stopping", "ended"):
                return
            self._state = "stopping"
        if self.error is not None or not self._over.is_set():
            self.request_stop()
        self._engine.stop()
        self._driver.stop()
        try:
            if self._workers.runners:
                hurry = self._deadline is not None
                again = self._life.is_again()
                self.hung = not self._workers.close(
                    self._engine, self._is_late, hurry=hurry, again=again
                )
        finally:
            self._over.set()
            self._took = self._times()
            self._state = "ended"
            self.hung = not self._viewing.close(hurry=self._deadline is not None) or self.hung
            self._life.close(failed=self.error is not None or self.ledger_error is not None)
            self.plan.run_file.close()
            self.plan.close()
            self._watcher.join()

    # Instructions, results and status.

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction for the next tick; return whether there was room.

        The result of the tick in which it takes effect has the acknowledgement. A run that is
        over has no next tick and returns False.
        """
        return self._state not in ("stopping", "ended") and self._inbox.post(instruction)

    def wait_for_instructions(self, count: int, timeout_s: float) -> bool:
        """Wait until `count` instructions wait for the next tick; return whether they do."""
        self._workers.hub.refuse_subscribers("wait_for_instructions")
        return self._inbox.wait(count, timeout_s)

    def subscribe(
        self,
        consumer: Callable[[TickResult], None],
        policy: Policy = "queue",
        *,
        queue_mb: float = 64.0,
        on_full: OnOverflow = "drop_oldest",
        readings: bool = True,
    ) -> Subscription:
        """Call `consumer` with each result from now on, on its own thread.

        With `readings` false the consumer uses the other facts alone: such a subscription is also
        possible in a run with shards, whose readings do not come to this process.

        With `queue` results wait in a queue of up to `queue_mb`, and `on_full` is the rule for
        a full queue. `block` makes the run wait, so it needs speed 0 or the manual clock. With
        `latest` the consumer gets the newest result each time it is ready, with the facts of
        the ticks in between. Subscribe before `start` to get all results.
        """
        if on_full == "block" and self._engine.speed and not self._manual:
            raise ValueError("on_full = 'block' needs speed 0: the run would fall behind real time")
        return self._workers.hub.subscribe(
            consumer, policy, queue_bytes=int(queue_mb * 1e6), on_full=on_full
        )

    def holding_up(self) -> str:
        """Return the plugin that has blocked the current tick for two intervals, or ""."""
        return self._engine.stuck_in(2 * max(self._engine.interval_s, 1.0))

    def hanging(self) -> dict[str, str]:
        """Return the transports, sources and views that hang, each with the method that runs.

        They do not hold up the run: their readings and commands wait, and so do other views.
        """
        limit_s = self.plan.configuration.simulation.hang_timeout_s
        workers: list[Runner | SourceWorker | ShownView] = [
            *self._workers.runners,
            *self._workers.sources.workers,
            *self._viewing.shown,
        ]
        methods = {f"{one.kind} {one.name}": one.hanging_in(limit_s) for one in workers}
        return {name: method for name, method in methods.items() if method}

    def status(self) -> RunStatus:
        """Return the run's status. May be called from any thread at any time."""
        limit_s = self.plan.configuration.simulation.hang_timeout_s
        workers = self._workers
        sources = workers.sources.workers
        runners = [*workers.runners, *workers.retired]
        status = observe(self._engine, runners, sources, self._board, limit_s)
        elapsed_s, cpu_s = self._took or self._times()
        error = self.error
        settings = self.plan.configuration.simulation
        state = self._state
        if state == "running" and self._engine.is_paused:
            state = "paused"
        return replace(
            self._life.status(status),
            state=state,
            ticks=self.plan.ticks,
            seed=settings.seed,
            backfill=None if self._backfill is None else self._backfill.status(status.tick),
            elapsed_s=elapsed_s,
            cpu_s=cpu_s,
            ledger=workers.ledger_status(),
            error="" if error is None else str(error) or type(error).__name__,
            timezone=self.plan.configuration.timezone,
            views=self._viewing.status(limit_s),
            ticking=state in ("running", "paused")
            and not self._over.is_set()
            and (status.ticking or self._manual),
        )

    # Control.

    def advance(self, ticks: int = 1) -> int:
        """Run `ticks` ticks now and return how many ran; fewer at the run's end.

        Needs the manual clock. Raises the error of a plugin or of the ledger.
        """
        if not self._manual:
            raise RuntimeError("advance needs the manual clock: Run(plan, clock='manual')")
        if ticks < 0:
            raise ValueError(f"ticks must be at least 0, not {ticks}")
        self._workers.hub.refuse_subscribers("advance")
        if self._state != "running":
            raise RuntimeError(f"advance needs a running run, but this run is {self._state}")
        done = self._engine.run(ticks)
        if self._engine.error is not None:
            raise self._engine.error
        return done

    def confirm(self, timeout_s: float = 30.0) -> bool:
        """Wait until no reading is on its way, and return whether that is so.

        Each reading is then confirmed by the far end, or counted as dropped or unconfirmed. Gives
        up on a transport that has failed, or that settles nothing for `timeout_s`. With the manual
        clock the ledger is then up to date, too. Raises LedgerError if it cannot be written.
        """
        self._workers.hub.refuse_subscribers("confirm")
        return self._workers.confirm(timeout_s)

    def save_checkpoint(self, timeout_s: float = 30.0) -> bool:
        """Write a checkpoint now, between two ticks, and return whether it is on the disk.

        False without `[checkpoint]`. Needs the manual clock, or a pause.
        """
        if not (self._manual or self._engine.is_paused):
            raise RuntimeError("save_checkpoint needs the manual clock, or a run that is paused")
        return self._life.checkpoint(timeout_s)

    def copy_simulation(self) -> Simulation:
        """Return a separate simulation that continues from the present tick. Needs the manual
        clock.

        Raises StateError if a plugin has a state that cannot be copied.
        """
        if not self._manual:
            raise RuntimeError("copy_simulation needs the manual clock: Run(plan, clock='manual')")
        simulation = Simulation(self.plan.configuration.scenario)
        if self._engine.tick:
            simulation.restore(self._engine.simulation.state())
        return simulation

    def pause(self) -> None:
        """Pause after the current tick; connections stay up, and the pause is not lateness."""
        self._workers.hub.refuse_blocking_subscribers("pause")
        with self._steering:
            self._engine.pause()
            self._life.mark()
            self._driver.settle()

    def resume(self) -> None:
        """Resume after `pause`: the next tick is due now."""
        with self._steering:
            self._engine.resume()
            if self._state == "running" and not self._manual:
                self._driver.go()

    def set_speed(self, speed: float) -> None:
        """Set the speed from the next tick on, which is due now.

        0 is as fast as possible. The default rule for full queues changes with it: `drop_oldest` in
        real time (speed 1 or less), otherwise `block`. Raises ValueError for a speed outside the
        bounds of the configuration, or in real time if a transport's `on_full` is "block". A
        backfill ends: the run continues at its next tick.
        """
        check_speed(speed)
        self._workers.hub.refuse_blocking_subscribers("set_speed")
        with self._steering:
            if 0 < speed <= 1 and not self._manual:
                self.plan.check_real_time()
            self._engine.set_speed(speed)
            self._set_paces()
            if self._state == "running" and not (self._manual or self._engine.is_paused):
                self._driver.go()

    def reload(
        self, plan: Plan | None = None, *, on_swapped: Callable[[], object] | None = None
    ) -> Reloaded:
        """Continue with a changed configuration from the next tick on; return what has changed.

        Without a plan, the run's own configuration is read again. Devices that stay keep their
        state, and transports that stay their connections. Ticks go on meanwhile. Raises
        GridsimError, such as UsageError with all errors of the configuration, or PluginError; the
        run then goes on unchanged. Raises RuntimeError in a subscriber.

        `on_swapped` is called when the run has its new configuration. Transports and sources that
        end are closed, and new ones and views are started, after that.
        """
        self._workers.hub.refuse_subscribers("reload")
        if self._state != "running":
            raise GridsimError(f"a run that is {self._state} cannot be reloaded")
        return self._reloader.reload(self, plan, on_swapped)

    # Internal.

    def continue_with(self, plan: Plan, simulation: Simulation) -> None:
        """Take over the plan of a reload. Called by the reloader, between two ticks."""
        self.plan = plan
        self._take_turns()
        self._life.reloaded(plan, simulation)

    def _take_turns(self) -> None:
        """Make the transports encode in turn with the models."""
        for transport in self.plan.transports:
            transport.format.turn = self._engine.turn

    def _publish(self, result: TickResult) -> None:
        self._board.note(result)
        for injected in result.injected:
            self.plan.alterations.add_injected(injected)
        self._life.before_publish(result)
        self._workers.hub.publish(result)
        self._viewing.note(result)
        self._life.after_publish(result)

    def _is_sent(self) -> bool:
        """Return whether the transports have settled the readings of the backfill."""
        if self._settling is None:
            self._settling = Settling(lambda: self._workers.runners)
        return self._settling.is_done()

    def _go_live(self) -> None:
        """Continue in real time after the backfill. Called in the engine's thread."""
        self._set_paces(timed_from=self._engine.simulation.left)
        self._life.mark()

    def _set_paces(self, timed_from: int | None = None) -> None:
        """Give the transports the rules of the engine's present speed, or of the backfill."""
        is_past = self._engine.schedule.backfill is not None
        self._workers.block = self._manual or is_past
        speed, wake_s = 0.0 if is_past else self._engine.speed, self._promised_wake_s()
        for transport, runner in zip(self.plan.transports, self._workers.runners, strict=False):
            on_full = transport.on_full_at(speed, self._manual)
            runner.set_pace(on_full, wake_s, timed_from=timed_from)

    def _promised_wake_s(self) -> float:
        """Return the real time between wake-ups that delivery must keep; 0: no rate."""
        return 0.0 if self._manual else self._engine.schedule.promised_wake_s

    def _next(self) -> tuple[int, int]:
        """Return the next tick and its simulated time, UTC ms. May be called from any thread."""
        index = self._engine.tick
        configuration = self.plan.configuration
        return index, configuration.start_ms + index * configuration.tick_ms

    def _is_late(self) -> bool:
        """Return whether the time for flushing is over."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _times(self) -> tuple[float, float]:
        if not self._began:
            return 0.0, 0.0
        return time.monotonic() - self._began, time.process_time() - self._cpu
