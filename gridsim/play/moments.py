"""The moments at which recorded readings are played: by their times, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import numpy as np

from gridsim.verify.values import Ints

P = TypeVar("P")

_AHEAD: Final = 64
"""The number of readings after a step forward that confirm it."""
_SEARCHED: Final = 1024


class Moments:
    """The moment of each reading, ms since 1970, which never goes back.

    It is the reading's own time as long as times go forward. A reading with an earlier time, which
    came late, is played in its place. A step forward counts only if at least half of the next 64
    readings make it, too: the clock of one device that is ahead does not hold up the others.
    """

    def __init__(self) -> None:
        self.now: int | None = None
        """The moment of the last reading; None before the first one."""
        self.late = 0
        """The number of readings with an earlier time than their moment."""
        self.late_ms = 0
        """The sum of the differences, ms."""

    def of(self, parts: Iterable[tuple[Ints, P]]) -> Iterator[tuple[Ints, P]]:
        """Yield the moments of the parts of a recording; each part comes with its times."""
        waiting: tuple[Ints, P] | None = None
        for part in parts:
            if waiting is not None:
                yield self._moments(waiting[0], part[0]), waiting[1]
            waiting = part
        if waiting is not None:
            yield self._moments(waiting[0], np.empty(0, np.int64)), waiting[1]

    def _moments(self, times: Ints, following: Ints) -> Ints:
        ahead = np.concatenate((times, following[:_AHEAD]))
        moments = np.empty(len(times), np.int64)
        now = self.now
        place = 0
        while place < len(times):
            if now is None:
                now = _first(ahead[:_AHEAD])
            # Up to the next step forward the moment stays.
            end = _next_above(times, place, now)
            moments[place:end] = now
            earlier = now - times[place:end]
            self.late += int(np.count_nonzero(earlier))
            self.late_ms += int(earlier.sum())
            if end < len(times):
                time = int(times[end])
                next_ones = ahead[end : end + _AHEAD]
                if 2 * np.count_nonzero(next_ones >= time) >= len(next_ones):
                    now = time
                moments[end] = now
                end += 1
            place = end
        self.now = now
        return moments


def _first(times: Ints) -> int:
    """Return the first of some times, or the earliest if most of the others are before it."""
    return int(times[0] if 2 * np.count_nonzero(times >= times[0]) >= len(times) else times.min())


def _next_above(times: Ints, place: int, now: int) -> int:
    """Return the place of the next time above `now`, or the number of times."""
    while place < len(times):
        found = np.flatnonzero(times[place : place + _SEARCHED] > now)
        if len(found):
            return place + int(found[0])
        place += _SEARCHED
    return len(times)
