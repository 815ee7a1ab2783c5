"""The messages between the driver of a run and its shards: plain data that can be pickled.

Every call may be repeated after a failure: it names ticks and numbers of instructions, and what was
done before is not done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol

from gridsim.contracts.instructions import Acknowledgement, Instruction
from gridsim.contracts.results import (
    Clipped,
    Episode,
    EventChange,
    FleetFailure,
    FuseOverload,
    InjectedFault,
    TrueReduction,
    UnmeasuredEvent,
)
from gridsim.contracts.run_context import Announcement
from gridsim.contracts.settlements import SettlementColumns
from gridsim.contracts.shard import Shard
from gridsim.contracts.status import RunStatus
from gridsim.errors import GridsimError
from gridsim.helpers.timestamps import rfc3339
from gridsim.running.plan import Options, Plan

Question = Literal["snapshot", "history", "project_history", "watch"]
"""The questions of views to a shard; the names are those of the methods of its monitor."""


@dataclass(frozen=True, slots=True)
class ShardSpec:
    """All that a shard needs to be made, in any process."""

    options: Options
    """The options of the run, with the shard, and with the start as a time."""
    name: str = "the shard"
    """The name of the shard, for messages."""
    run: str = ""
    """The identity of the run in its ledgers, which all its shards have."""
    is_monitored: bool = False
    """True if the driver has views."""
    log_level: str = "DEBUG"
    """The lowest level of the log lines that reach the driver."""
    life: int = 0
    """The number of times that the shard was made again."""


def shard_specs(plan: Plan, count: int, *, shares_machine: bool) -> list[ShardSpec]:
    """Return what makes each shard of a run, with the start and the speed of the run."""
    configuration, options = plan.configuration, plan.options
    assert options is not None
    flags = replace(
        options.flags,
        start=rfc3339(configuration.start_ms),
        speed=configuration.simulation.speed,
    )
    own = replace(options, flags=flags, shares_machine=shares_machine)
    return [
        ShardSpec(
            replace(own, shard=Shard(index, count)),
            name=f"shard {index}-of-{count}",
            run="" if plan.about is None else plan.about.run,
            is_monitored=bool(plan.views),
        )
        for index in range(count)
    ]


class ShardSchedule(NamedTuple):
    """The times at which the ticks of all shards are due."""

    tick: int
    at_s: float
    """The time at which this tick is due, by the wall clock: seconds since 1970."""
    speed: float
    """Simulated seconds per second; 0 is as fast as possible."""


class StampedInstruction(NamedTuple):
    """An instruction with the tick at which all shards take it."""

    tick: int
    number: int
    """The number of instructions of the run before this one."""
    instruction: Instruction


@dataclass(frozen=True, slots=True, eq=False)
class ShardFacts:
    """The facts of one tick of a shard besides its readings; most ticks have none.

    The fields are those of `TickResult`, without what depends on the number of devices.
    """

    tick: int
    acknowledgements: tuple[Acknowledgement, ...] = ()
    settlements: tuple[SettlementColumns, ...] = ()
    """Their `project_ids` are empty: `project` counts the projects of the shard."""
    episodes: tuple[Episode, ...] = ()
    injected: tuple[InjectedFault, ...] = ()
    changes: tuple[EventChange, ...] = ()
    upcoming: tuple[EventChange, ...] = ()
    """The occurrences that were announced in this tick, also those without notice."""
    failures: tuple[FleetFailure, ...] = ()
    true_reductions: tuple[TrueReduction, ...] = ()
    unmeasured: tuple[UnmeasuredEvent, ...] = ()
    clipped: tuple[Clipped, ...] = ()
    overloads: tuple[FuseOverload, ...] = ()
    running_faults: tuple[tuple[str, int], ...] | None = None
    """The faults that may affect devices, and their number; None: as in the tick before."""


class LogLine(NamedTuple):
    """A line of a shard's log."""

    level: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class ShardReport:
    """The progress, the status and the new facts of a shard."""

    life: int
    """The number of times that the shard was made again."""
    tick: int
    """The index of the next tick: all below it are done."""
    status: RunStatus
    facts: tuple[ShardFacts, ...] = ()
    """The facts of the ticks from `since` on that have any, in order of ticks."""
    logs: tuple[LogLine, ...] = ()
    is_over: bool = False
    """True if no more ticks will run."""
    hung: bool = False
    """True if a plugin's thread did not return at the end."""
    holding_up: str = ""
    """The plugin that has blocked the current tick for two intervals; else empty."""
    hanging: Mapping[str, str] = field(default_factory=dict)
    """The transports that hang, each with the method that runs."""
    error: str = ""
    """The reason why the shard ended early; else empty."""
    exit_status: int = 0
    """The exit status that follows from `error`, and from that of the ledger."""
    ledger_error: str = ""


class ShardLostError(GridsimError):
    """A shard does not answer any more: its process was killed, for example."""


class ShardRefusedError(GridsimError):
    """An error in a shard, with its text and exit status."""

    def __init__(self, text: str, exit_status: int) -> None:
        super().__init__(text)
        self.exit_status = exit_status


class ShardHost(Protocol):
    """A shard, as the driver sees it. One thread calls it, and each call returns.

    Each method raises `ShardLostError` if the shard does not answer any more, and
    ShardRefusedError if the shard refuses the call.
    """

    def prepare(self) -> None:
        """Make the plan of the shard. Raises ShardRefusedError if it cannot be used."""

    def start(self, announced: Mapping[str, Announcement]) -> ShardReport:
        """Connect the transports. No tick runs yet.

        `announced` is what the driver's transports have announced, such as the address of an
        embedded broker. Raises ShardRefusedError.
        """

    def follow(self, schedule: ShardSchedule) -> None:
        """Run the ticks that are allowed by this schedule from now on; it also ends a pause."""

    def advance(
        self,
        until: int,
        instructions: Sequence[StampedInstruction],
        since: int,
        wait_s: float,
    ) -> ShardReport:
        """Allow the ticks below `until`, and report what is new.

        `until` only grows; in lockstep it is the next tick alone. `instructions` are those of
        later ticks. `since` is the first tick whose facts the driver does not have; the shard
        forgets those of earlier ticks. Returns as soon as a tick from `since` on is done, and
        after `wait_s` seconds in any case.
        """

    def pause(self) -> int:
        """Stop ticks after the present one, and return the index of the next."""

    def finish(self, tick: int, since: int) -> ShardReport:
        """Run the ticks below `tick` at once in a pause, and report. No tick runs after that.

        All shards of a run that is stopped early end with the same tick.
        """

    def ask(self, question: Question, arguments: Sequence[Any]) -> Any:
        """Return what the shard's monitor answers: a `Snapshot`, `History`, array or `DeviceView`.

        Raises KeyError and ValueError as the monitor does.
        """

    def confirm(self, timeout_s: float) -> bool:
        """Wait until no reading is on its way, and return whether that is so."""

    def save_checkpoint(self, timeout_s: float) -> bool:
        """Write a checkpoint now, in a pause, and return whether it is on the disk."""

    def stop(self, flush_s: float | None, since: int) -> ShardReport:
        """End the shard, and report once more, with the facts from `since` on.

        Transports get `flush_s` seconds to send what is queued; None: as long as they make
        progress.
        """

    def close(self) -> None:
        """Release the process; one that still runs is killed. A second call does nothing."""
