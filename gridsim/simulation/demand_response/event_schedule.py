"""The events of a run: when each occurs next, and which of the called ones are over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Refused, State
from gridsim.contracts.hints import did_you_mean
from gridsim.contracts.results import EventChange
from gridsim.contracts.state import restore_attributes, state_of
from gridsim.simulation.demand_response.occurrence import Occurrence, occurrence_name
from gridsim.simulation.scenario import EventSpec, Scenario


class EventSchedule:
    """The configured and called events, with the time of the next occurrence of each.

    A configured event stays for the whole run, a called one until it is over.
    """

    kept = ("_upcoming", "_found", "_omitted")
    """The attributes that a checkpoint keeps."""

    def __init__(self, scenario: Scenario) -> None:
        """Schedule the scenario's events."""
        self._scenario = scenario
        self._specs = list(scenario.events)
        self._upcoming = [spec.schedule.first_from(scenario.start_ms) for spec in scenario.events]
        self._found: dict[str, int] = {}
        """The number of occurrences of each event so far."""
        self._omitted: set[str] = set()
        """The names of the occurrences that a counterfactual leaves out."""
        self._called: set[str] = set()
        """The ids of the called events that are not over."""
        self._last_change: dict[str, EventChange] = {}
        """The end of the last occurrence of each of them, by id."""
        self._over: list[EventChange] = []
        """The last changes of called events that are over."""

    def state(self, live: Iterable[Occurrence]) -> State:
        """Return what a checkpoint keeps, with the occurrences that are announced and not over."""
        place = {spec.id: index for index, spec in enumerate(self._specs)}
        return {
            **state_of(self, self.kept),
            "live": [
                [place[own.spec.id], own.number, own.start_ms, state_of(own, own.kept)]
                for own in live
            ],
        }

    def restore(self, state: State) -> list[Occurrence]:
        """Continue from a checkpoint's state, and return its occurrences.

        Called events were added by `call`, in order.
        """
        restore_attributes(self, {name: state[name] for name in self.kept}, self.kept)
        live = []
        for place, number, start_ms, one in state["live"]:
            own = self._occurrence(self._specs[place], number, start_ms)
            restore_attributes(own, one, own.kept)
            live.append(own)
        return live

    def due(self, time_ms: int) -> list[tuple[str, NDArray[np.intp]]]:
        """Return the name and projects of each occurrence that `announce` returns at UTC
        `time_ms`.
        """
        return [
            (occurrence_name(spec.id, number), spec.projects)
            for index, spec in enumerate(self._specs)
            for number, _ in self._due(index, time_ms)
        ]

    def announce(self, time_ms: int) -> list[Occurrence]:
        """Return the occurrences whose notice is due, at the latest a tick before they begin."""
        announced = []
        for index, spec in enumerate(self._specs):
            for number, start_ms in self._due(index, time_ms):
                announced.append(self._occurrence(spec, number, start_ms))
                self._found[spec.id] = number
                self._upcoming[index] = spec.schedule.first_from(start_ms + 1)
        return announced

    def share(self, memo: dict[int, Any]) -> None:
        """Add the called events to the memo of `copy.deepcopy`, so that copies share them."""
        memo.update((id(spec), spec) for spec in self._specs)

    def omit(self, name: str) -> None:
        """Leave out an occurrence that is announced next: it has no effect on its projects."""
        self._omitted.add(name)

    def call(self, spec: EventSpec, time_ms: int) -> None:
        """Add an event at UTC `time_ms`. Raises Refused if its id is in use."""
        if any(spec.id == other.id for other in self._specs):
            raise Refused(f"the event id {spec.id!r} is already in use: choose another id")
        self._upcoming.append(spec.schedule.first_from(time_ms))
        self._specs.append(spec)
        self._called.add(spec.id)

    def find(self, id: str) -> EventSpec:
        """Return the event with this id. Raises Refused if there is none."""
        spec = next((one for one in self._specs if one.id == id), None)
        if spec is None:
            known = [one.id for one in self._specs]
            raise Refused(f"there is no event {id!r}{did_you_mean(id, known)}")
        return spec

    def withdraw(self, spec: EventSpec) -> Occurrence | None:
        """Skip an event's next occurrence and return it; None if it does not occur again."""
        index = self._specs.index(spec)
        start_ms = self._upcoming[index]
        if start_ms is None:
            return None
        self._upcoming[index] = spec.schedule.first_from(start_ms + 1)
        return Occurrence(self._scenario, spec, self._found.get(spec.id, 0) + 1, start_ms)

    def stop(self, spec: EventSpec) -> None:
        """Skip all further occurrences of an event if it was called."""
        if spec.id in self._called:
            self._upcoming[self._specs.index(spec)] = None

    def note_end(self, spec: EventSpec, change: EventChange) -> None:
        """Keep the end of an occurrence, which is the event's last change if it was called."""
        if spec.id in self._called:
            self._last_change[spec.id] = change

    def forget_called(self, live: Collection[Occurrence]) -> None:
        """Forget the called events that are over: without further and without `live` occurrences.

        `take_ended` returns their last changes.
        """
        if not self._called:
            return
        running = {own.spec.id for own in live}
        for index in reversed(range(len(self._specs))):
            id = self._specs[index].id
            if id in self._called and id not in running and self._upcoming[index] is None:
                self._called.remove(id)
                self._over.append(self._last_change.pop(id))
                del self._specs[index], self._upcoming[index]

    def take_ended(self) -> list[EventChange]:
        """Return the last change of each called event that is over since the last call."""
        over, self._over = self._over, []
        return over

    def _due(self, index: int, time_ms: int) -> Iterator[tuple[int, int]]:
        """Yield number and scheduled start of an event's occurrences whose notice is due."""
        start_ms, spec = self._upcoming[index], self._specs[index]
        number = self._found.get(spec.id, 0)
        ahead_ms = max(spec.notice_ms, self._scenario.tick_ms)
        while start_ms is not None and start_ms - ahead_ms <= time_ms:
            number += 1
            yield number, start_ms
            start_ms = spec.schedule.first_from(start_ms + 1)

    def _occurrence(self, spec: EventSpec, number: int, start_ms: int) -> Occurrence:
        occurrence = Occurrence(self._scenario, spec, number, start_ms)
        if occurrence.name in self._omitted:
            occurrence.opted_out[:] = True
        return occurrence
