"""Three lines over time: the true values, the reported values, and those in the user's system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.ledger import Reader, Window
from gridsim.ledger.columns import NONE, Ints
from gridsim.report.bins import Bins, Mean
from gridsim.verify.arrivals import Arrivals
from gridsim.verify.comparison import Comparison
from gridsim.verify.matches import ALTERED, CHANGED, SHIFTED, UNKNOWN
from gridsim.verify.times import NO_TIME
from gridsim.verify.values import NULL, Small

_ROWS: Final = 200_000
MISSING, AS_SENT, FAULTY, CHANGED_IN_DATA = range(4)
"""The ranks of a point: of several points in an interval, the one with the highest rank is
shown.
"""


@dataclass(frozen=True, slots=True)
class DrawnField:
    """A field that is drawn, with its columns in a ledger, as true and as sent."""

    true: str
    sent: str
    scale: int
    unit: str


COLUMNS: Final[Mapping[str, DrawnField]] = {
    "current_output": DrawnField("output", "sent_output", 100, "kW"),
    "power_meter_measurement": DrawnField("meter", "sent_meter", 100, "kW"),
    "baseline": DrawnField("baseline", "baseline", 100, "kW"),
    "current_soc": DrawnField("soc", "sent_soc", 10, "%"),
}


class Points:
    """One line: the most important point of each interval, and the first of points of equal
    rank.
    """

    def __init__(self, bins: Bins) -> None:
        self._bins = bins
        self._time_ms = np.zeros(bins.count, np.int64)
        self._value = np.full(bins.count, NONE, np.int64)
        self._rank = np.full(bins.count, -1, np.int64)

    def add(self, time_ms: Ints, value: Ints, rank: Ints) -> None:
        """Add points; a value that is NONE is a gap."""
        index, there = self._bins.index(time_ms)
        rows = np.flatnonzero(there)
        rows = rows[np.lexsort((-rank[rows], index[rows]))]
        at, first = np.unique(index[rows], return_index=True)
        rows = rows[first]
        better = rank[rows] > self._rank[at]
        at, rows = at[better], rows[better]
        self._time_ms[at], self._value[at], self._rank[at] = time_ms[rows], value[rows], rank[rows]

    def drawn(self, scale: int) -> tuple[Ints, Floats]:
        """Return times and values; NaN is a gap."""
        there = self._rank >= 0
        value = self._value[there]
        return self._time_ms[there], np.where(value == NONE, np.nan, value / scale)


@dataclass(slots=True, eq=False)
class ColumnLines:
    """The lines of one field of one device."""

    true: Points
    reported: Points
    held: Points | None
    """None: the user's data does not have the field."""
    differs: bool = False
    """True if the lines are not the same."""


class DeviceLines:
    """The lines of one device."""

    def __init__(self, device: int, bins: Bins, held: Sequence[str]) -> None:
        """Create empty lines; `held` are the fields that the user's data has."""
        self.device = device
        self.bins = bins
        self.columns = {
            name: ColumnLines(Points(bins), Points(bins), Points(bins) if name in held else None)
            for name in COLUMNS
        }

    def add_sent(
        self, window: Window, rows: NDArray[np.intp], arrived: NDArray[np.bool_], held: _Held
    ) -> None:
        """Add sent readings of the device; `arrived`: true if it arrived as it was sent."""
        places, of = held.of(window.number[rows])
        rank = np.where(arrived, AS_SENT + window.differs[rows].astype(np.int64), MISSING)
        rank[places] = CHANGED_IN_DATA
        first = ~window.copy[rows]
        time_ms = window.sent_ms[rows]
        own_ms = held.start_ms + window.tick[rows] * held.tick_ms
        known = np.maximum(rank, AS_SENT)
        came_ms = time_ms.copy()
        came_ms[places] = held.arrivals.time_ms[of]
        came_ms[came_ms == NO_TIME] = time_ms[came_ms == NO_TIME]
        for name, lines in self.columns.items():
            column = COLUMNS[name]
            true, sent = (getattr(window, n)[rows] for n in (column.true, column.sent))
            lines.true.add(own_ms[first], true[first], known[first])
            lines.reported.add(time_ms[first], sent[first], known[first])
            lines.differs |= bool((true != sent)[first].any())
            if lines.held is not None:
                value = np.where(arrived, sent, NONE)
                came = value[places] = _values(held.arrivals, column.true, of)
                lines.held.add(came_ms, value, rank)
                lines.differs |= bool(((came != sent[places]) & (came != NONE)).any())

    def add_unsent(self, tick_ms: Ints, values: Mapping[str, Ints]) -> None:
        """Add readings that were never sent."""
        none, rank = np.full(len(tick_ms), NONE), np.full(len(tick_ms), MISSING)
        for name, lines in self.columns.items():
            lines.true.add(tick_ms, values[COLUMNS[name].true], rank + AS_SENT)
            for line in (lines.reported, lines.held):
                if line is not None:
                    line.add(tick_ms, none, rank)

    def add_unknown(self, arrivals: Arrivals, rows: NDArray[np.intp]) -> None:
        """Add arrivals that were never sent."""
        rank = np.full(len(rows), CHANGED_IN_DATA)
        for name, lines in self.columns.items():
            if lines.held is not None and len(rows):
                value = _values(arrivals, COLUMNS[name].true, rows)
                lines.held.add(arrivals.time_ms[rows], value, rank)
                lines.differs |= bool((value != NONE).any())


