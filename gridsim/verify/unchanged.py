"""The matching of unchanged readings while the user's data is read.

Most readings arrive as they were sent. They are matched in chunks, so that neither side is in
memory as a whole. All others are left for `match`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.ledger import Reader
from gridsim.verify.arrivals import Arrivals
from gridsim.verify.evidence import Evidence
from gridsim.verify.fields import BIT, SEQ
from gridsim.verify.growing import Growing
from gridsim.verify.lines import ArrivalLines
from gridsim.verify.pairing import Keys, keys_of
from gridsim.verify.roster import LedgerRoster
from gridsim.verify.sent import DELIVERED, UNCONFIRMED, Sent, SentWindows
from gridsim.verify.values import Ints, Small

ROWS: Final = 200_000
"""The number of sent readings of a window."""
_SMALL: Final = {
    "current_output": "output",
    "power_meter_measurement": "meter",
    "baseline": "baseline",
    "current_soc": "soc",
    "is_online": "online",
}
"""The compared fields of 32 bits, with their columns."""


@dataclass(frozen=True, slots=True)
class RunTimes:
    """The ticks of a run, and the identity of a reading: its device and time as one number."""

    start_ms: int
    tick_ms: int
    ticks: int
    """The number of ticks with readings."""
    devices: int

    def of(self, tick: Small) -> Ints:
        time: Ints = self.start_ms + tick.astype(np.int64) * self.tick_ms
        return time

    def keys(self, device: Small, time_ms: Ints) -> Ints:
        """Return the identity of each reading; -1 if it is outside the run."""
        since = time_ms - self.start_ms
        within = (device >= 0) & (time_ms >= self.start_ms)
        within &= time_ms < self.start_ms + self.ticks * self.tick_ms
        return np.where(within, since * self.devices + device, -1)

    def tick_of(self, keys: Ints) -> Ints:
        return keys // (self.devices * self.tick_ms)


@dataclass(slots=True, eq=False)
class _Window:
    """The readings of a window, known only to have been sent."""

    first: int
    """The number of the first reading."""
    key: Ints
    """The identities, ascending."""
    digest: Keys
    place: NDArray[np.int32] | None
    """The number of each reading minus `first`; None: 0, 1, 2, ..."""
    unmatched: int

    def numbers(self, at: NDArray[np.intp]) -> Ints:
        places: Ints = at if self.place is None else self.place[at].astype(np.int64)
        return places + self.first


class Unchanged:
    """The readings that arrived as they were sent, and the places of their arrivals.

    Such a reading has no label of a fault, was sent in its own tick, and was not dropped. Its
    arrival is whole and has its values, and is the first of those with its device and time.
    """

    def __init__(self, reader: Reader, windows: SentWindows, roster: LedgerRoster) -> None:
        meta, projects = reader.meta, len(roster.project_id)
        [(numbers, ticks)] = reader.rows("SELECT max(first + rows), max(tick) + 1 FROM batches")
        self.windows = windows
        self.times = RunTimes(
            meta["start_ms"], meta["tick_ms"], ticks or 0, max(len(roster.der_id), 1)
        )
        self._projects = roster.project
        self.place = np.full(numbers or 0, -1, np.int32)
        """The place of each reading's arrival, by number; -1 if it is not matched."""
        self.epochs: list[tuple[int, np.uint16]] = [(0, np.uint16(0))]
        """The masks of the fields that were compared, each with its first arrival.

        The data may have an additional field from some arrival on.
        """
        self.count = 0
        """The number of arrivals."""
        self.garbled = 0
        self.sent_by_project = np.zeros(projects, np.int64)
        self.last_left = -1
        """The last tick in which a reading was sent."""
        self.lines = ArrivalLines()
        self.rest = Growing()
        """The places of the arrivals that are left."""
        self.rest.append(np.empty(0, np.int64))
        self._received = Growing()
        self._conflicts: list[Ints] = []
        self._counted = -1
        self._restart()

    def match(self, parts: Iterable[Arrivals], evidence: Evidence) -> Arrivals:
        """Match parts in the order of arrival, and return the arrivals that are left.

        There must be at least one part.
        """
        return Arrivals.joined(self._unmatched(parts, evidence))

    def _unmatched(self, parts: Iterable[Arrivals], evidence: Evidence) -> Iterator[Arrivals]:
        for part in parts:
            if evidence.kept != self.kept:
                self.epochs.append((self.count, evidence.kept))
                self._restart()
            matched = self._match(part) if len(part) else np.zeros(0, np.bool_)
            self.lines.append(part.line)
            self._received.append(part.received_ms)
            self.garbled += int(part.garbled.sum())
            rows = np.flatnonzero(~matched)
            self.rest.append(rows + self.count)
            self.count += len(part)
            yield part if len(rows) == len(part) else part.take(rows)

    def finish(self) -> None:
        """Read the ledger's readings to the end."""
        while self._next():
            pass
        self._open.clear()

    @property
    def kept(self) -> np.uint16:
        """The mask of the fields that were compared last."""
        return self.epochs[-1][1]

    def spans(self) -> Iterator[tuple[int, int, np.uint16]]:
        """Yield the first and the end place of each mask of compared fields, and the mask."""
        firsts = [first for first, _ in self.epochs]
        for (first, kept), end in zip(self.epochs, [*firsts[1:], self.count], strict=True):
            yield first, end, kept

    def received_ms(self) -> Ints:
        """Return the time at which each arrival was received, in the order of arrival."""
        return self._received.whole()

    def conflicts(self) -> Ints:
        """Return the identities that a fault gave to a second reading."""
        return np.concatenate([np.empty(0, np.int64), *self._conflicts])

    def _restart(self) -> None:
        self._source = self.windows.read(ROWS)
        self._last_ticks: list[int] = []
        self._open: dict[int, _Window] = {}

    def _match(self, part: Arrivals) -> NDArray[np.bool_]:
        """Return true for the arrivals that are matched."""
        whole = ~part.garbled & ((part.absent & self.kept) == 0) & ((part.strange & self.kept) == 0)
        keys = self.times.keys(part.device, part.time_ms)
        keys[~whole] = -1
        matched = np.zeros(len(part), np.bool_)
        if (last := int(keys.max())) < 0:
            return matched
        last_tick = int(self.times.tick_of(np.array(last)))
        while (not self._last_ticks or self._last_ticks[-1] < last_tick) and self._next():
            pass
        digest = _digest(part, self.kept)
        of = np.searchsorted(self._last_ticks, self.times.tick_of(keys))
        of[keys < 0] = -1
        for index in np.unique(of).tolist():
            if (window := self._open.get(index)) is None:
                continue
            rows = np.flatnonzero(of == index) if of.min() != of.max() else np.arange(len(part))
            at = np.searchsorted(window.key, keys[rows])
            np.minimum(at, len(window.key) - 1, out=at)
            same = (window.key[at] == keys[rows]) & (window.digest[at] == digest[rows])
            rows, number = rows[same], window.numbers(at[same])
            free = self.place[number] < 0
            rows, number = rows[free], number[free]
            # Of several arrivals, the first counts: it is written last.
            self.place[number[::-1]] = (rows + self.count)[::-1]
            rows = rows[self.place[number] == rows + self.count]
            matched[rows] = True
            window.unmatched -= len(rows)
            if not window.unmatched:
                del self._open[index]
        return matched

    def _next(self) -> bool:
        """Read a window of the ledger; return false at the end."""
        sent = next(self._source, None)
        if sent is None:
            return False
        index, first = len(self._last_ticks), int(sent.number[0])
        self._last_ticks.append(int(sent.left[-1]))
        keys = self.times.keys(sent.device, sent.time_ms)
        shifted = sent.time_ms != self.times.of(sent.tick)
        if first > self._counted:
            self._counted = first
            of = np.bincount(self._projects[sent.device], None, len(self.sent_by_project))
            self.sent_by_project += of
            self.last_left = int(sent.left[-1])
            self._conflicts.append(keys[(shifted | sent.copy) & (keys >= 0)])
        plain = ~(sent.differs | sent.copy | shifted) & (sent.faults == 0) & (sent.altered < 0)
        plain &= (sent.fate == DELIVERED) | (sent.fate == UNCONFIRMED)
        plain &= (sent.left == sent.tick) & (self.place[sent.number] < 0)
        rows: NDArray[np.intp] | None = None
        if not plain.all():
            rows = np.flatnonzero(plain)
            keys = keys[rows]
        if not (keys[1:] > keys[:-1]).all():
            order = np.argsort(keys, kind="stable")
            rows = order if rows is None else rows[order]
            keys = keys[order]
            twice = keys[1:] == keys[:-1]
            once = ~(np.append(twice, False) | np.append(False, twice))
            rows, keys = rows[once], keys[once]
        if len(keys):
            digest = _digest(sent, self.kept)
            self._open[index] = _Window(
                first,
                keys,
                digest if rows is None else digest[rows],
                None if rows is None else (sent.number[rows] - first).astype(np.int32),
                len(keys),
            )
        return True


def _digest(side: Sent | Arrivals, kept: np.uint16) -> Keys:
    """Return a key of the compared values of each row."""
    names = [column for name, column in _SMALL.items() if int(kept) & BIT[name]]
    pairs = np.zeros((len(side), (len(names) + 1) // 2 * 2), np.int32)
    for place, name in enumerate(names):
        pairs[:, place] = getattr(side, name)
    columns: list[NDArray[Any]] = list(pairs.view(np.int64).T)
    if int(kept) & BIT["connection_start_at"]:
        columns.append(side.since_ms)
    if int(kept) & BIT[SEQ]:
        columns.append(side.seq)
    return keys_of(len(side), columns)
