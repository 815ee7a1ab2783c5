"""The transports and sources of a reload: those that stay, end or start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gridsim.delivery import MessageTrace, Runner, Successor
from gridsim.running.parts import PlannedSource, PlannedTransport
from gridsim.running.plan import Plan
from gridsim.running.remake import same_choice
from gridsim.sources import SourceWorker

_POLL_S: Final = 0.02
_DRAIN_S: Final = 4.7
"""The time that a transport which leaves gets to send what is queued, seconds."""
_ANSWER_S: Final = 1.3
"""The time that a source which leaves gets to hand over acknowledgements, seconds."""


@dataclass(frozen=True, slots=True)
class PartsReload:
    """The workers after a reload, and those that leave."""

    transports: tuple[PlannedTransport, ...]
    """The plan's transports; those that stay with the same devices are the older ones."""
    sources: tuple[PlannedSource, ...]
    runners: Sequence[Runner]
    workers: Sequence[SourceWorker]
    retired: Sequence[Runner]
    closing: Sequence[SourceWorker]
    starting: Sequence[Runner]
    opening: Sequence[SourceWorker]

    @property
    def started(self) -> tuple[str, ...]:
        """The transports and sources that start."""
        return tuple(f"{one.kind} {one.name}" for one in (*self.starting, *self.opening))

    @property
    def ended(self) -> tuple[str, ...]:
        """The transports and sources that end."""
        return tuple(f"{one.kind} {one.name}" for one in (*self.retired, *self.closing))

    def finish(self, is_over: Callable[[], bool]) -> None:
        """Close what leaves after its queue is sent, then start what is new. Called without a lock.

        `is_over` returns true if the run ends, which closes all of them.
        """
        for runner in self.retired:
            runner.close()
        for worker in self.closing:
            worker.close()
        deadline = time.monotonic() + _DRAIN_S
        for runner in self.retired:
            while not runner.wait(_POLL_S) and not is_over():
                if time.monotonic() > deadline or runner.is_stalled():
                    break
            runner.settle()
        for worker in self.closing:
            worker.wait(max(deadline - _DRAIN_S + _ANSWER_S - time.monotonic(), _POLL_S))
        if not is_over():
            for one in (*self.starting, *self.opening):
                one.start()


class PartsReloader:
    """A maker of the workers of a reload; one object for each."""

    def __init__(
        self,
        older: Plan,
        new: Plan,
        *,
        new_runner: Callable[[PlannedTransport, int], Runner],
        new_source: Callable[[PlannedSource], SourceWorker],
    ) -> None:
        """Take the plans. `new_runner` gets the index of the transport in the new plan."""
        self._older, self._new = older, new
        self._new_runner, self._new_source = new_runner, new_source

    def make(
        self,
        runners: Sequence[Runner],
        workers: Sequence[SourceWorker],
        *,
        first: int,
        trace: MessageTrace | None,
        other_devices: bool,
    ) -> PartsReload:
        """Return the workers for the readings from the number `first` on.

        Those with the same settings stay. A transport that has failed is made again. With
        `other_devices` they continue with the devices of the new plan, and with `trace`.
        """
        choices = {one.name: one for one in self._older.configuration.transports}
        present = {one.name: one for one in runners}
        planned = {one.name: one for one in self._older.transports}
        kept: dict[str, Runner] = {}
        following: list[Runner] = []
        plans: list[PlannedTransport] = []
        starting: list[Runner] = []
        pairs = zip(self._new.configuration.transports, self._new.transports, strict=True)
        for index, (choice, plan) in enumerate(pairs):
            runner = present.get(choice.name)
            if (
                runner is not None
                and runner.state in ("connecting", "up")
                and same_choice(choices[choice.name], choice)
            ):
                kept[choice.name] = runner
                following.append(runner)
                if other_devices:
                    runner.succeed(Successor(plan.transport, plan.format, first, trace))
                plans.append(plan if other_devices else planned[choice.name])
                continue
            # A service does not end because the far end of a new transport is down.
            policy = replace(plan.policy, give_up_at_start=False)
            plan = replace(plan, policy=policy)
            plans.append(plan)
            starting.append(self._new_runner(plan, index))
            following.append(starting[-1])
        retired = [one for name, one in present.items() if name not in kept]
        return self._with_sources(
            tuple(plans), following, retired, starting, workers, trace, other_devices
        )

    def _with_sources(
        self,
        transports: tuple[PlannedTransport, ...],
        runners: Sequence[Runner],
        retired: Sequence[Runner],
        starting: Sequence[Runner],
        workers: Sequence[SourceWorker],
        trace: MessageTrace | None,
        other_devices: bool,
    ) -> PartsReload:
        choices = {one.name: one for one in self._older.configuration.sources}
        present = {one.name: one for one in workers}
        following: list[SourceWorker] = []
        opening: list[SourceWorker] = []
        pairs = zip(self._new.configuration.sources, self._new.sources, strict=True)
        for choice, plan in pairs:
            worker = present.get(choice.name)
            if (
                worker is not None
                and worker.state in ("connecting", "up")
                and same_choice(choices[choice.name], choice)
            ):
                if other_devices:
                    worker.change_roster(plan.source.run, trace)
            else:
                worker = self._new_source(plan)
                opening.append(worker)
            following.append(worker)
        closing = [one for one in workers if one not in following]
        return PartsReload(
            transports,
            self._new.sources,
            runners,
            following,
            retired,
            closing,
            starting,
            opening,
        )
