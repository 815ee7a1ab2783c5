"""A run of several shards: the same object for its users as a run in one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final, NoReturn

from loguru import logger

from gridsim.api import Instruction, rfc3339
from gridsim.contracts.results import TickResult
from gridsim.contracts.speed import check_speed
from gridsim.contracts.status import RunState, RunStatus
from gridsim.errors import GridsimError, UsageError
from gridsim.ledger import LedgerError
from gridsim.running.board import Board
from gridsim.running.hub import Hub
from gridsim.running.managed import ManagedRun
from gridsim.running.plan import Plan
from gridsim.running.run import FLUSH_S
from gridsim.running.shards.follower import Follower, ShardHosts
from gridsim.running.shards.grants import Sync
from gridsim.running.shards.group import ShardGroup
from gridsim.running.shards.sources import DrivenSources
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


class ShardedRun(ManagedRun):
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
        check_one_process(plan, len(bounds))
        self.plan = plan
        self.hung = False
        """True if a plugin's thread did not return at the end; only `os._exit` ends it."""
        self.hub = Hub()
        self._hosts = hosts
        self._board = Board(plan.configuration.scenario.roster)
        self._speed = plan.configuration.simulation.speed
        self._paused = False
        self._group = ShardGroup(
            plan,
            hosts,
            bounds,
            sync,
            self._hand_on,
            lambda: self.hub.has_queues,
            shares_machine=shares_machine,
        )
        self._sources = DrivenSources(plan, self)
        self._viewing = ShardedViewing(self, bounds)
        self._state: RunState = "new"
        self._over, self._stopping = threading.Event(), threading.Event()
        self._steering = threading.RLock()
        self._watcher = threading.Thread(target=self._watch, name="run", daemon=True)
        self._began = self._cpu = 0.0
        self._took: tuple[float, float] | None = None

    @property
    def error(self) -> GridsimError | None:
        """The error that ended the run early, or None."""
        return self._group.error

    @property
    def ledger_error(self) -> LedgerError | None:
        """The error of the ledger or of one of its parts, or None."""
        return self._group.ledger_error

    @property
    def shards(self) -> Sequence[Follower]:
        """The shards, in the order of their projects."""
        return self._group.shards

    # Lifecycle.

    def start(self) -> None:
        """Make all shards, connect their transports and the sources, and start the ticks.

        Raises GridsimError, such as UsageError, if a shard cannot be made.
        """
        if self._state != "new":
            raise RuntimeError("a run starts once; make a new ShardedRun")
        self._state = "starting"
        self._hosts.open()
        self._group.begin()
        self._share()
        plan = self.plan
        plan.run_file.open(
            plan.config,
            rfc3339(time.time_ns() // 1_000_000),
            "" if plan.ledger is None else str(plan.ledger.path.absolute()),
            tuple(str(path.absolute()) for path in plan.plugins),
        )
        announced = plan.run_file.announced
        if not self._group.connect(announced) or self._stopping.is_set():
            self._over.set()
            return
        if not self._sources.start(self._stopping):
            self._over.set()
            return
        self._viewing.start(self._stopping)
        self._began, self._cpu = time.monotonic(), time.process_time()
        self._state = "running"
        self._watcher.start()
        epoch_ms = plan.configuration.epoch_ms
        self._group.follow(self.tick, self._speed, None if epoch_ms is None else epoch_ms / 1000)
        self._group.run()

    def request_stop(self, flush_s: float = FLUSH_S) -> None:
        """Start no more ticks, and give transports `flush_s` seconds from now to flush.

        As `Run.request_stop`: it does not wait, and only the first call sets the limit.
        """
        self._group.hurry(flush_s)
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
        hurry = self._group.is_hurried
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
        """End the shards, which send what is queued, and close the sources."""
        group = self._group
        if hurry and self._began:
            group.finish()
        self._viewing.refresh()
        ending = time.monotonic()
        self._sources.close()
        self.hung |= not group.stop()
        left = ending + (_ANSWER_S if hurry else 4 * _ANSWER_S) - time.monotonic()
        self.hung |= not self._sources.wait(max(left, _ANSWER_S))
        self.hung |= not self.hub.close(group.is_late)
        self.hung |= not group.close()

    # Instructions, results and status.

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction for the next tick that no shard has reached; return whether there
        was room.
        """
        if self._state in ("stopping", "ended") or self._over.is_set():
            return False
        return self._group.post(instruction)

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
        status = self._group.status(self._board)
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
        return self._group.tick

    # Control.

    def pause(self) -> None:
        """Pause all shards; connections stay up, and the pause is not lateness."""
        self.hub.refuse_blocking_subscribers("pause")
        with self._steering:
            self._group.pause()
            self._paused = True

    def resume(self) -> None:
        """Resume after `pause`: the next tick is due now."""
        with self._steering:
            self._paused = False
            self._group.follow(self._group.pause(), self._speed)

    def set_speed(self, speed: float) -> None:
        """Set the speed from the next tick on, which is due now. Raises ValueError as `Run`."""
        check_speed(speed)
        self.hub.refuse_blocking_subscribers("set_speed")
        if 0 < speed <= 1:
            self.plan.check_real_time()
        with self._steering:
            self._speed = speed
            if self._state == "running" and not self._paused:
                self._group.follow(self._group.pause(), speed)

    def confirm(self, timeout_s: float = 30.0) -> bool:
        """Wait until no reading is on its way, and return whether that is so."""
        self.hub.refuse_subscribers("confirm")
        return all(self._group.all(lambda host: host.confirm(timeout_s)))

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

    def _hand_on(self, result: TickResult) -> None:
        self._board.note(result)
        self.hub.publish(result)
        self._viewing.note(result)

    def _watch(self) -> None:
        """End the run when all shards are over, or one has failed or is lost."""
        shared = time.monotonic()
        while not self._over.wait(_LOOK_S):
            if self._group.is_over():
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

    def _times(self) -> tuple[float, float]:
        if not self._began:
            return 0.0, 0.0
        return time.monotonic() - self._began, time.process_time() - self._cpu


def _needs_one_process(method: str) -> GridsimError:
    return GridsimError(
        f"{method} needs a run in one process, and this one has shards: stop it, and start it "
        'again with engine = "local" in [execution]'
    )


def check_one_process(plan: Plan, shards: int) -> None:
    """Raise UsageError if a plan needs one process. `shards` is the number of its shards."""
    if plan.recorded is not None:
        raise UsageError('--repeat: error: needs one process: set execution.engine to "local"')
    options = plan.options
    if options is None or options.adapt is not None:
        raise UsageError("a run with shards needs a configuration that can be read again")
    for one in plan.transports:
        if one.transport.uses_stdout:
            raise UsageError(
                f"transport {one.name}: error: the shards of a run cannot share standard output: "
                'use another transport, or set execution.engine to "local"'
            )
    if options.resume:
        raise UsageError(
            "--resume: error: the driver of shards does not resume a run: resume each shard by "
            f"itself, all at the same time, with --resume --shard 0/{shards} to --resume --shard "
            f"{shards - 1}/{shards}, and join their ledgers with `gridsim merge`"
        )
