"""Intervals of simulated time, in which the readings of a ledger are summed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.ledger.columns import NONE, Ints

# Lengths that are easy to read on an axis, seconds.
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Bins:
    """Consecutive intervals of equal length."""

    start_ms: int
    step_ms: int
    count: int

    @classmethod
    def over(cls, start_ms: int, end_ms: int, tick_ms: int, most: int) -> Bins:
        """Return at most `most` intervals of whole ticks from `start_ms` to `end_ms` or later."""
        span_ms = max(end_ms - start_ms, tick_ms)
        least_ms = -(-span_ms // most)
        if least_ms <= tick_ms:
            return cls(start_ms, tick_ms, -(-span_ms // tick_ms))
        step_ms = next((s * 1000 for s in _STEPS_S if s * 1000 >= least_ms), least_ms)
        step_ms = -(-step_ms // tick_ms) * tick_ms
        return cls(start_ms, step_ms, -(-span_ms // step_ms))

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.step_ms * self.count

    def times_ms(self) -> Ints:
        """Return the start of each interval."""
        return self.start_ms + self.step_ms * np.arange(self.count, dtype=np.int64)

    def index(self, time_ms: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Return the interval of each time, and whether it is in any."""
        index = (time_ms - self.start_ms) // self.step_ms
        return index, (index >= 0) & (index < self.count)


class Mean:
    """The mean of the members' reports in each interval, times the number of members. If all
    members report equally often, this is the mean of their sum. An interval without reports is NaN.
    """

    def __init__(self, bins: Bins, members: float) -> None:
        self._members = members
        self._sum = np.zeros(bins.count)
        self._weight = np.zeros(bins.count)

    def add(self, index: Ints, values: Ints, weight: Floats | None = None) -> None:
        """Add reported values, each with the weight of its reading, 1 if not given.

        Values that are NONE do not count.
        """
        there = values != NONE
        if not there.all():
            index, values = index[there], values[there]
            weight = None if weight is None else weight[there]
        count = len(self._sum)
        shares = values if weight is None else values * weight
        self._sum += np.bincount(index, shares, count)
        self._weight += np.bincount(index, weight, count)

    def total(self) -> Floats:
        """Return the sum over all members, float64[intervals]."""
        empty = self._weight == 0
        mean = self._sum / np.where(empty, 1.0, self._weight)
        return np.where(empty, np.nan, mean * self._members)
