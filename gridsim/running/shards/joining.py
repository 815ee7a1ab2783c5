"""The joining of the facts of all shards to the results of the whole run, tick by tick."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, TypeVar

import numpy as np

from gridsim.api import Batch, Instruction, Roster
from gridsim.contracts.batch import COLUMNS
from gridsim.contracts.results import Clipped, Episode, FleetFailure, InjectedFault, TickResult
from gridsim.contracts.truth import TickTruth
from gridsim.running.shards.answers import JoinedAnswers
from gridsim.running.shards.event_changes import JoinedEvents, joined_settlements
from gridsim.running.shards.messages import ShardFacts
from gridsim.simulation.scenario import Scenario

Facts = Sequence[tuple[int, ShardFacts]]
"""The facts of one tick, with the index of the shard of each, ascending."""
_K = TypeVar("_K")


class Joiner:
    """The results of a run, made of the facts of its shards.

    A tick's result is ready once every shard has done the tick. The order within a result is that
    of a run in one process. No thread and no clock: the driver calls it with a lock held.
    """

    def __init__(self, scenario: Scenario, first_projects: Sequence[int], tick: int = 0) -> None:
        """Begin at a tick. `first_projects` has the index of the first project of each shard."""
        self._roster = scenario.roster
        self._first = first_projects
        self.answers = JoinedAnswers()
        self._events = JoinedEvents()
        self._done: dict[int, int] = dict.fromkeys(range(len(first_projects)), tick)
        """The next tick of each shard."""
        self._next = tick
        self._waiting: defaultdict[int, dict[int, ShardFacts]] = defaultdict(dict)
        self._faults: list[Mapping[str, int]] = [{} for _ in first_projects]
        """The running faults of each shard, with their devices."""
        self._order = {spec.id: place for place, spec in enumerate(scenario.faults)}
        """The order of faults."""
        self._clipped: set[tuple[str, str]] = set()
        self._nothing = no_readings(scenario.roster)

    @property
    def tick(self) -> int:
        """The index of the first tick that a shard has not done yet."""
        return min(list(self._done.values()), default=self._next)

    def take(self, shard: int, facts: Iterable[ShardFacts], done: int) -> None:
        """Take the facts of a shard, whose ticks below `done` are done."""
        for one in facts:
            if one.tick >= self._next:
                self._waiting[one.tick][shard] = one
        if shard in self._done:
            self._done[shard] = max(self._done[shard], done)

    def forget(self, shard: int) -> None:
        """Wait for this shard no more, because it is lost."""
        self._done.pop(shard, None)
        self.answers.forget(shard)
        self._events.forget(shard)

    def ready(
        self, instructions: Mapping[int, Sequence[Instruction]], *, every: bool
    ) -> Iterator[TickResult]:
        """Yield the results that are ready, in order; `instructions` are those of each tick.

        Without `every`, of the ticks without facts only the last is among them.
        """
        tick = self.tick
        while self._next < tick:
            known = instructions.get(self._next, ())
            if not (every or known or self._next in self._waiting or self._next == tick - 1):
                # Skips to the next tick that has something.
                later = chain(self._waiting, instructions, (tick - 1,))
                self._next = min(one for one in later if one > self._next)
                continue
            yield self._result(self._next, known)
            self._next += 1

    def rest(self) -> Iterator[TickResult]:
        """Yield what the shards have reported at their end, after the last tick."""
        last = max(self._done.values(), default=self._next)
        for tick in sorted({*self._waiting, last}):
            yield self._result(tick, ())
        self._next = last

    def _result(self, tick: int, instructions: Sequence[Instruction]) -> TickResult:
        by_shard = self._waiting.pop(tick, {})
        if not by_shard:
            return TickResult(tick, self._nothing, instructions=tuple(instructions), truth=None)
        facts = sorted(by_shard.items())
        settlements = joined_settlements(facts, self._first, self._roster.project_id)
        for shard, one in facts:
            if one.running_faults is not None:
                self._faults[shard] = dict(one.running_faults)
        for injected in chain.from_iterable(one.injected for _, one in facts):
            self._order.setdefault(injected.id, len(self._order))
        changes = self._events.joined(facts, settlements)
        return TickResult(
            tick,
            self._nothing,
            instructions=tuple(instructions),
            acknowledgements=self.answers.joined(facts, changes),
            settlements=settlements,
            episodes=self._episodes(facts),
            injected=_injected(facts),
            changes=changes,
            failures=_failures(facts),
            true_reductions=tuple(chain.from_iterable(one.true_reductions for _, one in facts)),
            unmeasured=_first_of((one.event, one) for _, f in facts for one in f.unmeasured),
            clipped=self._new_clipped(facts),
            overloads=tuple(chain.from_iterable(one.overloads for _, one in facts)),
            truth=self._truth(),
        )

    def _episodes(self, facts: Facts) -> tuple[Episode, ...]:
        every = [one for _, f in facts for one in f.episodes]
        last = len(self._order)
        return tuple(sorted(every, key=lambda one: self._order.get(one.fault_id, last)))

    def _new_clipped(self, facts: Facts) -> tuple[Clipped, ...]:
        """Return the columns that no shard has reported before."""
        every = ((one.plugin, one.name, one) for _, f in facts for one in f.clipped)
        new = []
        for plugin, name, one in every:
            if (plugin, name) not in self._clipped:
                self._clipped.add((plugin, name))
                new.append(one)
        return tuple(new)

    def _truth(self) -> TickTruth | None:
        """Return the running faults as views expect them; None if there are none."""
        sums: dict[str, int] = {}
        for faults in self._faults:
            for id, devices in faults.items():
                sums[id] = sums.get(id, 0) + devices
        if not sums:
            return None
        ordered = sorted(sums.items(), key=lambda one: self._order.get(one[0], 0))
        empty = np.empty(0)
        return TickTruth(empty, empty, empty, empty, {}, running_faults=tuple(ordered))


def no_readings(roster: Roster) -> Batch:
    """Return a batch without rows."""
    ints, floats = np.empty(0, np.int64), np.empty(0)
    columns: dict[str, Any] = dict.fromkeys(COLUMNS, floats)
    columns.update(dict.fromkeys(("tick", "timestamp_ms", "connection_start_ms"), ints))
    columns.update(device=np.empty(0, np.intp), is_online=np.empty(0, np.bool_))
    return Batch(roster, extra=dict.fromkeys(roster.columns, floats), **columns)


def _first_of(keyed: Iterable[tuple[object, _K]]) -> tuple[_K, ...]:
    """Return the first of the values with the same key."""
    found: dict[object, _K] = {}
    for key, one in keyed:
        found.setdefault(key, one)
    return tuple(found.values())


def _injected(facts: Facts) -> tuple[InjectedFault, ...]:
    return _first_of((one.id, one) for _, f in facts for one in f.injected)


def _failures(facts: Facts) -> tuple[FleetFailure, ...]:
    """Return the failures; one of the same fleet in several shards is one failure."""
    sums: dict[tuple[str, str], FleetFailure] = {}
    for one in (one for _, f in facts for one in f.failures):
        key = one.fleet, one.fault
        before = sums.get(key)
        devices = one.devices + (0 if before is None else before.devices)
        sums[key] = replace(before or one, devices=devices)
    return tuple(sums.values())
