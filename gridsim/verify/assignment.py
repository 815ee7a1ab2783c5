"""The assignment of sent readings to arrivals, one kind of match after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.match_keys import KeyOf, MatchKeys
from gridsim.verify.matches import AGAIN, ALTERED, CHANGED, EXACT, SHIFTED, UNKNOWN
from gridsim.verify.pairing import keys_of, pair, pair_nearest
from gridsim.verify.sent import DROPPED, PENDING, Sent
from gridsim.verify.shifts import Shift, find_shift, nearest, shift_of_ends
from gridsim.verify.times import NO_TIME
from gridsim.verify.values import Ints

_LEAST_PART = 0.05
_MOST_SHIFTS = 4
_MOST = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """The arrivals that were matched before, as far as n other arrivals depend on them."""

    count: int
    """The number of all arrivals."""
    place: Ints
    """The place of each other arrival among all, in the order of arrival, int64[n]."""
    before: Ints
    """The place of the last matched arrival before each, int64[n]; -1 if there is none."""
    number: Ints
    """The number of the reading of that arrival, int64[n]."""


class Assignment:
    """The readings that are assigned to arrivals so far, each to one arrival."""

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
        self.keys = MatchKeys(kept)
        self._values = self.keys.values
        self._tolerance_ms = tolerance_ms
        self.shifts: list[Shift] = []
        self.by = np.full(len(arrivals), -1, np.int8)
        self.reading = np.full(len(arrivals), -1, np.int64)
        self.how = np.full(len(arrivals), UNKNOWN, np.int8)
        self.arrived = np.zeros(len(sent), np.bool_)
        # Readings that were dropped before sending cannot have arrived.
        self._may = (sent.fate != DROPPED) | sent.retried

    def in_second_hour(self, second: Mapping[int, int]) -> NDArray[np.bool_]:
        """Return true for arrivals whose time may also lie in the second pass of a repeated
        hour.
        """
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
        """Interpret times as those of the second pass within the context."""
        own = self._arrivals
        if self._late is not None and late.any():
            self._arrivals = self._late
        try:
            yield
        finally:
            self._arrivals = own

    def pair_exact(self) -> None:
        sent, arrivals = self._sent, self._arrivals
        rows = self.as_sent
        # Among equal readings, first match those that are most likely to have arrived.
        doubt = np.zeros(len(sent), np.int8)
        doubt[sent.fate == PENDING] = 1
        doubt[sent.altered >= 0] = 2
        key = self.keys.exact()
        self._pair(np.flatnonzero(rows), np.argsort(doubt, kind="stable"), key, EXACT)
        # Match the readings that arrived again, in the order of sending.
        left = np.flatnonzero(self.how == EXACT)
        doubtful = np.flatnonzero((doubt > 0) & self.arrived)
        left = left[np.isin(key(arrivals, left), key(sent, doubtful))]
        self._pair(left, np.sort(self.reading[left]), key, EXACT)

    def pair_shifted(self) -> None:
        """Match arrivals with equal values and a time difference that many of them share."""
        sent, arrivals = self._sent, self._arrivals
        rows = (arrivals.device >= 0) & (arrivals.time_ms != NO_TIME) & ~arrivals.garbled
        while len(self.shifts) < _MOST_SHIFTS:
            unmatched = np.flatnonzero(rows & (self.reading < 0))
            absent = np.flatnonzero(~self.arrived & self._may & ~sent.copy)
            if not len(unmatched) or not len(absent):
                return
            shift = None
            if not self.shifts and self._beside is None:
                # Constant values are equal at both times, so few of them may stay unmatched.
                every = np.flatnonzero(rows), np.flatnonzero(self._may & ~sent.copy)
                shift = shift_of_ends(sent, arrivals, *every)
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
            self._pair(left, absent, self.keys.shifted(shift, "device", *self._values), SHIFTED)
            found = left[self.reading[left] >= 0]
            self.by[found] = len(self.shifts) - 1
            self._judge(found, shift)

    def _is_better(self, shift: Shift, rows: NDArray[np.intp], readings: NDArray[np.intp]) -> bool:
        """Return whether a shift of all arrivals explains more of them than no shift."""
        key = self.keys.shifted(shift, "device", *self._values)
        rows = rows[self.as_sent[rows]]
        count = len(pair(key(self._arrivals, rows), key(self._sent, readings))[0])
        return count > int((self.how == EXACT).sum()) and count > _MOST * len(rows)

    def pair_near(self) -> None:
        """Match arrivals of equal values within the tolerance, if it cannot confuse two times."""
        sent, arrivals = self._sent, self._arrivals
        own = self.keys.of("device", "time_ms", *self._values)
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
        """Mark shifted arrivals: exact within the tolerance, changed if `connection_start_at`
        changed.
        """
        sent, arrivals, allowed = self._sent, self._arrivals, self._tolerance_ms
        reading = self.reading[rows]
        near = np.abs(arrivals.time_ms[rows] - sent.time_ms[reading]) <= allowed
        if self.keys.has_since:
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
            self.pair(arrivals, sent, self.keys.shifted(shift, "device"), how)
            self.by[before & (self.reading >= 0)] = index

    def pair(
        self,
        arrivals: NDArray[np.bool_],
        sent: NDArray[np.bool_],
        key: KeyOf,
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
        key: KeyOf,
    ) -> None:
        """Match each arrival with the candidate that was sent closest to the previous arrival."""
        left = np.flatnonzero(arrivals & (self.reading < 0))
        if not len(left):
            return
        right = np.flatnonzero(sent & ~self.arrived & self._may)
        ours, theirs = key(self._arrivals, left), key(self._sent, right)
        a, b = pair_nearest(ours, theirs, self._numbers_before()[left], self._sent.number[right])
        self.reading[left[a]] = right[b]
        self.how[left[a]] = ALTERED
        self.arrived[right[b]] = True

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
        key: KeyOf,
        how: int,
    ) -> None:
        right = right[self._may[right]]
        a, b = pair(key(self._arrivals, left), key(self._sent, right))
        self.reading[left[a]] = right[b]
        self.how[left[a]] = how
        self.arrived[right[b]] = True

    def find_repeated(self) -> None:
        """Match the repetitions of readings that have arrived."""
        sent, arrivals = self._sent, self._arrivals
        free = (self.reading < 0) & (arrivals.device >= 0)
        taken = np.flatnonzero(self.arrived)
        keys = [(free & self.as_sent, self.keys.exact())]
        shifts = (*self.shifts, *((Shift(),) if self._tolerance_ms else ()))
        keys += [
            (free & self.as_sent, self.keys.shifted(shift, "device", *self._values))
            for shift in shifts
        ]
        keys.append((free & self._damaged, self.keys.of("device", "time_ms")))
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
