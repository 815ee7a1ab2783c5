"""The faults, and the readings that they hold back, that stay in a reload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Acknowledgement, Batch, Refused, Roster, Staying, Tick, carry
from gridsim.contracts.results import Episode, InjectedFault
from gridsim.errors import UsageError
from gridsim.simulation.answers import answer
from gridsim.simulation.batch import missing_column
from gridsim.simulation.calling import Call
from gridsim.simulation.faults import FaultBook
from gridsim.simulation.faults.rows import Held, MessageRows
from gridsim.simulation.faults.running import MOST
from gridsim.simulation.faults.running_fault import Continued, RunningFault
from gridsim.simulation.instructed import EventsAndFaults
from gridsim.simulation.reload.compare import same_fault
from gridsim.simulation.scenario import FaultSpec, Scenario


@dataclass(frozen=True, slots=True, eq=False)
class CarriedFaults:
    """The faults of a reload."""

    episodes: tuple[Episode, ...] = ()
    """The episodes that the reload ended."""
    unsent: Batch | None = None
    """The readings held back for devices that left."""
    injected: tuple[InjectedFault, ...] = ()
    """The configured faults that are new."""
    answers: tuple[Acknowledgement, ...] = ()
    """The ends of injected faults that no longer fit the configuration."""


def places_of(older: EventsAndFaults, scenario: Scenario, time_ms: int) -> Continued:
    """Return the places of the new scenario's faults. Raises UsageError if there is no room."""
    book = older.faults
    before = {} if book is None else {one.spec.id: one for one in book.running._running}
    injections = {} if book is None else {id: one[2] for id, one in older._injections.items()}
    held = 0 if book is None else book._delay_line.faults
    taken = {one.number for one in injections.values()}
    if book is not None:
        taken.update(book.running._disabled.values())
    stay: dict[str, tuple[int, int]] = {}
    for spec in scenario.faults:
        same = before.get(spec.id)
        if same is not None and not same.injected and same_fault(same.spec, spec):
            stay[spec.id] = same.fault, same.number
            taken.add(same.number)
    free = iter(n for n in range(MOST) if n not in taken and not held >> n & 1)
    count = 0 if book is None else book.running._count
    places = {}
    for spec in scenario.faults:
        if spec.id in stay:
            places[spec.id] = stay[spec.id]
            continue
        number = next(free, None)
        if number is None:
            raise UsageError(
                f"{MOST} fault numbers are in use, some of them by readings that faults hold "
                "back: reload again later, or with fewer faults"
            )
        places[spec.id] = count, number
        count += 1
    return Continued(places, count, time_ms)


def carry_faults(
    new: EventsAndFaults,
    older: EventsAndFaults,
    continued: Continued,
    devices: Staying,
    known: Staying,
    tick: Tick,
    call: Call,
) -> CarriedFaults:
    """Copy the faults that stay, their effects so far, and the readings held back.

    `known` are the devices by their ids alone: their readings that are held back are still sent.
    """
    scenario, book = new._scenario, older.faults
    if book is None and not scenario.faults:
        return CarriedFaults()
    left = new._maker.left if book is None else book._left
    made = new.faults = FaultBook(scenario, call, left=left, continued=continued)
    before = {} if book is None else {one.spec.id: one for one in book.running._running}
    injected = tuple(
        InjectedFault(one.fault, one.number, one.spec.id, one.spec.name, one.spec.type, settings)
        for one in made.running._running
        if not _stays(before.get(one.spec.id), one.spec)
        for settings in [one.spec.members.settings[0]]
    )
    answers = []
    for id, (inject, time_ms, place) in older._injections.items():
        try:
            if id in continued.places:
                raise Refused("the configuration has another fault of this id now")
            new._add_fault(inject, time_ms, call, again=(place.fault, place.number))
        except Refused as refusal:
            reason = f"the configuration was reloaded: {refusal}"
            answers.append(answer(inject, "cancelled", tick, reason))
    new._injected.clear()
    made.running._count = continued.count
    if book is None:
        return CarriedFaults(injected=injected, answers=tuple(answers))
    # A fault that has failed is made again; readings may still have its number.
    made.running._disabled = dict(book.running._disabled)
    after = {one.spec.id: one for one in made.running._running}
    episodes: list[Episode] = []
    leaves = devices.new_of_old < 0
    for one in book.running._running:
        same = after.get(one.spec.id)
        if same is None or (same.fault, same.number) != (one.fault, one.number):
            episodes += one.counted(one.schedule.clear(None, tick.time_ms))
            continue
        staying = devices.within(same.spec.device, one.spec.device)
        if len(staying.new):
            carry(same.schedule, one.schedule, staying)
            carry(same.plugin, one.plugin, staying)
        episodes += one.counted(one.schedule.clear(leaves, tick.time_ms))
    episodes += book.running._cleared
    carry(made._readings, book._readings, devices)
    made.tally = book.tally
    unsent = made._unsent(_move_held(made, book, scenario.roster, known))
    return CarriedFaults(tuple(episodes), unsent, injected, tuple(answers))


def _stays(older: RunningFault | None, spec: FaultSpec) -> bool:
    return older is not None and not older.injected and same_fault(older.spec, spec)


def _move_held(
    new: FaultBook, older: FaultBook, roster: Roster, known: Staying
) -> Sequence[MessageRows]:
    """Move the readings held back; return those of devices that left, with their old roster."""
    place, lost = known.new_of_old, list[MessageRows]()
    stores: Mapping[str, tuple[Held, Held]] = {
        name: (getattr(new._delay_line, name), getattr(older._delay_line, name))
        for name in type(new._delay_line).kept
    }
    for own, before in stores.values():
        for part in before._parts:
            rows = part.remaining()
            device = place[rows.batch.device]
            lost.append(rows.where(device < 0))
            kept = rows.where(device >= 0)
            if len(kept):
                own.add(replace(kept, batch=_of_roster(kept.batch, roster, place)))
    return [rows for rows in lost if len(rows)]


def _of_roster(batch: Batch, roster: Roster, place: NDArray[np.intp]) -> Batch:
    """Return the readings as those of the devices of a new roster."""
    nothing = missing_column(len(batch))
    return replace(
        batch,
        roster=roster,
        device=place[batch.device],
        extra={name: batch.extra.get(name, nothing) for name in roster.columns},
    )
