"""Time differences that many arrivals share: whole seconds, a local time, a constant shift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.pairing import Keys, keys_of, pair
from gridsim.verify.sent import Sent
from gridsim.verify.values import Ints, Small

Rows = NDArray[np.intp]
Rounding = Literal["exact", "truncated", "rounded", "raised"]

LEAST: Final = 3
"""The fewest readings that have a difference in common."""
_SAMPLE = 20_000
# The most likely resolution comes first: among equally good rules, the first is used.
_UNITS_MS = (1_000, 60_000, 100, 10, 3_600_000, 86_400_000)
QUARTER_MS: Final = 900_000
"""Zones differ by a multiple of a quarter of an hour."""
_CANDIDATES = 3
# The part of a sample that must agree with a shift, with and without equal values.
_VALUED = 0.2
_TIMED = 0.8
# The part of times that must be multiples of a unit which is their resolution.
_COARSE = 0.99
# The part of the first and last times that must differ by a shift of all times.
_ENDS = 0.8


@dataclass(frozen=True, slots=True)
class Shift:
    """A rule that derives an arrival's time from the time of its reading."""

    rounding: Rounding = "exact"
    unit_ms: int = 1
    """The resolution of the arrivals' times."""
    by_ms: int = 0

    @property
    def strangeness(self) -> int:
        """The rank among rules that fit equally well; the most likely rule has the lowest."""
        if not self.by_ms:
            return 0
        if not self.by_ms % QUARTER_MS:
            return 1
        return 2 if self.rounding == "exact" else 3

    def of(self, time_ms: Ints) -> Ints:
        """Return the times with which readings of these times arrive."""
        unit = self.unit_ms
        more = {"rounded": unit // 2, "raised": unit - 1}.get(self.rounding, 0)
        shifted: Ints = (time_ms + more) // unit * unit + self.by_ms
        return shifted


def find_shift(
    sent: Sent, arrivals: Arrivals, unmatched: Rows, absent: Rows, values: list[str]
) -> Shift | None:
    """Return the shift that most unmatched arrivals have in common, or None.

    `absent` are the readings that have not arrived, and `values` the names of the columns that
    both have.
    """
    if len(unmatched) < LEAST or len(absent) < LEAST:
        return None
    left, right = _sample(arrivals.device, sent.device, unmatched, absent)
    if len(left) < LEAST or len(right) < LEAST:
        return None
    best: tuple[tuple[int, ...], Shift] | None = None
    for shift in _candidates(sent, arrivals, left, right, values):
        time = shift.of(sent.time_ms[right])
        valued, timed = (
            len(
                pair(
                    _keys(arrivals, left, ["device", *names], arrivals.time_ms[left]),
                    _keys(sent, right, ["device", *names], time),
                )[0]
            )
            for names in (values, [])
        )
        few = min(len(left), len(right))
        if valued < max(LEAST, _VALUED * few):
            if timed < max(LEAST, _TIMED * few):
                continue
            valued = 0  # values are equal by chance
        score = (valued, timed, -shift.strangeness, -abs(shift.by_ms))
        if best is None or score > best[0]:
            best = score, shift
    return best[1] if best else None


def _sample(ours: Any, theirs: Any, left: Rows, right: Rows) -> tuple[Rows, Rows]:
    """Return the rows of some devices, with about the same number on both sides."""
    if len(left) <= _SAMPLE and len(right) <= 2 * _SAMPLE:
        return left, right
    devices, counts = np.unique(ours[left], return_counts=True)
    some = devices[: max(int(np.searchsorted(np.cumsum(counts), _SAMPLE)), 1)]
    left, right = left[np.isin(ours[left], some)], right[np.isin(theirs[right], some)]
    return left[: 4 * _SAMPLE], right[: 4 * _SAMPLE]


def _candidates(
    sent: Sent, arrivals: Arrivals, left: Rows, right: Rows, values: list[str]
) -> Iterator[Shift]:
    there, time = arrivals.time_ms[left], sent.time_ms[right]
    for rounding, unit in _resolutions(there, time):
        base = Shift(rounding, unit)
        of = base.of(time)
        yield base
        deltas = [*_common(_deltas(sent, arrivals, left, right, of, values))]
        deltas += [*_common(_ends(sent, arrivals, left, right, of))]
        for delta in dict.fromkeys(deltas):
            if delta:
                yield Shift(rounding, unit, delta)


def _resolutions(there: Ints, time: Ints) -> list[tuple[Rounding, int]]:
    """Return the possible resolutions of the arrivals' times, which the sent ones do not have."""
    found: list[tuple[Rounding, int]] = []
    for unit in _UNITS_MS:
        if (there % unit == 0).mean() > _COARSE > (time % unit == 0).mean():
            found += [("truncated", unit), ("rounded", unit), ("raised", unit)]
    return [*found, ("exact", 1)]


def _deltas(
    sent: Sent, arrivals: Arrivals, left: Rows, right: Rows, time: Ints, values: list[str]
) -> Ints:
    """Return the differences of time between arrivals and readings of equal values."""
    names = ["device", *values]
    ours, theirs = _keys(arrivals, left, names), _keys(sent, right, names)
    some = np.intersect1d(ours[_once(ours)], theirs[_once(theirs)])
    if len(some) >= LEAST:
        at, of = np.isin(ours, some), np.isin(theirs, some)
        left, time, ours, theirs = left[at], time[of], ours[at], theirs[of]
    a, b = pair(ours, theirs)
    deltas: Ints = arrivals.time_ms[left[a]] - time[b]
    return deltas


def _once(keys: Keys) -> NDArray[np.bool_]:
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    once: NDArray[np.bool_] = counts[inverse] == 1
    return once


def _ends(sent: Sent, arrivals: Arrivals, left: Rows, right: Rows, time: Ints) -> Ints:
    """Return the differences of time between the first of each device, and between the last."""
    deltas = []
    for last in (False, True):
        device, at = _edges(arrivals.device[left], arrivals.time_ms[left], last)
        other, of = _edges(sent.device[right], time, last)
        _, a, b = np.intersect1d(device, other, return_indices=True)
        deltas.append(at[a] - of[b])
    return np.concatenate(deltas)


def _edges(device: Any, time: Ints, last: bool) -> tuple[Any, Ints]:
    order = np.lexsort((-time if last else time, device))
    devices, first = np.unique(device[order], return_index=True)
    return devices, time[order][first]


def _common(deltas: Ints) -> Iterator[int]:
    found, counts = np.unique(deltas, return_counts=True)
    for place in np.lexsort((np.abs(found), -counts))[:_CANDIDATES]:
        yield int(found[place])


def _keys(side: Any, rows: Rows, names: list[str], time: Ints | None = None) -> Keys:
    columns = [getattr(side, name)[rows] for name in names]
    return keys_of(len(rows), columns if time is None else [*columns, time])


def nearest(
    arrivals: Arrivals, rows: Rows, sent: Sent, within_ms: int
) -> tuple[NDArray[np.intp], Ints]:
    """Return the group of each arrival, -1 if it has none, and the group of each sent reading.

    A group has the readings of one device and time. An arrival belongs to a group within a
    distance, if no other time of the device is within twice that distance of the group.
    """
    none = np.full(len(rows), -1, np.intp)
    if not len(rows) or not len(sent):
        return none, np.zeros(len(sent), np.int64)
    time = np.concatenate([sent.time_ms, arrivals.time_ms[rows]])
    low = int(time.min()) - within_ms - 1
    span = int(time.max()) + within_ms + 2 - low
    if span > 2**62 // (int(sent.device.max()) + 2):
        return none, np.zeros(len(sent), np.int64)  # a time is absurd
    keys = sent.device.astype(np.int64) * span + (sent.time_ms - low)
    times, group = np.unique(keys, return_inverse=True)
    own = arrivals.device[rows].astype(np.int64) * span + (arrivals.time_ms[rows] - low)
    first = np.searchsorted(times, own - within_ms, "left")
    last = np.searchsorted(times, own + within_ms, "right")
    # Closer times could be confused: an arrival might be a shifted one of the next time.
    apart = np.concatenate([[span], np.diff(times), [span]]) > 2 * within_ms
    alone = np.append(apart[1:] & apart[:-1], False)
    return np.where((last - first == 1) & alone[first], first, -1), group


class Ends:
    """The first and the last time of each device, and the resolution of all times."""

    def __init__(self, devices: int) -> None:
        self._first = np.full(devices, np.iinfo(np.int64).max)
        self._last = np.full(devices, np.iinfo(np.int64).min)
        self._rows = 0
        self._multiples = dict.fromkeys(_UNITS_MS, 0)

    def add(self, device: Small, time_ms: Ints) -> None:
        np.minimum.at(self._first, device, time_ms)
        np.maximum.at(self._last, device, time_ms)
        self._rows += len(time_ms)
        for unit in _UNITS_MS:
            self._multiples[unit] += int((time_ms % unit == 0).sum())

    def shift(self, sent: Ends) -> Shift | None:
        """Return the shift by which these times of nearly all devices differ from those sent."""
        if not self._rows or not sent._rows:
            return None
        for unit in _UNITS_MS:
            ours, theirs = (side._multiples[unit] / side._rows for side in (self, sent))
            if ours > _COARSE > theirs:
                return None  # the arrivals have a coarser resolution
        both = (self._first <= self._last) & (sent._first <= sent._last)
        first, last = (self._first - sent._first)[both], (self._last - sent._last)[both]
        found, counts = np.unique(np.concatenate([first, last]), return_counts=True)
        place = int(counts.argmax()) if len(counts) else 0
        if not len(counts) or not found[place] or counts[place] < _ENDS * 2 * both.sum():
            return None
        return Shift(by_ms=int(found[place]))


def shift_of_ends(sent: Sent, arrivals: Arrivals, rows: Rows, readings: Rows) -> Shift | None:
    """Return the shift by which these arrivals of nearly all devices differ from the readings."""
    device, of = arrivals.device[rows], sent.device[readings]
    devices = int(max(device.max(initial=-1), of.max(initial=-1))) + 1
    ours, theirs = Ends(devices), Ends(devices)
    ours.add(device, arrivals.time_ms[rows])
    theirs.add(of, sent.time_ms[readings])
    return ours.shift(theirs)
