"""The recovery of a resumed run: the ticks that are stepped again, and what is sent of them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gridsim.api import Batch
from gridsim.contracts.part_status import ResumeStatus
from gridsim.contracts.results import TickResult
from gridsim.delivery import Fate, Observer
from gridsim.delivery.buffer import Buffer
from gridsim.execution.folder import Kept
from gridsim.ledger import KILLED, Continuation, Rewound

SKIPPED: Final = "not sent: on_recovery = skip"
"""The reason of readings of the time in which the run was down."""


@dataclass(frozen=True, slots=True)
class ResumeSchedule:
    """The place in real time of a run that was resumed, or that starts after its epoch."""

    present: int
    """The first tick that is due after the start; earlier ones are caught up."""
    behind_s: float | None = None
    """The seconds since the first tick was due, negative before that; None: it is due now."""


def schedule(kept: Kept, speed: float, tick_s: float, ticks: int | None) -> ResumeSchedule:
    """Return the place of a resumed run in real time, by the wall clock of this moment.

    Without a speed, or with another one than before, there is no time to catch up.
    """
    progress = kept.progress
    if not speed or progress.speed != speed or not progress.due_ms:
        return ResumeSchedule(progress.tick)
    late_s = time.time() - progress.due_ms / 1000
    interval_s = tick_s / speed
    if late_s < -interval_s:
        # The clock was set back meanwhile.
        return ResumeSchedule(progress.tick)
    present = progress.tick + max(0, int(late_s // interval_s) + 1)
    if ticks is not None:
        present = max(progress.tick, min(present, ticks))
    again_s = (progress.tick - kept.checkpoint.tick) * interval_s
    return ResumeSchedule(present, late_s + again_s)


def schedule_from(
    since_s: float, interval_s: float, tick: int, ticks: int | None
) -> ResumeSchedule:
    """Return the place in real time of a run whose tick 0 was due `since_s` seconds ago.

    `interval_s` is the real time between ticks, above 0, `tick` the first tick of this process, and
    `ticks` the index at which the run ends.
    """
    present = max(tick, math.floor(since_s / interval_s) + 1)
    if ticks is not None:
        present = min(present, max(tick, ticks))
    return ResumeSchedule(present, since_s - tick * interval_s)


class Recovery:
    """The readings of a resumed run that its transports get.

    Ticks before `handed_on` were handed to the transports in an earlier life. Those from there on
    and before `present` were missed while the run was down. `skip` sends neither what was settled
    nor what was missed; `republish` sends all.
    """

    def __init__(self, kept: Kept, on_recovery: str, present: int) -> None:
        """Take over an earlier life."""
        progress = kept.progress
        self.tick, self.handed_on, self.present = kept.checkpoint.tick, progress.tick, present
        self.first = kept.checkpoint.facts.readings
        self._handed = progress.readings
        self._positions = kept.checkpoint.facts.positions
        self._skips = on_recovery == "skip"
        self._gaps = kept.gaps if self._skips else ()
        self._on_recovery = on_recovery
        self.observers: Sequence[Observer | None] = ()
        """The observers of the transports; they get the readings that are skipped."""
        self.rewound: Rewound | None = None
        """The facts of the ledger that is continued; None: the run has none."""
        self._missing = self._again = 0
        self._done = present <= self.tick
        settled = [min(number, progress.readings) for number in progress.settled]
        self.sent_from = [
            max(number, self.first) if self._skips else self.first for number in settled
        ]
        """The number of the first reading that is sent, for each transport."""
        self._lost = [max(0, self.first - number) for number in settled]
        self._held: list[Sequence[tuple[int, int]]] = [()] * len(settled)

    def use_spools(self, buffers: Sequence[Buffer | None]) -> None:
        """Take over what the spools of the transports have kept: none of it is sent twice, or lost.

        `buffers` has the spool of each transport; None: it has none.
        """
        for transport, buffer in enumerate(buffers):
            accepted = None if buffer is None else buffer.accepted
            if buffer is None or accepted is None:
                continue
            self.sent_from[transport] = max(accepted, self.first)
            self._held[transport] = _joined([one for one in buffer.held if one[0] >= 0])
            self._lost[transport] = 0

    @property
    def missing(self) -> tuple[int, int] | None:
        """The first and the last tick that are never sent; None if there is none."""
        if not self._skips or self.handed_on >= self.present:
            return None
        return self.handed_on, self.present - 1

    def is_again(self, tick: int) -> bool:
        """Return whether an earlier life has stepped and handed on a tick."""
        return tick < self.handed_on

    def answers(self, tick: int) -> bool:
        """Return whether the acknowledgements of a tick are handed over."""
        return not (self._skips and self.is_again(tick))

    def batch_for(self, transport: int, result: TickResult) -> Batch:
        """Return the readings of a tick that a transport gets."""
        batch = result.batch
        if result.tick >= self.present:
            return batch
        if self.is_again(result.tick):
            self._settle_unknown(transport, result)
            known = self.sent_from[transport] - batch.number
            batch = batch.rows(max(0, min(known, len(batch))))
            return self._skipped(transport, batch) if self._was_skipped(result.tick) else batch
        return self._skipped(transport, batch) if self._skips else batch

    def _skipped(self, transport: int, batch: Batch) -> Batch:
        """Settle readings that are not sent, and return none."""
        observer = self.observers[transport]
        if len(batch) and observer is not None:
            observer.settled(batch.number, len(batch), "dropped", SKIPPED)
        return batch.rows(len(batch))

    def _was_skipped(self, tick: int) -> bool:
        """Return whether an earlier life has skipped a tick."""
        return any(first <= tick <= last for first, last in self._gaps)

    def _settle_unknown(self, transport: int, result: TickResult) -> None:
        """Settle readings that are not sent again, and whose fate was not written before the kill.

        They were skipped if their tick was missed by an earlier life.
        """
        observer, rewound = self.observers[transport], self.rewound
        if rewound is None or observer is None:
            return
        batch, skipped = result.batch, self._was_skipped(result.tick)
        for start, end in rewound.unknown[transport]:
            first, after = max(start, batch.number), min(end, batch.number + len(batch))
            if first >= after:
                continue
            if skipped:
                observer.settled(first, after - first, "dropped", SKIPPED)
            else:
                observer.settled(first, after - first, "unconfirmed", KILLED)

    def continuation(self) -> Continuation:
        """Return the point from which the ledger is continued."""
        return Continuation(
            self.tick,
            self.first,
            self._positions,
            self.handed_on,
            self._handed,
            self.sent_from,
            self.missing,
            self._on_recovery,
            self._held,
        )

    def note(self, result: TickResult) -> None:
        """Count the readings of a tick. Called in the engine's thread."""
        if result.tick < self.handed_on:
            self._again += len(result.batch)
        elif result.tick < self.present:
            self._missing += len(result.batch)
        self._done = result.tick + 1 >= self.present

    def status(self) -> ResumeStatus:
        """Return the status of the recovery."""
        return ResumeStatus(
            tick=self.tick,
            handed_on=self.handed_on,
            present=self.present,
            on_recovery=self._on_recovery,
            again=self._again,
            missed=self._missing,
            lost=sum(self._lost),
            caught_up=self._done,
        )


