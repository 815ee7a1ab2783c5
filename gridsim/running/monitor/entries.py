"""The newest entries of a run: its events, faults, commands and failures, as sentences."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from gridsim.api import Acknowledgement, ClearFault, Entry, EntryKind, OpenFault
from gridsim.contracts.results import TickResult
from gridsim.text.commands import instruction_line
from gridsim.text.events import change_line
from gridsim.text.words import counted

LENGTH = 200
"""The number of entries that are kept."""


class Entries:
    """The newest entries, numbered from the start of the run."""

    def __init__(self, timezone: str) -> None:
        self._timezone = timezone
        self._kept: deque[Entry] = deque(maxlen=LENGTH)
        self._number = 0
        self._faults: dict[str, int] = {}
        """The number of devices that each running fault affects."""
        self._open: dict[str, OpenFault] = {}

    def newest(self) -> tuple[Entry, ...]:
        """Return the newest 200 entries, the oldest first."""
        return tuple(self._kept)

    def open_faults(self) -> tuple[OpenFault, ...]:
        """Return the faults that began or were injected, and are not over."""
        return tuple(self._open.values())

    def take(self, result: TickResult, time_ms: int) -> None:
        """Add the entries of a tick at simulated time `time_ms`, UTC."""
        for change in result.changes:
            end_ms = change.start_ms + change.duration_ms if change.kind == "begins" else None
            text = change_line(change, self._timezone)
            self._add("event", change.time_ms, change.kind, change.event, text, end_ms)
        for failure in result.failures:
            text = f"{failure.reason}; {failure.effect}"
            self._add("failure", time_ms, "disabled", failure.fleet, text)
        self._take_faults(result, time_ms)
        answers = result.acknowledgements
        if len(answers) > LENGTH:
            self._number += len(answers) - LENGTH
        asked = {(one.target, one.id): one for one in result.instructions} if answers else {}
        for answer in answers[-LENGTH:]:
            text = instruction_line(answer, asked.get((answer.target, answer.id)))
            self._add("command", answer.time_ms, answer.status, answer.id, text)

    def _take_faults(self, result: TickResult, time_ms: int) -> None:
        injected = {one.id for one in result.injected}
        for one in result.injected:
            self._begin(time_ms, "injected", one.id, f"fault {one.id} ({one.name}) injected")
        cleared = _cleared(result) if result.acknowledgements else ()
        for id in cleared:
            self._end(time_ms, "cleared", id, f"fault {id} cleared")
        now = {} if result.truth is None else dict(result.truth.running_faults)
        if now == self._faults and not result.episodes:
            return
        ended = Counter(episode.fault_id for episode in result.episodes)
        for id in [id for id in self._faults if id not in now and id not in cleared]:
            text = f"fault {id} ended on {counted(ended[id] or self._faults[id], 'DER')}"
            self._end(time_ms, "ended", id, text)
        for id, devices in now.items():
            if id not in self._faults and id not in injected:
                text = f"fault {id} begins on {counted(devices, 'DER')}"
                self._begin(time_ms, "begins", id, text)
        self._faults = now

    def _begin(self, time_ms: int, state: str, id: str, text: str) -> None:
        self._add("fault", time_ms, state, id, text)
        self._open[id] = OpenFault(id, time_ms, text)

    def _end(self, time_ms: int, state: str, id: str, text: str) -> None:
        self._add("fault", time_ms, state, id, text)
        self._open.pop(id, None)

    def _add(
        self,
        kind: EntryKind,
        time_ms: int,
        state: str,
        subject: str,
        text: str,
        end_ms: int | None = None,
    ) -> None:
        self._kept.append(Entry(self._number, time_ms, kind, state, subject, text, end_ms))
        self._number += 1


def _cleared(result: TickResult) -> Sequence[str]:
    """Return the ids of the faults that instructions cleared."""
    clearing = {
        (one.target, one.id): one.fault
        for one in result.instructions
        if isinstance(one, ClearFault)
    }
    return [clearing[key] for key in map(_key, result.acknowledgements) if key in clearing]


def _key(answer: Acknowledgement) -> tuple[object, str] | None:
    return (answer.target, answer.id) if answer.status == "accepted" else None
