"""What changes slowly: worked out now and then, with straight lines in between."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.randomness import Floats

MINUTE_MS = 60_000


class Minutely:
    """A function of time, evaluated at whole UTC minutes only.

    The minutes are those of UTC, not of the run, so that the value at a time does not
    depend on when the run started or how long its ticks are.
    """

    def __init__(self, function: Callable[[int], Floats]) -> None:
        """`function` takes UTC ms and returns an array of one fixed shape."""
        self._function = function
        self._minute: int | None = None
        self._from: Floats
        self._to: Floats
        self._rise: Floats

    def at(self, time_ms: int) -> Floats:
        """The value at UTC `time_ms`; do not write to it."""
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
    """A function of time for n rows, each evaluated at marks of its own, `every_ms` apart.

    For what is costly and changes slowly: no tick has to evaluate all rows, if the rows' marks
    are spread. The value at a time depends on the row's marks alone, not on what was asked
    for before.
    """

    def __init__(
        self, function: Callable[[Rows, Times], Floats], offset_ms: Times, every_ms: int
    ) -> None:
        """`function` takes rows and a UTC time for each, ms, and returns [quantities, rows].

        `offset_ms`, int64[n]: the marks are at multiples of `every_ms` plus this.
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
        """The values at UTC `time_ms`, [quantities, n]; do not write to them."""
        if self._time is None or time_ms < self._time:
            self._move(np.arange(len(self._next)), time_ms, anew=True)
        else:
            due = np.flatnonzero(self._next <= time_ms)
            if len(due):
                self._move(due, time_ms, anew=False)
        self._time = time_ms
        share = 1.0 - (self._next - time_ms) / self._every
        result: Floats = self._from + share * self._rise
        return result

    def _move(self, rows: Rows, time_ms: int, *, anew: bool) -> None:
        mark = (time_ms - self._offset[rows]) // self._every * self._every + self._offset[rows]
        if anew:
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
