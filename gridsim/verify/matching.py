"""The matching of arrivals with the readings that were sent."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.fields import BIT, SEQ
from gridsim.verify.pairing import Keys, keys_of, pair
from gridsim.verify.sent import DROPPED, PENDING, Sent
from gridsim.verify.shifts import Ends, Shift, find_shift, nearest
from gridsim.verify.times import NO_TIME
from gridsim.verify.values import Ints

UNKNOWN: Final = 0
EXACT: Final = 1
"""The reading arrived as it was sent."""
ALTERED: Final = 2
"""The reading's message was altered by a fault, and arrived altered."""
CHANGED: Final = 3
"""The reading arrived with other values than were sent."""
AGAIN: Final = 4
"""A repetition of a reading that has already arrived."""
SHIFTED: Final = 5
"""The reading arrived as it was sent, but with another time."""

_VALUES: Final = {
    "is_online": "online",
    "current_output": "output",
    "power_meter_measurement": "meter",
    "baseline": "baseline",
    "current_soc": "soc",
    SEQ: "seq",
}
"""The fields whose values distinguish readings, with their columns."""
_LEAST_PART = 0.05
_MOST_SHIFTS = 4
_MOST = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """The arrivals that were matched before, as far as they matter to n other arrivals."""

    count: int
    """The number of all arrivals."""
    place: Ints
    """The place of each other arrival among all, in the order of arrival, int64[n]."""
    before: Ints
    """The place of the last matched arrival before each, int64[n]; -1 if there is none."""
    number: Ints
    """The number of the reading of that arrival, int64[n]."""


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    reading: Ints
    """The index of the sent reading, int64[arrivals]; -1 if there is no match."""
    how: NDArray[np.int8]
    damaged: NDArray[np.bool_]
    """True if an arrival is not a whole record, bool[arrivals]."""
    arrived: NDArray[np.bool_]
    """True if a sent reading has arrived, bool[sent]."""
    shifts: Sequence[Shift] = ()
    """The differences of time that many arrivals share."""
    by: NDArray[np.int8] | None = None
    """The index in `shifts` of the one by which an arrival was matched, or -1, int8[arrivals]."""


def match(
    sent: Sent,
    arrivals: Arrivals,
    kept: np.uint16,
    tolerance_ms: int = 0,
    second: Mapping[int, int] | None = None,
    beside: Beside | None = None,
) -> Matching:
    """Find the reading of every arrival; each reading is matched at most once.

    `kept` is the mask of the fields that the user's data has: a record without a readable value of
    each is damaged. With `beside`, other arrivals are matched already.
    Unchanged arrivals are matched first, then those with a difference of time that many share: they
    count as unchanged within `tolerance_ms`. `second` has the later meaning of times in an hour
    that a local clock repeats. Next are those altered by faults: by their readable
    fields, and then by elimination. Changed arrivals are matched last.
    """
    damaged = arrivals.garbled | ((arrivals.absent & kept) != 0)
    work = _Work(sent, arrivals, damaged, kept, tolerance_ms, beside)
    work.pair_exact(kept)
    late = work.in_second_hour(second or {})
    with work.later(late):
        work.pair(work.as_sent & late, ~work.arrived, work.exact_key(kept), EXACT)
    work.pair_shifted()
    if tolerance_ms:
        work.pair_near()
    altered = sent.altered >= 0
    known = arrivals.device >= 0
    timed = arrivals.time_ms != NO_TIME
    counted = arrivals.seq >= 0
    by_reading = work.key("device", "time_ms")
    work.pair(
        known & timed & counted & damaged, altered, work.key("device", "time_ms", "seq"), ALTERED
    )
    for rows in (known & timed & damaged, known & timed & ~damaged):
        work.pair(rows, altered, by_reading, ALTERED)
        work.pair_by_shifts(rows, altered, ALTERED)
    partly = damaged & ~(known & timed)
    for rows, names in (
        (known & counted, ("device", "seq")),
        (known, ("device",)),
        (timed, ("time_ms",)),
        (~known & ~timed, ()),
    ):
        work.pair_nearest(rows & partly & ~arrivals.garbled, altered, work.key(*names))
        # A garbled text without more readable fields counts for its whole message.
        firsts = work.firsts_of_absent(altered)
        work.pair_nearest(rows & partly & arrivals.garbled, firsts, work.key(*names))
    work.pair_by_shifts(known & timed, ~altered, CHANGED)
    work.pair(known & timed, ~altered, by_reading, CHANGED)
    with work.later(late):
        work.pair(known & late, ~altered, by_reading, CHANGED)
    work.find_repeated(kept)
    with work.later(late):
        work.find_repeated(kept)
    return Matching(work.reading, work.how, damaged, work.arrived, work.shifts, work.by)


