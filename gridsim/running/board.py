"""The board: the last reported values and the counts of a run, for its status."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from gridsim.api import Batch, Roster
from gridsim.contracts.part_status import EventStatus, InstructionStatus
from gridsim.contracts.results import EventTotals, Settlement, TickResult
from gridsim.contracts.settlements import Settlements
from gridsim.contracts.state import State, StateError, restore_attributes, state_of

_COUNTS = ("episodes", "_received", "_rejected", "_events")


class Board:
    """The last reported values and the counts of a run.

    `note` is called in the engine's thread; the others may be called from any thread."""

    def __init__(self, roster: Roster) -> None:
        self.episodes = 0
        self._set_roster(roster)
        self._batch: Batch | None = None
        """A batch of all devices whose values are not in `_output` and `_load` yet."""
        self._received = self._rejected = 0
        self._events: dict[str, _EventCount] = {}
        self._lock = threading.Lock()

    def change_roster(self, roster: Roster) -> None:
        """Continue with other devices; those with the same id keep their last values."""
        with self._lock:
            self._settle()
            older, output, load = self._roster, self._output, self._load
            self._set_roster(roster)
            kw = dict(zip(older.der_id, output.tolist(), strict=True))
            self._output[:] = [kw.get(id, 0.0) for id in roster.der_id]
            kw = dict(zip(older.project_id, load.tolist(), strict=True))
            self._load[:] = [kw.get(id, 0.0) for id in roster.project_id]

    def _set_roster(self, roster: Roster) -> None:
        self._roster = roster
        self._types, self._type = np.unique(np.array(roster.type), return_inverse=True)
        self._output = np.zeros(len(roster))
        self._load = np.zeros(len(roster.project_id))

    def note(self, result: TickResult) -> None:
        """Add the result of a tick."""
        batch = result.batch
        if len(batch) == len(self._output) and batch.labels is None:
            # In a run without faults, a batch with as many rows as devices has one row of each.
            self._batch = batch
        elif len(batch):
            with self._lock:
                self._settle()
                self._enter(batch)
        self._received += len(result.instructions)
        for acknowledgement in result.acknowledgements:
            self._rejected += acknowledgement.status == "rejected"
        if result.settlements:
            with self._lock:
                for event, totals, projects in _sums(result.settlements):
                    id, _, number = event.partition("#")
                    count = self._events.setdefault(id, _EventCount())
                    count.add(totals, projects, int(number or 1))
        self.episodes += len(result.episodes)

    def state(self) -> State:
        """Return the counts for a checkpoint."""
        with self._lock:
            return state_of(self, _COUNTS)

    def restore(self, state: State) -> None:
        """Continue from the counts of a checkpoint. Raises StateError."""
        with self._lock:
            restore_attributes(self, state, _COUNTS)
            counts = (self.episodes, self._received, self._rejected)
            events = self._events.values() if isinstance(self._events, dict) else (None,)
        if not all(isinstance(count, int) for count in counts) or not all(
            isinstance(event, _EventCount) for event in events
        ):
            raise StateError("the counts of the run's status are not valid")

    def output_kw(self) -> dict[str, float]:
        """Return the sum of the last reported `current_output` of each reported type."""
        with self._lock:
            self._settle()
            # In hundredths, whose sum does not depend on the order: shards give the same.
            hundredths = np.bincount(self._type, np.rint(self._output * 100.0), len(self._types))
        sums = hundredths / 100.0
        return dict(zip(self._types.tolist(), sums.tolist(), strict=True))

    def load_kw(self) -> float:
        """Return the sum of the last reported gross loads."""
        with self._lock:
            self._settle()
            return float(np.rint(self._load * 100.0).sum()) / 100.0

    def instructions(self, waiting: int) -> InstructionStatus:
        return InstructionStatus(waiting, self._received, self._rejected)

    def events(self) -> tuple[EventStatus, ...]:
        with self._lock:
            return tuple(count.status(id) for id, count in self._events.items())

    def _settle(self) -> None:
        batch, self._batch = self._batch, None
        if batch is not None:
            self._enter(batch)

    def _enter(self, batch: Batch) -> None:
        self._output[batch.device] = batch.current_output
        self._load[self._roster.project[batch.device]] = batch.power_meter_measurement


@dataclass(slots=True)
class _EventCount:
    """The sums of one event."""

    times: int = 1
    projects: set[str] = field(default_factory=set)
    totals: EventTotals = field(default_factory=EventTotals)

    def add(self, totals: EventTotals, projects: Iterable[str], number: int) -> None:
        """Add the totals of an occurrence, and the projects that took part in it."""
        self.times = max(self.times, number)
        self.totals = self.totals.plus(totals)
        self.projects.update(projects)

    def status(self, id: str) -> EventStatus:
        return EventStatus(
            id=id, times=self.times, projects=len(self.projects), **asdict(self.totals)
        )


def _sums(settlements: Sequence[Settlement]) -> Iterator[tuple[str, EventTotals, Iterable[str]]]:
    """Yield the sums of settlements: the event, its totals and the projects that took part."""
    if isinstance(settlements, Settlements):
        for part in settlements.parts:
            yield part.event, part.totals, part.took_part
        return
    for own in settlements:
        projects = () if own.ending == "opted out" else (own.project_id,)
        yield own.event, EventTotals.of(own), projects
