"""The acknowledgements of several shards, joined to those of a run in one process."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from gridsim.api import Acknowledgement, CallEvent, Command, Instruction, Unreadable
from gridsim.contracts.results import EventChange
from gridsim.running.shards.messages import ShardFacts
from gridsim.simulation.answers import end_of_call

_DECISIONS = ("accepted", "rejected")
_Entry = tuple[tuple[int, int], Acknowledgement, Instruction | None]
"""The place of an acknowledgement in its tick; the acknowledgement; what it ends."""


@dataclass(slots=True)
class _Asked:
    """An instruction, and what the shards have answered so far."""

    number: int
    instruction: Instruction
    is_command: bool
    waits_for: set[int]
    """The shards whose decision is not known."""
    decisions: dict[int, Acknowledgement] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    """The shards that have accepted it, and in which it is not over."""


class JoinedAnswers:
    """The one decision and the one end of each instruction, of those of all its shards.

    It is accepted if a shard accepts it, and over when it is over in all of these shards.
    """

    def __init__(self) -> None:
        # Sources post while results are handed on.
        self._lock = threading.Lock()
        self._asked: defaultdict[object, list[_Asked]] = defaultdict(list)

    def expect(self, number: int, instruction: Instruction, shards: Sequence[int]) -> None:
        """Wait for the answers of these shards to the instruction with this number."""
        is_command = isinstance(instruction, Command | Unreadable)
        with self._lock:
            self._asked[_key(instruction)].append(
                _Asked(number, instruction, is_command, set(shards))
            )

    def forget(self, shard: int) -> None:
        """Wait for this shard no more."""
        with self._lock:
            for one in chain.from_iterable(self._asked.values()):
                one.waits_for.discard(shard)
                one.open.discard(shard)

    def joined(
        self, facts: Sequence[tuple[int, ShardFacts]], changes: Sequence[EventChange]
    ) -> tuple[Acknowledgement, ...]:
        """Return the acknowledgements of a tick, from those of each shard.

        `changes` are those of events in the tick, for the whole run.
        """
        answering = [(shard, one.acknowledgements) for shard, one in facts if one.acknowledgements]
        if not answering:
            return ()
        with self._lock:
            every = (self._take(shard, one) for shard, answers in answering for one in answers)
            found = [entry for entry in every if entry is not None]
        ends = {change.event.partition("#")[0]: change for change in changes}
        if len(answering) > 1:
            # The order of one simulation: decisions on commands, then what ends them, and then the
            # same for events and faults.
            found.sort(key=lambda entry: entry[0])
        return tuple(_with_end(answer, call, ends) for _, answer, call in found)

    def _take(self, shard: int, answer: Acknowledgement) -> _Entry | None:
        key = _key(answer)
        every = self._asked.get(key, ())
        if answer.status in _DECISIONS:
            for one in every:
                if shard in one.waits_for:
                    one.waits_for.discard(shard)
                    one.decisions[shard] = answer
                    if answer.status == "accepted":
                        one.open.add(shard)
                    if one.waits_for:
                        return None
                    decision = _decision(one.decisions)
                    if decision.status == "rejected":
                        self._drop(key, one)
                    return (0 if one.is_command else 2, one.number), decision, None
        for one in every:
            if shard in one.open:
                one.open.discard(shard)
                if one.open or one.waits_for:
                    return None
                self._drop(key, one)
                return (1 if one.is_command else 3, one.number), answer, one.instruction
        # It is from before a checkpoint, or of an instruction to a shard alone.
        return (4, 0), answer, None

    def _drop(self, key: object, one: _Asked) -> None:
        every = self._asked[key]
        every.remove(one)
        if not every:
            del self._asked[key]


def _decision(decisions: dict[int, Acknowledgement]) -> Acknowledgement:
    """Return the decision for the run: that of a shard that accepts, else the one with the
    most exact reason.
    """
    ordered = [answer for _, answer in sorted(decisions.items())]
    for answer in ordered:
        if answer.status == "accepted":
            return answer
    # A shard without the event or the fault knows only that.
    return min(ordered, key=lambda answer: answer.reason.startswith("there is no "))


def _with_end(
    answer: Acknowledgement, instruction: Instruction | None, ends: Mapping[str, EventChange]
) -> Acknowledgement:
    """Return the end of a call with the outcome in all shards; another answer as it is."""
    if not isinstance(instruction, CallEvent) or answer.status == "cancelled":
        return answer
    change = ends.get(instruction.event)
    if change is None or change.kind == "cancelled":
        return answer
    status, reason = end_of_call(change.totals)
    return replace(answer, status=status, reason=reason)


def _key(one: Instruction | Acknowledgement) -> object:
    return one.source, one.target, one.id
