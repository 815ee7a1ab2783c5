"""Quantities that change slowly, evaluated at intervals and interpolated linearly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.randomness import Floats

MINUTE_MS = 60_000
_MOST_AHEAD, _CELLS_AHEAD = 32, 16_384
Rows = NDArray[np.intp]
Times = NDArray[np.int64]


class Minutely:
    """A function of time, evaluated at whole UTC minutes only.

    The minutes are those of UTC, not of the run. The value at a time therefore does not depend
    on the start of the run or the length of its ticks.
    """

    def __init__(
        self, function: Callable[[int], Floats], many: Callable[[Times], Floats] | None = None
    ) -> None:
        """Take a function of UTC ms that returns an array of a fixed shape.

        `many` is the same function of int64[k] times, with k rows. `block` then calls it once
        instead of the function for each minute. So does `at`, for up to 32 minutes ahead, and for
        fewer of a large array.
        """
        self._function = function
        self._many = many
        self._ahead: Floats | None = None
        """The values at the minutes from `_ahead_from` on."""
        self._ahead_from = 0
        self._minute: int | None = None
        self._from: Floats
        self._to: Floats
        self._rise: Floats

    def at(self, time_ms: int) -> Floats:
        """Return the value at UTC `time_ms`; callers must not write to it."""
        minute, past = divmod(time_ms, MINUTE_MS)
        if minute != self._minute:
            self._move_to(minute)
        if past == 0:
            return self._from
        return self._from + past / MINUTE_MS * self._rise

    def block(self, times_ms: Times) -> Floats:
        """Return the values at k ascending UTC times: float64[k, ...], the same as `at` returns."""
        minute, past = np.divmod(times_ms, MINUTE_MS)
        wanted = np.unique(np.concatenate((minute, minute + 1)))
        known = wanted[:0]
        if self._minute is not None:
            held = np.array([self._minute, self._minute + 1])
            known = held[np.isin(held, wanted)]
        missing = wanted[~np.isin(wanted, known)]
        new = self._values(missing * MINUTE_MS)
        values = np.empty((len(wanted), *(new if len(new) else self._from[None]).shape[1:]))
        for one in known.tolist():
            values[np.searchsorted(wanted, one)] = self._from if one == self._minute else self._to
        if len(new):
            values[np.searchsorted(wanted, missing)] = new
        first = np.searchsorted(wanted, minute)
        start, rise = values[first], values[first + 1] - values[first]
        share = (past / MINUTE_MS).reshape(-1, *[1] * (start.ndim - 1))
        # A whole minute has the function's own value, even if it is minus zero.
        result: Floats = np.where(share == 0.0, start, start + share * rise)
        self._minute = int(minute[-1])
        self._from, self._to, self._rise = values[first[-1]], values[first[-1] + 1], rise[-1]
        return result

    def _values(self, times_ms: Times) -> Floats:
        if self._many is not None and len(times_ms):
            return self._many(times_ms)
        return np.array([self._function(one) for one in times_ms.tolist()], np.float64)

    def _move_to(self, minute: int) -> None:
        start = minute * MINUTE_MS
        follows = self._minute is not None and minute == self._minute + 1
        self._from = self._to if follows else self._function(start)
        self._to = self._value(minute + 1, follows=follows)
        self._rise = self._to - self._from
        self._minute = minute

    def _value(self, minute: int, *, follows: bool) -> Floats:
        """Return the value at a minute; compute more minutes if it `follows` the one before."""
        held = 0 if self._ahead is None else len(self._ahead)
        place = minute - self._ahead_from
        if self._ahead is not None and 0 <= place < held:
            known: Floats = self._ahead[place]
            return known
        self._ahead = None
        if self._many is None or not follows:
            return self._function(minute * MINUTE_MS)
        length = min(2 * max(held, 1), _MOST_AHEAD, max(1, _CELLS_AHEAD // max(self._to.size, 1)))
        if length == 1:
            return self._function(minute * MINUTE_MS)
        ahead = self._many((minute + np.arange(length)) * MINUTE_MS)
        self._ahead, self._ahead_from = ahead, minute
        value: Floats = ahead[0]
        return value


class Staggered:
    """A function of time for n rows, each evaluated at its own marks, `every_ms` apart.

    Use it for quantities that are costly and change slowly: with spread marks, no tick evaluates
    all rows. The value at a time depends on the marks of the row alone, not on earlier calls.
    """

    def __init__(
        self, function: Callable[[Rows, Times], Floats], offset_ms: Times, every_ms: int
    ) -> None:
        """Take a function of rows and their UTC times in ms that returns [quantities, rows].

        The marks are at multiples of `every_ms` plus `offset_ms`, int64[n].
        """
        self._function = function
        self._every = every_ms
        self._offset = offset_ms
        self._next = np.full(len(offset_ms), np.iinfo(np.int64).min)
        self._time: int | None = None
        self._from: Floats
        self._to: Floats
        self._rise: Floats

    def at(self, time_ms: int) -> Floats:
        """Return the values at UTC `time_ms`, [quantities, n]; callers must not write to them."""
        if self._time is None or time_ms < self._time:
            self._move(np.arange(len(self._next)), time_ms, all_rows=True)
        else:
            due = np.flatnonzero(self._next <= time_ms)
            if len(due):
                self._move(due, time_ms, all_rows=False)
        self._time = time_ms
        share = 1.0 - (self._next - time_ms) / self._every
        result: Floats = self._from + share * self._rise
        return result

    def block(self, times_ms: Times) -> Floats:
        """Return the values at k ascending UTC times: [quantities, k, n], as `at` returns them.

        All marks of the block are evaluated in one call.
        """
        if len(times_ms) > 1 and int(np.diff(times_ms).max()) > self._every:
            # Most marks in between are not needed.
            return np.stack([self.at(int(one)) for one in times_ms.tolist()], axis=1)
        if self._time is None or times_ms[0] < self._time:
            self._move(np.arange(len(self._next)), int(times_ms[0]), all_rows=True)
        n, every = len(self._next), self._every
        # The number of marks passed since the last call, and the marks to come for them.
        passed = (times_ms[:, None] - self._next) // every + 1
        count = passed[-1]
        rows = np.repeat(np.arange(n), count)
        number = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count) + 1
        marks = np.zeros((len(self._from), int(count.max(initial=0)) + 2, n))
        marks[:, 0], marks[:, 1] = self._from, self._to
        if len(rows):
            marks[:, number + 1, rows] = self._function(rows, self._next[rows] + number * every)
        rises = marks[:, 1:] - marks[:, :-1]
        place = passed * n + np.arange(n)
        starts = marks.reshape(len(marks), -1).take(place, axis=1)
        rise = rises.reshape(len(marks), -1).take(place, axis=1)
        share = 1.0 - (self._next + passed * every - times_ms[:, None]) / every
        self._next = self._next + count * every
        self._from, self._rise = starts[:, -1], rise[:, -1]
        self._to = marks.reshape(len(marks), -1).take(place[-1] + n, axis=1)
        self._time = int(times_ms[-1])
        result: Floats = starts + share * rise
        return result

    def _move(self, rows: Rows, time_ms: int, *, all_rows: bool) -> None:
        mark = (time_ms - self._offset[rows]) // self._every * self._every + self._offset[rows]
        if all_rows:
            start = self._function(rows, mark)
            self._from = np.empty((len(start), len(self._next)))
            self._to, self._rise = np.empty_like(self._from), np.empty_like(self._from)
        else:
            start = self._to[:, rows]
            jumped = np.flatnonzero(mark != self._next[rows])
            if len(jumped):
                start[:, jumped] = self._function(rows[jumped], mark[jumped])
        end = self._function(rows, mark + self._every)
        self._from[:, rows], self._to[:, rows] = start, end
        self._rise[:, rows] = end - start
        self._next[rows] = mark + self._every
