"""The effects of faults on messages in transit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gridsim.api import MessageEffects, MessageFault, Tick
from gridsim.errors import PluginError
from gridsim.helpers.randomness import Draws
from gridsim.simulation.batch import read_only
from gridsim.simulation.calling import Call
from gridsim.simulation.faults.checks import Checked, title
from gridsim.simulation.faults.fault_schedule import FaultSchedule
from gridsim.simulation.faults.rows import Mask, MessageRows, labelled
from gridsim.simulation.scenario import FaultSpec

_SENT_TWICE = 2


@dataclass(frozen=True, slots=True, eq=False)
class RunningMessageFault:
    fault: int
    """The fault's index, unique in the run."""
    number: int
    """The fault's bit in labels."""
    spec: FaultSpec
    schedule: FaultSchedule
    plugin: MessageFault
    place: NDArray[np.intp]
    """intp[devices], the index of each device among the members; -1 if it is not a member."""


@dataclass(frozen=True, slots=True, eq=False)
class Transit:
    """Messages that were in transit in a tick, and the effects on them."""

    rows: MessageRows
    """The messages; a delayed message has its due time, UTC."""
    is_lost: Mask
    is_delayed: Mask
    is_overtaken: Mask

    @property
    def goes(self) -> Mask:
        """The mask of messages that leave at once."""
        return ~(self.is_lost | self.is_delayed | self.is_overtaken)


class MessageFaults:
    """The message faults, in the order of the configuration."""

    def __init__(self, faults: list[RunningMessageFault], draws: Draws) -> None:
        self._faults = faults
        self._draws = draws
        self.failed: list[tuple[FaultSchedule, PluginError]] = []
        """The faults that have failed, until they are removed."""

    def add(self, fault: RunningMessageFault) -> None:
        """Add a fault after the others."""
        self._faults.append(fault)

    def remove(self, schedule: FaultSchedule) -> None:
        """Remove the fault with this schedule, if there is one."""
        self._faults = [one for one in self._faults if one.schedule is not schedule]

    def pass_on(
        self, tick: Tick, rows: MessageRows, waiting: NDArray[np.int64], call: Call
    ) -> Transit:
        """Apply the faults to messages; `waiting` counts each device's messages to overtake.

        A fault that fails changes nothing, and is added to `failed`.
        """
        n = len(rows)
        state = _State(rows, np.zeros(n, np.int64), np.zeros(n, np.bool_))
        for fault in self._faults:
            try:
                self._inject(fault, tick, state, waiting, call)
            except PluginError as error:
                self.failed.append((fault.schedule, error))
        lost = state.rows.copies == 0
        delayed = ~lost & (state.delay_ms > 0)
        due_ms = np.where(delayed, tick.time_ms + state.delay_ms, 0)
        return Transit(
            rows=replace(state.rows, due_ms=due_ms),
            is_lost=lost,
            is_delayed=delayed,
            is_overtaken=state.overtaken & ~lost & ~delayed,
        )

    def _inject(
        self,
        fault: RunningMessageFault,
        tick: Tick,
        state: _State,
        waiting: NDArray[np.int64],
        call: Call,
    ) -> None:
        batch, labels = state.rows.batch, state.rows.batch.labels
        assert labels is not None
        place = fault.place[batch.device]
        at = np.flatnonzero((place >= 0) & (state.rows.copies > 0))
        at = at[fault.schedule.affects(place[at], labels.timestamp_ms[at])]
        if not len(at):
            return
        member = place[at]
        keys = fault.spec.members.keys[member]
        chance = self._draws.uniform("fault.chance", keys, labels.timestamp_ms[at])
        effects = MessageEffects(
            member=read_only(member.view()),
            chance=chance.copy(),
            copies=state.rows.copies[at],
            delay_ms=state.delay_ms[at],
            overtaken=state.overtaken[at],
            altered=np.zeros(len(at), np.bool_),
        )
        name = fault.spec.name
        call(title(name), partial(fault.plugin.inject, tick, effects))
        ids = fault.spec.members.ids
        checked = Checked(name, ids, member, effects, fault.plugin.inject)
        copies = checked.among("copies", _SENT_TWICE)
        delay_ms = checked.span("delay_ms")
        overtaken = checked.flags("overtaken") & (waiting[batch.device[at]] == 0)
        altered = checked.flags("altered") & (labels.altered[at] < 0)
        changed = altered | (copies != state.rows.copies[at])
        changed |= (delay_ms != state.delay_ms[at]) | (overtaken != state.overtaken[at])
        state.set(at, copies, delay_ms, overtaken)
        state.label(at[changed], at[altered], chance[altered], fault)


@dataclass(slots=True, eq=False)
class _State:
    """The effects on the messages so far."""

    rows: MessageRows
    delay_ms: NDArray[np.int64]
    overtaken: Mask

    def set(
        self,
        at: NDArray[np.intp],
        copies: NDArray[np.int8],
        delay_ms: NDArray[np.int64],
        overtaken: Mask,
    ) -> None:
        every = self.rows.copies.copy()
        every[at] = copies
        self.rows = replace(self.rows, copies=every)
        self.delay_ms[at] = delay_ms
        self.overtaken[at] = overtaken

    def label(
        self,
        changed: NDArray[np.intp],
        altered: NDArray[np.intp],
        chance: NDArray[np.float64],
        fault: RunningMessageFault,
    ) -> None:
        labels = self.rows.batch.labels
        assert labels is not None
        faults = labels.faults.copy()
        faults[changed] |= np.uint64(1) << np.uint64(fault.number)
        columns = {"faults": faults}
        batch = labelled(self.rows.batch, **columns)
        if len(altered):
            which, chances = labels.altered.copy(), labels.chance.copy()
            which[altered], chances[altered] = fault.fault, chance
            batch = labelled(batch, altered=which, chance=chances)
        self.rows = replace(self.rows, batch=batch)
