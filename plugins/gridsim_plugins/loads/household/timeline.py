"""The switching loads of homes in time: the mean power over any tick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim_plugins.loads.household.cold import LONGEST_MS, Compressors
from gridsim_plugins.loads.household.edges import Edges, joined
from gridsim_plugins.loads.household.fluctuation import Fluctuation
from gridsim_plugins.loads.household.uses import LOOK_BACK_MS, SLOT_MS, Uses

_CYCLES_MS = 4 * SLOT_MS
"""Cycles of cold appliances are computed for an hour at a time."""
_HOMES_AT_ONCE = 2048
"""Fewer homes are computed for several slots at a time."""
_FARTHEST_MS = 8 * _CYCLES_MS
"""A longer gap between ticks is skipped instead of stepped through."""


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """The energy in a tick, of each home."""

    energy: NDArray[np.int64]
    """The energy of the steps in the tick, mW ms."""
    fluctuating: NDArray[np.int64]
    """The integral of power and fluctuation."""
    after: NDArray[np.int64]
    """The integral of the fluctuation up to the end of the tick."""


class Timeline:
    """The switching power of n homes, a function of (seed, home, time) alone.

    It keeps the edges to come and the present power. Both are computed again where a tick does
    not follow the one before.
    """

    def __init__(
        self,
        homes: int,
        uses: Uses,
        compressors: Compressors,
        fluctuation: Fluctuation,
        early: float,
    ) -> None:
        """Take the homes' uses, compressors and fluctuation.

        `early`, 0 to 1, is the part of a slot by which the edges of the next one are computed
        ahead. Timelines with different values do not all compute in the same tick.
        """
        self._uses, self._compressors, self._fluctuation = uses, compressors, fluctuation
        self._ahead_ms = max(1, min(_HOMES_AT_ONCE // max(homes, 1), 16)) * SLOT_MS
        self._early_ms = int(early * self._ahead_ms)
        self._level = np.zeros(homes, np.int64)
        self._now: int | None = None
        # The end of the last tick, and the integrals of the fluctuation up to it.
        self._reached: tuple[int, NDArray[np.int64]] | None = None
        self._next: tuple[Edges, Edges] | None = None
        self._begin(0)

    def mean_w(self, start_ms: int, end_ms: int) -> Floats:
        """Return the mean power over [start_ms, end_ms), float64[n], W."""
        self._go_to(start_ms)
        level, fluctuation = self._level.copy(), self._fluctuation
        if self._reached is None or self._reached[0] != start_ms:
            self._reached = start_ms, fluctuation.until(start_ms)
        before, after = self._reached[1], fluctuation.until(end_ms)
        self._reached = end_ms, after
        # The sum of steps, each times the rest of the tick: mW ms; and times the fluctuation of
        # that rest.
        grown = after - before
        grown *= level + fluctuation.standby
        moment = _Moment(np.zeros_like(level), grown, after)
        self._step_to(end_ms, moment)
        if self._next is None and end_ms >= self._until - self._early_ms:
            self._next = self._look_ahead()
        length = end_ms - start_ms
        steady = level + moment.energy / length
        mean: Floats = (steady + fluctuation.mean_mw(moment.fluctuating, length)) * 1e-3
        return mean

    def _begin(self, time_ms: int) -> None:
        """Forget what was computed, and find what is on at UTC `time_ms`."""
        self._until = time_ms // SLOT_MS * SLOT_MS
        self._cycles_until = (time_ms - LONGEST_MS) // _CYCLES_MS * _CYCLES_MS
        self._level[:] = 0
        self._later, self._edges, self._done = joined([]), joined([]), 0
        self._until_edge = np.zeros(0, np.int64)
        self._next = None

    def _go_to(self, time_ms: int) -> None:
        now = self._now
        if now == time_ms:
            return
        if now is None or time_ms < now or time_ms > now + _FARTHEST_MS:
            self._begin(time_ms)
            start = self._until - LOOK_BACK_MS
            self._later = self._uses.between(start, self._until, self._until)
            self._turn()
        self._step_to(time_ms, None)

    def _step_to(self, time_ms: int, moment: _Moment | None) -> None:
        """Add the edges before UTC `time_ms` to the power, and to `moment`."""
        while True:
            reached = int(np.searchsorted(self._edges.time_ms, time_ms))
            if reached > self._done:
                new = slice(self._done, reached)
                home, step = self._edges.home[new], self._edges.step_mw[new].astype(np.int64)
                np.add.at(self._level, home, step)
                if moment is not None:
                    at_ms = self._edges.time_ms[new]
                    left = moment.after[home] - self._until_edge[new]
                    np.add.at(moment.energy, home, step * (time_ms - at_ms))
                    np.add.at(moment.fluctuating, home, step * left)
                self._done = reached
                self._forget_done()
            if self._until >= time_ms:
                break
            self._turn()
        self._now = time_ms

    def _forget_done(self) -> None:
        """Forget the edges of the past as soon as they are the larger part.

        Many homes have several megabytes of edges for a quarter of an hour.
        """
        if 2 * self._done > len(self._edges):
            self._edges = self._edges.since(self._done)
            self._until_edge = self._until_edge[self._done :].copy()
            self._done = 0

    def _turn(self) -> None:
        """Take the edges of the next slots."""
        self._edges, self._later = self._next or self._look_ahead()
        self._until += self._ahead_ms
        # The integrals of the fluctuation up to each edge, for all edges at once.
        self._until_edge = self._fluctuation.until(self._edges.time_ms, self._edges.home)
        self._next, self._done = None, 0

    def means_w(self, start_ms: int, tick_ms: int, count: int) -> Floats:
        """Return the mean power over each of `count` consecutive ticks, float64[count, n], W.

        Powers and energies are integers, so that they do not depend on the order of the sums.
        """
        self._go_to(start_ms)
        fluctuation, n = self._fluctuation, len(self._level)
        ends = start_ms + tick_ms * np.arange(count + 1, dtype=np.int64)
        until = fluctuation.until(ends[:, None])
        # The steps, by tick and home; those within a tick count in full from the next one on.
        steps, energy, fluctuating = np.zeros((3, count + 1, n), np.int64)
        end_ms = int(ends[-1])
        while True:
            reached = int(np.searchsorted(self._edges.time_ms, end_ms))
            if reached > self._done:
                new = slice(self._done, reached)
                home, step = self._edges.home[new], self._edges.step_mw[new].astype(np.int64)
                at_ms = self._edges.time_ms[new]
                tick = (at_ms - start_ms) // tick_ms
                np.add.at(steps, (tick + 1, home), step)
                np.add.at(energy, (tick, home), step * (ends[tick + 1] - at_ms))
                left = until[tick + 1, home] - self._until_edge[new]
                np.add.at(fluctuating, (tick, home), step * left)
                self._done = reached
            if self._until >= end_ms:
                break
            self._turn()
        level = np.cumsum(steps, axis=0) + self._level
        self._now, self._level, self._reached = end_ms, level[-1].copy(), (end_ms, until[-1])
        if self._next is None and end_ms >= self._until - self._early_ms:
            self._next = self._look_ahead()
        grown = until[1:] - until[:-1]
        grown *= level[:-1] + fluctuation.standby
        grown += fluctuating[:-1]
        steady = level[:-1] + energy[:-1] / tick_ms
        means: Floats = (steady + fluctuation.mean_mw(grown, tick_ms)) * 1e-3
        return means

    def _look_ahead(self) -> tuple[Edges, Edges]:
        """Return the edges of the next slots by time, and those that come after the slots."""
        start, end = self._until, self._until + self._ahead_ms
        parts = [self._later, self._uses.between(start, end)]
        if self._cycles_until < end:
            until = -(-end // _CYCLES_MS) * _CYCLES_MS
            parts.append(self._compressors.between(self._cycles_until, until))
            self._cycles_until = until
        known = joined(parts)
        self._later = joined([])
        before = known.time_ms < end
        soon = np.flatnonzero(before)
        order = soon[np.argsort(known.time_ms[soon])]
        return known.where(order), known.where(~before)