class _Work:
    """The state of the matching."""

    def __init__(
        self,
        sent: Sent,
        arrivals: Arrivals,
        damaged: NDArray[np.bool_],
        kept: np.uint16,
        tolerance_ms: int,
        beside: Beside | None,
    ) -> None:
        self._beside = beside
        self._count = len(arrivals) if beside is None else beside.count
        self._sent = sent
        self._arrivals = arrivals
        self._damaged = damaged
        self._late: Arrivals | None = None
        self.as_sent = ~damaged & (arrivals.device >= 0) & ((arrivals.strange & kept) == 0)
        self._values = [column for name, column in _VALUES.items() if int(kept) & BIT[name]]
        self._has_since = bool(int(kept) & BIT["connection_start_at"])
        self._tolerance_ms = tolerance_ms
        self.shifts: list[Shift] = []
        self.by = np.full(len(arrivals), -1, np.int8)
        self.reading = np.full(len(arrivals), -1, np.int64)
        self.how = np.full(len(arrivals), UNKNOWN, np.int8)
        self.arrived = np.zeros(len(sent), np.bool_)
        # Readings that were dropped before sending cannot have arrived.
        self._may = (sent.fate != DROPPED) | sent.retried

    def key(self, *names: str) -> Callable[[Sent | Arrivals, NDArray[np.intp]], Keys]:
        """Return a function that makes keys of these columns for rows of either side."""

        def make(side: Sent | Arrivals, rows: NDArray[np.intp]) -> Keys:
            return keys_of(len(rows), (getattr(side, name)[rows] for name in names))

        return make

    def exact_key(self, kept: np.uint16) -> Callable[[Sent | Arrivals, NDArray[np.intp]], Keys]:
        since = ["since_ms"] if self._has_since else []
        return self.key("device", "time_ms", *self._values, *since)

    def shifted_key(
        self, shift: Shift, *names: str
    ) -> Callable[[Sent | Arrivals, NDArray[np.intp]], Keys]:
        """Return a function that makes keys of these columns and of the time after a shift."""

        def make(side: Sent | Arrivals, rows: NDArray[np.intp]) -> Keys:
            time = side.time_ms[rows]
            columns = (getattr(side, name)[rows] for name in names)
            return keys_of(len(rows), (shift.of(time) if side is self._sent else time, *columns))

        return make

    def in_second_hour(self, second: Mapping[int, int]) -> NDArray[np.bool_]:
        """Return true for arrivals whose time may also mean the second pass of a repeated hour."""
        time = self._arrivals.time_ms
        late = (
            np.isin(time, np.array(list(second), np.int64))
            if second
            else np.zeros(len(time), np.bool_)
        )
        if late.any():
            times = time.copy()
            times[late] = [second[ms] for ms in time[late].tolist()]
            self._late = replace(self._arrivals, time_ms=times)
        return late

    @contextmanager
    def later(self, late: NDArray[np.bool_]) -> Iterator[None]:
        """Take the second meaning of times within the context."""
        own = self._arrivals
        if self._late is not None and late.any():
            self._arrivals = self._late
        try:
            yield
        finally:
            self._arrivals = own

    def pair_exact(self, kept: np.uint16) -> None:
        sent, arrivals = self._sent, self._arrivals
        rows = self.as_sent
        # Among equal readings, match those first that are most likely to have arrived.
        doubt = np.zeros(len(sent), np.int8)
        doubt[sent.fate == PENDING] = 1
        doubt[sent.altered >= 0] = 2
        key = self.exact_key(kept)
        self._pair(np.flatnonzero(rows), np.argsort(doubt, kind="stable"), key, EXACT)
        # Match the readings that did arrive again, in the order of sending.
        left = np.flatnonzero(self.how == EXACT)
        doubtful = np.flatnonzero((doubt > 0) & self.arrived)
        left = left[np.isin(key(arrivals, left), key(sent, doubtful))]
        self._pair(left, np.sort(self.reading[left]), key, EXACT)

    def pair_shifted(self) -> None:
        """Match arrivals with equal values and a difference of time that many share."""
        sent, arrivals = self._sent, self._arrivals
        rows = (arrivals.device >= 0) & (arrivals.time_ms != NO_TIME) & ~arrivals.garbled
        while len(self.shifts) < _MOST_SHIFTS:
            unmatched = np.flatnonzero(rows & (self.reading < 0))
            absent = np.flatnonzero(~self.arrived & self._may & ~sent.copy)
            if not len(unmatched) or not len(absent):
                return
            shift = None
            if not self.shifts and self._beside is None:
                # Values that do not change are equal at both times, so that few may be unmatched.
                every = np.flatnonzero(rows), np.flatnonzero(self._may & ~sent.copy)
                shift = _shift_of_ends(sent, arrivals, *every)
                if shift is not None and not self._is_better(shift, *every):
                    shift = None
                if shift is not None:
                    self.reading[:], self.how[:], self.arrived[:] = -1, UNKNOWN, False
                    unmatched, absent = every
            if shift is None and len(unmatched) >= _LEAST_PART * self._count:
                shift = find_shift(sent, arrivals, unmatched, absent, self._values)
            if shift is None or shift in self.shifts or shift == Shift():
                return
            self.shifts.append(shift)
            left = unmatched[self.as_sent[unmatched]]
            self._pair(left, absent, self.shifted_key(shift, "device", *self._values), SHIFTED)
            found = left[self.reading[left] >= 0]
            self.by[found] = len(self.shifts) - 1
            self._judge(found, shift)

    def _is_better(self, shift: Shift, rows: NDArray[np.intp], readings: NDArray[np.intp]) -> bool:
        """Return whether a shift of all arrivals explains more of them than no shift."""
        key = self.shifted_key(shift, "device", *self._values)
        rows = rows[self.as_sent[rows]]
        count = len(pair(key(self._arrivals, rows), key(self._sent, readings))[0])
        return count > int((self.how == EXACT).sum()) and count > _MOST * len(rows)

    def pair_near(self) -> None:
        """Match arrivals of equal values within the tolerance, if it cannot confuse two times."""
        sent, arrivals = self._sent, self._arrivals
        own = self.key("device", "time_ms", *self._values)
        left = np.flatnonzero(self.as_sent & (self.reading < 0) & (arrivals.time_ms != NO_TIME))
        right = np.flatnonzero(~self.arrived)
        self._pair(left, right, own, SHIFTED)
        self._judge(left[self.reading[left] >= 0], Shift())
        left = left[self.reading[left] < 0]
        group, groups = nearest(arrivals, left, sent, self._tolerance_ms)
        left, group = left[group >= 0], group[group >= 0]
        for names, how in ((self._values, SHIFTED), ([], CHANGED)):
            free, right = self.reading[left] < 0, np.flatnonzero(~self.arrived & self._may)
            rows, of = left[free], groups[right]
            ours = keys_of(len(rows), [group[free], *(getattr(arrivals, n)[rows] for n in names)])
            a, b = pair(ours, keys_of(len(of), [of, *(getattr(sent, n)[right] for n in names)]))
            self.reading[rows[a]], self.how[rows[a]] = right[b], how
            self.arrived[right[b]] = True
            if how == SHIFTED:
                self._judge(rows[a], Shift())

    def _judge(self, rows: NDArray[np.intp], shift: Shift) -> None:
        """Mark shifted arrivals: exact within the tolerance, changed if their connection is."""
        sent, arrivals, allowed = self._sent, self._arrivals, self._tolerance_ms
        reading = self.reading[rows]
        near = np.abs(arrivals.time_ms[rows] - sent.time_ms[reading]) <= allowed
        if self._has_since:
            ours, theirs = arrivals.since_ms[rows], sent.since_ms[reading]
            close = np.abs(ours - theirs) <= allowed
            self.how[rows[~close & (ours != shift.of(theirs))]] = CHANGED
            near &= close
        self.how[rows[near]] = EXACT

    def pair_by_shifts(
        self, arrivals: NDArray[np.bool_], sent: NDArray[np.bool_], how: int
    ) -> None:
        """Match arrivals and readings of equal device and shifted time."""
        for index, shift in enumerate(self.shifts):
            before = self.reading < 0
            self.pair(arrivals, sent, self.shifted_key(shift, "device"), how)
            self.by[before & (self.reading >= 0)] = index

    def pair(
        self,
        arrivals: NDArray[np.bool_],
        sent: NDArray[np.bool_],
        key: Callable[[Sent | Arrivals, NDArray[np.intp]], Keys],
        how: int,
    ) -> None:
        """Match arrivals and readings of equal keys among those that are not matched yet."""
        left = np.flatnonzero(arrivals & (self.reading < 0))
        if len(left):
            self._pair(left, np.flatnonzero(sent & ~self.arrived), key, how)

    def pair_nearest(
        self,
        arrivals: NDArray[np.bool_],
        sent: NDArray[np.bool_],
        key: Callable[[Sent | Arrivals, NDArray[np.intp]], Keys],
    ) -> None:
        """Match each arrival with the candidate that was sent closest to the previous arrival."""
        left = np.flatnonzero(arrivals & (self.reading < 0))
        if not len(left):
            return
        right = np.flatnonzero(sent & ~self.arrived & self._may)
        row_of = dict(zip(self._sent.number[right].tolist(), right.tolist(), strict=True))
        free: dict[int, list[int]] = {}
        for number, value in zip(row_of, key(self._sent, right).tolist(), strict=True):
            free.setdefault(value, []).append(number)
        near = self._numbers_before()[left]
        keys = key(self._arrivals, left).tolist()
        for row, value, place in zip(left.tolist(), keys, near.tolist(), strict=True):
            candidates = free.get(value)
            if not candidates:
                continue
            at = bisect_left(candidates, place)
            if at == len(candidates) or (
                at and place - candidates[at - 1] < candidates[at] - place
            ):
                at -= 1
            reading = row_of[candidates.pop(at)]
            self.reading[row] = reading
            self.how[row] = ALTERED
            self.arrived[reading] = True

    def _numbers_before(self) -> Ints:
        """Return the number of the reading of the last matched arrival before each, or 0."""
        rows = len(self.reading)
        if not rows or not len(self._sent):
            return np.zeros(rows, np.int64)
        matched = np.where(self.reading >= 0, np.arange(rows), -1)
        before = np.maximum.accumulate(matched)
        number = np.where(before >= 0, self._sent.number[self.reading[before]], 0)
        if (beside := self._beside) is None:
            return number
        place = np.where(before >= 0, beside.place[before], -1)
        return np.where(beside.before > place, beside.number, number)

    def firsts_of_absent(self, sent: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the first reading of each message that has not arrived."""
        rows = np.flatnonzero(sent & self._may)
        message = self._sent.message
        rows = rows[~np.isin(message[rows], message[self.arrived])]
        firsts = np.zeros(len(sent), np.bool_)
        firsts[rows[np.unique(message[rows], return_index=True)[1]]] = True
        return firsts

    def _pair(
        self,
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        key: Callable[[Sent | Arrivals, NDArray[np.intp]], Keys],
        how: int,
    ) -> None:
        right = right[self._may[right]]
        a, b = pair(key(self._arrivals, left), key(self._sent, right))
        self.reading[left[a]] = right[b]
        self.how[left[a]] = how
        self.arrived[right[b]] = True

    def find_repeated(self, kept: np.uint16) -> None:
        """Match the repetitions of readings that have arrived."""
        sent, arrivals = self._sent, self._arrivals
        free = (self.reading < 0) & (arrivals.device >= 0)
        taken = np.flatnonzero(self.arrived)
        keys = [(free & self.as_sent, self.exact_key(kept))]
        shifts = (*self.shifts, *((Shift(),) if self._tolerance_ms else ()))
        keys += [
            (free & self.as_sent, self.shifted_key(shift, "device", *self._values))
            for shift in shifts
        ]
        keys.append((free & self._damaged, self.key("device", "time_ms")))
        for rows, key in keys:
            left = np.flatnonzero(rows & (self.reading < 0))
            if not len(left) or not len(taken):
                continue
            ours, theirs = key(arrivals, left), key(sent, taken)
            # Take the last of the equal readings, and prefer retried ones: they may arrive twice.
            order = np.lexsort((sent.retried[taken], theirs))
            place = np.searchsorted(theirs[order], ours, side="right") - 1
            found = taken[order[np.maximum(place, 0)]]
            hit = (place >= 0) & (theirs[order[np.maximum(place, 0)]] == ours)
            self.reading[left[hit]] = found[hit]
            self.how[left[hit]] = AGAIN


def _shift_of_ends(
    sent: Sent, arrivals: Arrivals, rows: NDArray[np.intp], readings: NDArray[np.intp]
) -> Shift | None:
    device, of = arrivals.device[rows], sent.device[readings]
    devices = int(max(device.max(initial=-1), of.max(initial=-1))) + 1
    ours, theirs = Ends(devices), Ends(devices)
    ours.add(device, arrivals.time_ms[rows])
    theirs.add(of, sent.time_ms[readings])
    return ours.shift(theirs)