@dataclass(frozen=True, slots=True, eq=False)
class FleetLines:
    """The output of the fleet in each interval, kW; NaN where there is none."""

    bins: Bins
    true: Floats
    reported: Floats
    held: Floats


class _Held:
    """The arrivals whose values or time differ from those sent."""

    def __init__(self, comparison: Comparison, start_ms: int, tick_ms: int) -> None:
        self.start_ms, self.tick_ms = start_ms, tick_ms
        self.arrivals, matching = comparison.arrivals, comparison.matching
        changed = np.isin(matching.how, (ALTERED, CHANGED, SHIFTED)) & (matching.reading >= 0)
        rows = np.flatnonzero(changed)
        number = comparison.sent.number[matching.reading[rows]]
        order = np.argsort(number, kind="stable")
        self._number, self._row = number[order], rows[order]
        stray = (matching.how == UNKNOWN) & (self.arrivals.device >= 0)
        self.unknown = np.flatnonzero(stray & (self.arrivals.time_ms != NO_TIME))

    def of(self, number: Ints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return which of these readings, by number, have such an arrival, and the arrivals."""
        if not len(self._number) or not len(number):
            none = np.empty(0, np.intp)
            return none, none
        at = np.minimum(np.searchsorted(self._number, number), len(self._number) - 1)
        places = np.flatnonzero(self._number[at] == number)
        return places, self._row[at[places]]


def read_lines(
    reader: Reader, comparison: Comparison, bins: Bins, devices: Sequence[DeviceLines]
) -> FleetLines:
    """Fill the lines of some devices, and return those of the fleet, in one pass."""
    start_ms, tick_ms = reader.meta["start_ms"], reader.meta["tick_ms"]
    held = _Held(comparison, start_ms, tick_ms)
    [(count,)] = reader.rows("SELECT count(*) FROM devices")
    chosen = np.zeros(count, np.bool_)
    chosen[[one.device for one in devices]] = True
    true, reported, kept = (Mean(bins, count) for _ in range(3))
    for window in reader.windows(_ROWS):
        arrived = comparison.arrived[window.number] >= 0
        index, there = bins.index(start_ms + window.tick * tick_ms)
        there &= ~window.copy
        value = np.where(arrived, window.sent_output, NONE)
        places, of = held.of(window.number)
        value[places] = _values(held.arrivals, "output", of)
        for mean, column in ((true, window.output), (reported, window.sent_output), (kept, value)):
            mean.add(index[there], column[there])
        some = np.flatnonzero(chosen[window.device])
        for one in devices:
            rows = some[window.device[some] == one.device]
            if len(rows):
                one.add_sent(window, rows, arrived[rows], held)
    unsent = reader.unsent()
    own = ~unsent.copy
    own_ms = start_ms + unsent.tick * tick_ms
    index, there = bins.index(own_ms)
    true.add(index[there & own], unsent.output[there & own])
    for one in devices:
        rows = np.flatnonzero(own & (unsent.device == one.device))
        names = {column.true for column in COLUMNS.values()}
        one.add_unsent(own_ms[rows], {name: getattr(unsent, name)[rows] for name in names})
        strays = held.unknown[held.arrivals.device[held.unknown] == one.device]
        one.add_unknown(held.arrivals, strays)
    return FleetLines(bins, *(mean.total() / 100 for mean in (true, reported, kept)))


def _values(arrivals: Arrivals, column: str, rows: NDArray[np.intp]) -> Ints:
    """Return the values that arrived, NONE where a value is missing or cannot be read."""
    own: Small = getattr(arrivals, column)[rows]
    found: NDArray[Any] = np.where(own <= NULL, NONE, own.astype(np.int64))
    return found
