"""The acknowledgements of several shards, joined to those of a run in one process."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from gridsim.api import Acknowledgement, CallEvent, Command, Instruction, Unreadable
from gridsim.contracts.results import EventChange
from gridsim.running.shards.messages import ShardFacts
from gridsim.simulation.answers import end_of_call

_DECISIONS = ("accepted", "rejected")
_Entry = tuple[tuple[int, int, int], Acknowledgement, Instruction | None]
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
    end: Acknowledgement | None = None
    """The end in the last shard so far."""


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
            found = [entry for shard, answers in answering for entry in self._some(shard, answers)]
        ends = {change.event.partition("#")[0]: change for change in changes}
        if len(answering) > 1:
            # The order of one simulation: decisions on commands, ends of commands, decisions on
            # events and faults with what they end, and then other ends of events and faults.
            found.sort(key=lambda entry: entry[0])
        return tuple(_with_end(answer, call, ends) for _, answer, call in found)

    def _some(self, shard: int, answers: Sequence[Acknowledgement]) -> Iterator[_Entry]:
        """Yield the answers of the run that those of a shard complete."""
        number, decided = 0, None
        for answer in answers:
            if answer.status in _DECISIONS:
                number, decided = self._number(shard, answer), answer
            for place, given, instruction in self._take(shard, answer):
                if decided is not None and place[0] == 3:
                    # What an instruction ends is answered beside it.
                    if given.id == decided.id:
                        place = (2, number, 1)
                    elif given.reason == f"by {decided.id}":
                        place = (2, number, 2)
                yield place, given, instruction

    def _number(self, shard: int, answer: Acknowledgement) -> int:
        """Return the number of the instruction that a shard decides on."""
        every = self._asked.get(_key(answer), ())
        return next((one.number for one in every if shard in one.waits_for), 0)

    def _take(self, shard: int, answer: Acknowledgement) -> Iterator[_Entry]:
        key = _key(answer)
        every = self._asked.get(key, [])
        if answer.status in _DECISIONS:
            one = next((one for one in every if shard in one.waits_for), None)
            if one is not None:
                one.waits_for.discard(shard)
                one.decisions[shard] = answer
                if answer.status == "accepted":
                    one.open.add(shard)
                yield from self._decided(key, one)
                return
        one = next((one for one in every if shard in one.open), None)
        if one is None:
            # It is from before a checkpoint, or of an instruction to a shard alone.
            yield (4, 0, 0), answer, None
            return
        one.open.discard(shard)
        one.end = answer
        yield from self._ended(key, one)

    def _decided(self, key: object, one: _Asked) -> Iterator[_Entry]:
        if one.waits_for:
            return
        decision = _decision(one.decisions)
        yield (0 if one.is_command else 2, one.number, 0), decision, None
        if decision.status == "rejected":
            self._drop(key, one)
        else:
            yield from self._ended(key, one)

    def _ended(self, key: object, one: _Asked) -> Iterator[_Entry]:
        if one.end is not None and not (one.open or one.waits_for):
            self._drop(key, one)
            yield (1 if one.is_command else 3, one.number, 0), one.end, one.instruction

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
