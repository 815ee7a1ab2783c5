"""Quantities that change slowly, evaluated at intervals and interpolated linearly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.randomness import Floats

MINUTE_MS = 60_000


class Minutely:
    """A function of time, evaluated at whole UTC minutes only.

    The minutes are those of UTC, not of the run. The value at a time therefore does not depend
    on the start of the run or the length of its ticks.
    """

    def __init__(self, function: Callable[[int], Floats]) -> None:
        """Take a function of UTC ms that returns an array of a fixed shape."""
        self._function = function
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

    def _move_to(self, minute: int) -> None:
        start = minute * MINUTE_MS
        follows = self._minute is not None and minute == self._minute + 1
        self._from = self._to if follows else self._function(start)
        self._to = self._function(start + MINUTE_MS)
        self._rise = self._to - self._from
        self._minute = minute


Rows = NDArray[np.intp]
Times = NDArray[np.int64]


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
