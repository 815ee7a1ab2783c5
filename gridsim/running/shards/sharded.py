"""A run of several shards: the same object for its users as a run in one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, NoReturn

from loguru import logger

from gridsim.api import Instruction, rfc3339
from gridsim.contracts.results import TickResult
from gridsim.contracts.shard import Shard
from gridsim.contracts.speed import check_speed
from gridsim.contracts.status import RunState, RunStatus
from gridsim.errors import GridsimError, UsageError
from gridsim.ledger import LedgerError
from gridsim.running.board import Board
from gridsim.running.hub import Hub
from gridsim.running.plan import Plan
from gridsim.running.run import FLUSH_S
from gridsim.running.shards.follower import Follower, ShardHosts, followed
from gridsim.running.shards.grants import Grants, Sync
from gridsim.running.shards.joining import Joiner
from gridsim.running.shards.ledgers import join_ledgers
from gridsim.running.shards.messages import ShardReport, ShardSchedule, ShardSpec
from gridsim.running.shards.routing import Router
from gridsim.running.shards.sources import DrivenSources
from gridsim.running.shards.statuses import merged
from gridsim.running.shards.viewing import ShardedViewing
from gridsim.running.subscription import OnOverflow, Policy, Subscription

_LOOK_S: Final = 0.2
_SHARE_S: Final = 1.0
_BEGIN_S: Final = 0.05
"""The time from the decision to begin to the first tick, in which all shards get it."""
_FINISH_S: Final = 1.0
"""The time that shards may take to end with the same tick when the run is stopped early."""
_ANSWER_S: Final = 0.5
_LAST_S: Final = 1.0


class ShardedRun:
    """A run whose projects are simulated by several shards. The use is that of `Run`.

    It owns the sources, the views and the times; each shard has its transports, its part of the
    ledger and its checkpoints. `reload`, `save_checkpoint` by hand and `copy_simulation` need a run
    in one process, and raise GridsimError here.
    """

    def __init__(
        self,
        plan: Plan,
        hosts: ShardHosts,
        bounds: Sequence[int],
        sync: Sync = "clock",
        *,
        shares_machine: bool = True,
    ) -> None:
        """Start nothing yet. `bounds` has the index of the first project of each shard.

        `shares_machine`: all shards are on this machine.

        Raises UsageError if the options of the plan cannot be given to shards.
        """
        options = plan.options
        if options is None or options.adapt is not None:
            raise UsageError("a run with shards needs a configuration that can be read again")
        for one in plan.transports:
            if one.transport.uses_stdout:
                raise UsageError(
                    f"transport {one.name}: error: the shards of a run cannot share standard "
                    'output: use another transport, or set execution.engine to "local"'
                )
        if options.resume:
            raise UsageError(
                '--resume: error: needs one process: set execution.engine to "local", or resume '
                "each shard by --shard"
            )
        if plan.recorded is not None:
            raise UsageError('--repeat: error: needs one process: set execution.engine to "local"')
        configuration = plan.configuration
        self.plan = plan
        self.hung = False
        """True if a plugin's thread did not return at the end; only `os._exit` ends it."""
        self.error: GridsimError | None = None
        self.ledger_error: LedgerError | None = None
        self.hub = Hub()
        self._hosts = hosts
        self._board = Board(configuration.scenario.roster)
        self._joiner = Joiner(configuration.scenario, bounds)
        router = Router(configuration.scenario, bounds)
        self._grants = Grants(
            sync,
            plan.ticks,
            router.routed,
            self._joiner.answers.expect,
            tick_s=configuration.tick_ms / 1000,
            backfills_from_ms=configuration.start_ms if plan.goes_live else None,
        )
        self._speed = configuration.simulation.speed
        self._paused = False
        start = rfc3339(configuration.start_ms)
        flags = replace(options.flags, start=start, speed=self._speed)
        own = replace(options, flags=flags, shares_machine=shares_machine)
        count = len(bounds)
        self.shards = [
            Follower(
                index,
                ShardSpec(
                    replace(own, shard=Shard(index, count)),
                    name=f"shard {index}-of-{count}",
                    run="" if plan.about is None else plan.about.run,
                    is_monitored=bool(plan.views),
                ),
                hosts,
                self._grants,
                self._take,
                lambda: self._joiner.tick,
                lambda: plan.run_file.announced,
                again=plan.checkpoint is not None,
            )
            for index in range(count)
        ]
        self._sources = DrivenSources(plan, self)
        self._viewing = ShardedViewing(self, bounds)
        self._state: RunState = "new"
        self._over, self._stopping = threading.Event(), threading.Event()
        self._lock = threading.RLock()
        """Held while reports are joined and results are handed on."""
        self._steering = threading.RLock()
        self._watcher = threading.Thread(target=self._watch, name="run", daemon=True)
        self._began = self._cpu = 0.0
        self._deadline: float | None = None
        self._took: tuple[float, float] | None = None

    def __enter__(self) -> ShardedRun:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    # Lifecycle.

    def start(self) -> None:
        """Make all shards, connect their transports and the sources, and start the ticks.

        Raises GridsimError, such as UsageError, if a shard cannot be made.
        """
        if self._state != "new":
            raise RuntimeError("a run starts once; make a new ShardedRun")
        self._state = "starting"
        self._hosts.open()
        for one in self.shards:
            one.begin()
        # None connects before all have read the configuration.
        self._all(lambda host: None)
        self._share()
        plan = self.plan
        plan.run_file.open(
            plan.config,
            rfc3339(time.time_ns() // 1_000_000),
            "" if plan.ledger is None else str(plan.ledger.path.absolute()),
            tuple(str(path.absolute()) for path in plan.plugins),
        )
        announced = plan.run_file.announced
        for report, shard in zip(
            self._all(lambda host: host.start(announced)), self.shards, strict=True
        ):
            if isinstance(report, ShardReport):
                shard.note(report)
                if report.is_over:
                    self._over.set()
        if self._over.is_set() or self._stopping.is_set():
            return
        if not self._sources.start(self._stopping):
            self._over.set()
            return
        self._viewing.start(self._stopping)
        self._began, self._cpu = time.monotonic(), time.process_time()
        self._state = "running"
        self._watcher.start()
        self._follow(self._joiner.tick, first=True)
        for shard in self.shards:
            shard.run()

    def request_stop(self, flush_s: float = FLUSH_S) -> None:
        """Start no more ticks, and give transports `flush_s` seconds from now to flush.

        As `Run.request_stop`: it does not wait, and only the first call sets the limit.
        """
        if self._deadline is None:
            self._deadline = time.monotonic() + flush_s
        self._stopping.set()
        self._over.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait up to `timeout_s` seconds and return whether the run is over; None: no limit."""
        self.hub.refuse_subscribers("wait")
        if self._state == "new":
            raise RuntimeError("wait needs a run that has started")
        return self._over.wait(timeout_s)

    def stop(self) -> None:
        """Stop the ticks, send what is queued, and close everything; `status` still works."""
        self.hub.refuse_subscribers("stop")
        with self._steering:
            if self._state in ("stopping", "ended"):
                return
            self._state = "stopping"
        if self.error is not None or not self._over.is_set():
            self.request_stop()
        hurry = self._deadline is not None
        try:
            self._end(hurry)
        finally:
            self._over.set()
            self._took = self._times()
            self._state = "ended"
            self.hung = not self._viewing.close(hurry=hurry) or self.hung
            self._hosts.close()
            self.plan.run_file.close()
            self.plan.close()

    def _end(self, hurry: bool) -> None:
        """End the shards: all with the same tick, then each flushes what is queued."""
        alive = [one for one in self.shards if not one.ended.is_set()]
        started = [one for one in alive if one.report is not None]
        if not started:
            for one in alive:
                one.end()
            deadline = time.monotonic() + _LAST_S
            for one in alive:
                if not one.join(max(deadline - time.monotonic(), 0.0)):
                    self.hung = True
            return
        with self._grants.changed:
            self._grants.schedule = None
        if hurry and self._began:
            self._finish(started)
        self._viewing.refresh()
        ending = time.monotonic()
        self._sources.close()
        stops = []
        for one in started:
            left = None if self._deadline is None else max(self._deadline - time.monotonic(), 0.1)
            stops.append((one, one.call(_stopped(left, one))))
        for one, future in stops:
            report = self._await(one, future, None if not hurry else FLUSH_S + 2 * _LAST_S)
            if isinstance(report, ShardReport):
                one.note(report)
                self.hung |= report.hung
        with self._lock:
            for result in self._joiner.rest():
                self._hand_on(result)
        left = ending + (_ANSWER_S if hurry else 4 * _ANSWER_S) - time.monotonic()
        self.hung |= not self._sources.wait(max(left, _ANSWER_S))
        self.hung |= not self.hub.close(self._is_late)
        for one in alive:
            one.end()
        for one in alive:
            self.hung |= not one.join(2 * _LAST_S)
        if self.ledger_error is None:
            statuses = [one.report.status for one in self.shards if one.report is not None]
            try:
                join_ledgers(self.plan, statuses, hurry=hurry)
            except GridsimError as error:
                self.ledger_error = LedgerError(str(error))

    def _finish(self, shards: Sequence[Follower]) -> None:
        """Make all shards end with the same tick: the furthest that one of them has reached."""
        deadline = time.monotonic() + _FINISH_S
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

    # Instructions, results and status.

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction for the next tick that no shard has reached; return whether there
        was room.
        """
        if self._state in ("stopping", "ended") or self._over.is_set():
            return False
        return self._grants.post(instruction)

    def subscribe(
        self,
        consumer: Callable[[TickResult], None],
        policy: Policy = "queue",
        *,
        queue_mb: float = 64.0,
        on_full: OnOverflow = "drop_oldest",
        readings: bool = True,
    ) -> Subscription:
        """Call `consumer` with each result from now on, on its own thread; as `Run.subscribe`.

        The readings and the true values do not come to this process: it needs `readings` false,
        and the results have the facts alone. Raises ValueError otherwise.
        """
        if readings:
            raise ValueError(
                "the readings of a run with shards do not come to this process: subscribe with "
                "readings=False, which gives all other facts, or read them from a transport"
            )
        if on_full == "block" and self._speed:
            raise ValueError("on_full = 'block' needs speed 0: the run would fall behind real time")
        return self.hub.subscribe(
            consumer, policy, queue_bytes=int(queue_mb * 1e6), on_full=on_full
        )

    def holding_up(self) -> str:
        """Return the plugin that has blocked a shard's tick for two intervals, or ""."""
        for one in self.shards:
            if one.report is not None and one.report.holding_up:
                return f"{one.report.holding_up} in {one.name}"
        return ""

    def hanging(self) -> dict[str, str]:
        """Return the transports, sources and views that hang, each with the method that runs."""
        limit_s = self.plan.configuration.simulation.hang_timeout_s
        found = {**self._sources.hanging(limit_s), **self._viewing.hanging(limit_s)}
        for one in self.shards:
            if one.report is not None:
                found |= {f"{name} of {one.name}": m for name, m in one.report.hanging.items()}
        return found

    def status(self) -> RunStatus:
        """Return the run's status: the newest of each shard, merged."""
        with self._lock:
            reports = [
                one.report for one in self.shards if one.report is not None and one.lost is None
            ]
            status = merged(self.plan, reports, self._board, self._grants.waiting(self.tick))
        limit_s = self.plan.configuration.simulation.hang_timeout_s
        elapsed_s, cpu_s = self._took or self._times()
        state = self._state
        if state == "running" and self._paused:
            state = "paused"
        ticking = state in ("running", "paused") and not self._over.is_set()
        return replace(
            status,
            state=state,
            speed=self._speed,
            elapsed_s=elapsed_s,
            cpu_s=status.cpu_s + cpu_s,
            sources=self._sources.status(limit_s),
            views=self._viewing.status(limit_s),
            error="" if self.error is None else str(self.error),
            ticking=ticking and status.ticking,
        )

    @property
    def tick(self) -> int:
        """The index of the first tick that a shard has not done yet."""
        return self._joiner.tick

    # Control.

    def pause(self) -> None:
        """Pause all shards; connections stay up, and the pause is not lateness."""
        self.hub.refuse_blocking_subscribers("pause")
        with self._steering:
            self._pause()
            self._paused = True

    def resume(self) -> None:
        """Resume after `pause`: the next tick is due now."""
        with self._steering:
            self._paused = False
            self._follow(self._pause())

    def set_speed(self, speed: float) -> None:
        """Set the speed from the next tick on, which is due now. Raises ValueError as `Run`."""
        check_speed(speed)
        self.hub.refuse_blocking_subscribers("set_speed")
        if 0 < speed <= 1:
            self.plan.check_real_time()
        with self._steering:
            self._speed = speed
            if self._state == "running" and not self._paused:
                self._follow(self._pause())

    def confirm(self, timeout_s: float = 30.0) -> bool:
        """Wait until no reading is on its way, and return whether that is so."""
        self.hub.refuse_subscribers("confirm")
        return all(self._all(lambda host: host.confirm(timeout_s)))

    def reload(self, *_: Any, **__: Any) -> NoReturn:
        """Raise GridsimError: a run with shards is not reloaded."""
        raise _needs_one_process("reload")

    def advance(self, *_: Any, **__: Any) -> NoReturn:
        """Raise GridsimError: the ticks of a run with shards run by themselves."""
        raise _needs_one_process("advance")

    def save_checkpoint(self, *_: Any, **__: Any) -> NoReturn:
        """Raise GridsimError: each shard writes its checkpoints by itself."""
        raise _needs_one_process("save_checkpoint")

    def copy_simulation(self, *_: Any, **__: Any) -> NoReturn:
        """Raise GridsimError: the simulation is in other processes."""
        raise _needs_one_process("copy_simulation")

    def ask(self, shard: int, question: Any, *arguments: Any) -> Future[Any]:
        """Ask a shard's monitor."""
        return self.shards[shard].call(lambda host: host.ask(question, arguments))

    # Internal.

    def _pause(self) -> int:
        """Stop the ticks of all shards, and return the furthest next tick of them."""
        with self._grants.changed:
            self._grants.schedule = None
        return max((at for at in self._all(lambda host: host.pause()) if at is not None), default=0)

    def _follow(self, tick: int, *, first: bool = False) -> None:
        """Begin or resume, with a tick that is due now, or at the run's epoch at the beginning."""
        epoch_ms = self.plan.configuration.epoch_ms if first else None
        at_s = time.time() + _BEGIN_S if epoch_ms is None else epoch_ms / 1000
        schedule = ShardSchedule(tick, at_s, self._speed)
        self._all(followed(schedule))
        with self._grants.changed:
            self._grants.schedule = schedule
            self._grants.changed.notify_all()

    def _all(self, method: Callable[[Any], Any]) -> list[Any]:
        """Call every shard, and return the answers; None for one that is lost."""
        calls = [(one, one.call(method)) for one in self.shards if one.lost is None]
        return [self._await(one, future, None) for one, future in calls]

    def _await(self, shard: Follower, future: Future[Any], timeout_s: float | None) -> Any:
        """Return the answer; None if the shard is lost or late. Raises the error of a start."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            try:
                return future.result(_LOOK_S if end is None else max(end - time.monotonic(), 0.0))
            except TimeoutError:
                if end is not None or self._is_late():
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
            for result in self._joiner.ready(posted, every=self.hub.has_queues):
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

    def _hand_on(self, result: TickResult) -> None:
        self._board.note(result)
        self.hub.publish(result)
        self._viewing.note(result)

    def _lose(self, shard: Follower) -> None:
        """End the run without a shard that is lost."""
        with self._lock:
            self._joiner.forget(shard.index)
            if self.error is None:
                why = shard.lost or shard.error or f"{shard.name} has ended"
                self.error = GridsimError(f"{why}; its account is not known")
        self._over.set()

    def _watch(self) -> None:
        """End the run when all shards are over, or one has failed or is lost."""
        shared = time.monotonic()
        while not self._over.wait(_LOOK_S):
            for one in self.shards:
                if one.ended.is_set() and (one.lost or one.error) is not None:
                    self._lose(one)
            reports = [one.report for one in self.shards if one.report is not None]
            over = [one for one in reports if one.is_over]
            # A shard that ends before its last tick has no transport left.
            early = any(self.plan.ticks is None or one.tick < self.plan.ticks for one in over)
            if self.error is not None or early or len(over) == len(self.shards):
                break
            if time.monotonic() - shared >= _SHARE_S:
                shared = time.monotonic()
                try:
                    self._share()
                except GridsimError as error:
                    logger.warning("{}", error)
        self._over.set()

    def _share(self) -> None:
        """Start what the shards share on this machine, unless it runs."""
        for planned in self.plan.transports:
            planned.transport.share()

    def _is_late(self) -> bool:
        """Return whether the time for flushing is over."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _times(self) -> tuple[float, float]:
        if not self._began:
            return 0.0, 0.0
        return time.monotonic() - self._began, time.process_time() - self._cpu


def _stopped(flush_s: float | None, shard: Follower) -> Callable[[Any], ShardReport]:
    return lambda host: host.stop(flush_s, shard.since)


def _finished(tick: int, shard: Follower) -> Callable[[Any], ShardReport]:
    return lambda host: host.finish(tick, shard.since)


def _needs_one_process(method: str) -> GridsimError:
    return GridsimError(
        f"{method} needs a run in one process, and this one has shards: stop it, and start it "
        'again with engine = "local" in [execution]'
    )
