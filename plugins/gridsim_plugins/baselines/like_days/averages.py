"""The means of the last like days, for sites with the same settings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Expected, Floats, Stateful
from gridsim_plugins.baselines.like_days.settings import LikeDaysSettings

_MINUTE_MS, _DAY_MS, _WEEK_MS = 60_000, 86_400_000, 604_800_000
_NEVER = np.iinfo(np.int64).max
_MONDAY = 4
"""The first Monday of 1970, in days since the first of January."""


class DayAverages(Stateful):
    """The baselines of m sites: mean net consumption of each slot of the day over like days.

    Times before the start are filled with what the loads are expected to draw, so memory does
    not grow: it holds one number per site, day and slot.
    """

    derived = ("_local_ms",)

    def __init__(
        self,
        settings: LikeDaysSettings,
        sites: int,
        local_ms: Callable[[int], NDArray[np.int64]],
        start_ms: int,
        expected: Expected,
    ) -> None:
        """Fill the history. `local_ms` returns the sites' clocks at a UTC time, [m]."""
        self._slot_ms, self._cap = settings.slot_ms, settings.cap
        self._window_slots, self._gap_slots = settings.window_slots, settings.gap_slots
        self._local_ms = local_ms
        m, slots = sites, _DAY_MS // settings.slot_ms
        self._row = np.arange(m)
        kept = (settings.days, settings.weekend_days)
        self._kept = np.array(kept)
        self._history = tuple(np.zeros((m, n, slots), np.float32) for n in kept)
        self._oldest = np.zeros((2, m), np.intp)
        self._totals = np.zeros((2, m, slots))
        """The sum over the days of the history, by kind of day, site and slot."""
        self._sum, self._time = np.zeros((m, slots)), np.zeros((m, slots))
        """The present day's integral of the consumption, and the seconds that it covers."""
        self._had_event = np.zeros(m, np.bool_)
        self._open = np.zeros(m, np.intp)
        """The number of events that are announced and not over."""
        self._begin_ms = np.full(m, _NEVER)
        self._factor = np.ones(m)
        self._recent = np.zeros((2, self._window_slots + self._gap_slots + 2, m))
        """The integrals of consumption and mean over the last slots of time, in a ring."""
        self._newest = start_ms // self._slot_ms
        self._minute = -1
        self._day = np.full(m, np.iinfo(np.int64).min)
        self._now = self._slot = np.zeros(m, np.int64)
        self._mean = np.zeros(m)
        self._fill_history(settings, start_ms, expected)

    def at(self, time_ms: int) -> Floats:
        """Return the baseline at UTC `time_ms`, float64[m], kW."""
        self._move_to(time_ms)
        return self._mean * self._factor

    def note(self, time_ms: int, net_kw: Floats, dt_s: float) -> None:
        """Take in what the sites drew for `dt_s` seconds from UTC `time_ms` on."""
        self._move_to(time_ms)
        self._roll_to(time_ms)
        running = self._begin_ms <= time_ms
        self._had_event |= running
        # Not where the clock went back over midnight: that day is closed.
        span = np.where(self._now == self._day, dt_s, 0.0)
        self._sum[self._row, self._slot] += net_kw * span
        self._time[self._row, self._slot] += span
        place = self._newest % self._recent.shape[1]
        counted = np.where(running, 0.0, dt_s)
        self._recent[0, place] += net_kw * counted
        self._recent[1, place] += self._mean * counted

    def event_announced(
        self, rows: NDArray[np.intp], time_ms: int, begin_ms: NDArray[np.int64]
    ) -> None:
        """Hold the adjustment of these sites until every announced event is over."""
        fresh = rows[self._open[rows] == 0]
        self._factor[fresh] = self._adjustment(time_ms)[fresh]
        self._open[rows] += 1
        self._begin_ms[rows] = np.minimum(self._begin_ms[rows], begin_ms)

    def event_over(self, rows: NDArray[np.intp]) -> None:
        """End the adjustment of the sites that have no other announced event."""
        self._open[rows] -= 1
        free = rows[self._open[rows] <= 0]
        self._begin_ms[free] = _NEVER
        self._factor[free] = 1.0

    def _adjustment(self, time_ms: int) -> Floats:
        """Return the day-of adjustment from the hours before UTC `time_ms`, float64[m]."""
        self._roll_to(time_ms)
        end = self._newest - self._gap_slots
        window = np.arange(end - self._window_slots, end) % self._recent.shape[1]
        drew, mean = self._recent[:, window].sum(axis=1)
        usual = mean > 0.0
        ratio = np.divide(drew, mean, out=np.ones_like(drew), where=usual)
        held: Floats = np.clip(ratio, 1.0 - self._cap, 1.0 + self._cap)
        return held

    def _fill_history(self, settings: LikeDaysSettings, start_ms: int, expected: Expected) -> None:
        """Fill the history with what the loads are expected to draw before the start."""
        step = self._slot_ms
        # A week more, because its first day is not whole.
        weeks = max(-(-settings.days // 5), -(-settings.weekend_days // 2)) + 1
        first = (start_ms - weeks * _WEEK_MS) // step * step
        self._newest = first // step
        for at in range(first, start_ms, step):
            span = min(step, start_ms - at)
            self.note(at, expected(at + span // 2), span / 1000.0)

    def _move_to(self, time_ms: int) -> None:
        """Find day and slot of every site, once a minute: zones are whole minutes apart."""
        minute = time_ms // _MINUTE_MS
        if minute == self._minute:
            return
        self._minute = minute
        local = self._local_ms(time_ms)
        self._now, self._slot = local // _DAY_MS, local % _DAY_MS // self._slot_ms
        turned = np.flatnonzero(self._now > self._day)
        if len(turned):
            self._close(turned)
            self._day[turned] = self._now[turned]
        kind = _kind(self._now)
        self._mean = self._totals[kind, self._row, self._slot] / self._kept[kind]

    def _close(self, rows: NDArray[np.intp]) -> None:
        """Add the past day of these sites to the history, unless it had an event."""
        useful = ~self._had_event[rows] & self._time[rows].any(axis=1)
        for kind, history in enumerate(self._history):
            own = rows[useful & (_kind(self._day[rows]) == kind)]
            place = self._oldest[kind, own]
            history[own, place] = _filled(self._sum[own], self._time[own])
            self._oldest[kind, own] = (place + 1) % history.shape[1]
            self._totals[kind, own] = history[own].sum(axis=1, dtype=np.float64)
        self._sum[rows] = 0.0
        self._time[rows] = 0.0
        self._had_event[rows] = False

    def _roll_to(self, time_ms: int) -> None:
        """Clear the places of the ring for the slots up to UTC `time_ms`."""
        newest, places = time_ms // self._slot_ms, self._recent.shape[1]
        if newest > self._newest:
            gone = np.arange(max(self._newest, newest - places) + 1, newest + 1) % places
            self._recent[:, gone] = 0.0
            self._newest = newest


def _kind(day: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return 0 for a working day, 1 for Saturday and Sunday; days since 1970-01-01."""
    return ((day - _MONDAY) % 7 >= 5).astype(np.intp)


def _filled(total: Floats, time: Floats) -> Floats:
    """Return the means of the slots, [k, slots].

    An empty slot has the mean of the slot before it; where there is none, of the slot after.
    """
    has = time > 0.0
    mean = np.divide(total, time, out=np.zeros_like(total), where=has)
    known = np.where(has, np.arange(has.shape[1]), -1)
    known = np.maximum.accumulate(known, axis=1)
    known = np.where(known < 0, has.argmax(axis=1)[:, None], known)
    return np.take_along_axis(mean, known, axis=1)