class SettledFrontier(Observer):
    """The observer that keeps the number of a transport's first reading that is not settled."""

    def __init__(self, transport: int, number: int, note: Callable[[int, int], None]) -> None:
        """Begin with a number; `note` gets the transport and each new number."""
        self.number = number
        self._transport = transport
        self._beyond: dict[int, int] = {}
        """Settled readings after an unsettled one: rows by the number of the first."""
        self._note = note
        # Skipped readings are noted in the engine's thread, others in the transport's.
        self._lock = threading.Lock()

    def settled(self, first: int, rows: int, fate: Fate, reason: str) -> None:
        """Note that readings are settled, with any fate."""
        with self._lock:
            if first > self.number:
                self._beyond[first] = max(rows, self._beyond.get(first, 0))
                return
            self.number = max(self.number, first + rows)
            while self._beyond and (start := min(self._beyond)) <= self.number:
                self.number = max(self.number, start + self._beyond.pop(start))
            self._note(self._transport, self.number)

    def again(self, first: int, rows: int) -> None:
        """Do nothing: readings that are sent again are not settled."""

    def kept(self, first: int, rows: int) -> None:
        """Do nothing: readings in a spool are not settled."""


def _joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges, each (first, rows), with those that follow one another as one."""
    joined: list[tuple[int, int]] = []
    for first, rows in sorted(ranges):
        if joined and first == sum(joined[-1]):
            joined[-1] = joined[-1][0], joined[-1][1] + rows
        else:
            joined.append((first, rows))
    return joined


def together(observers: Sequence[Observer | None]) -> Observer | None:
    """Return an observer that notifies all of them; None without any."""
    there = [one for one in observers if one is not None]
    return there[0] if len(there) == 1 else Observers(*there) if there else None


class Observers:
    """Several observers of one transport."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def settled(self, first: int, rows: int, fate: Fate, reason: str) -> None:
        """Notify each of them."""
        for observer in self._observers:
            observer.settled(first, rows, fate, reason)

    def again(self, first: int, rows: int) -> None:
        """Notify each of them."""
        for observer in self._observers:
            observer.again(first, rows)

    def kept(self, first: int, rows: int) -> None:
        """Notify each of them."""
        for observer in self._observers:
            observer.kept(first, rows)
