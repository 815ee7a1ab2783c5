"""The means of the last like days, for sites with the same settings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Expected, Floats, Stateful
from gridsim_plugins.baselines.like_days.settings import LikeDaysSettings

_MINUTE_MS, _DAY_MS = 60_000, 86_400_000
_NEVER = np.iinfo(np.int64).max
_SATURDAY = 5


class DayAverages(Stateful):
    """The baselines of m sites: mean net consumption of each slot of the day over like days.

    Days before the start are not stored: for a like day before the start, a slot is the expected
    consumption of the site then, which is a function of the time. Memory does not grow: it holds
    one number per site, slot and day of the run, for as many days as are averaged.
    """

    derived = ("_local_ms", "_weekday", "_expected", "_adjusted", "_midnights", "_row")

    def __init__(
        self,
        settings: LikeDaysSettings,
        sites: int,
        local_ms: Callable[[int], NDArray[np.int64]],
        weekday: Callable[[NDArray[np.int64]], NDArray[np.int64]],
        start_ms: int,
        expected: Expected,
    ) -> None:
        """Begin at the run's start.

        `local_ms` returns the sites' clocks at a UTC time, [m]; `weekday` the weekdays of their
        local days, [..., m], 6 for Sundays and public holidays.
        """
        self._slot_ms, self._cap = settings.slot_ms, settings.cap
        self._window_slots, self._gap_slots = settings.window_slots, settings.gap_slots
        self._local_ms, self._weekday, self._expected = local_ms, weekday, expected
        m, slots = sites, _DAY_MS // settings.slot_ms
        self._row = np.arange(m)
        kept = (settings.days, settings.weekend_days)
        self._kept = np.array(kept)
        self._history = tuple(np.zeros((n, slots, m), np.float32) for n in kept)
        self._oldest = np.zeros((2, m), np.intp)
        self._before = np.repeat(self._kept[:, None], m, axis=1)
        """The number of the like days that lie before the start, by kind of day and site."""
        self._first_day = local_ms(start_ms) // _DAY_MS
        self._sum, self._time = np.zeros((slots, m)), np.zeros((slots, m))
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
        self._day = self._first_day.copy()
        self._now = np.zeros(m, np.int64)
        self._slot = np.full(m, -1, np.int64)
        self._mean = np.zeros(m)
        self._adjusted: tuple[int, Floats] | None = None
        self._midnights: dict[tuple[int, int], NDArray[np.int64]] = {}
        self._begin_at(start_ms)

    def at(self, time_ms: int) -> Floats:
        """Return the baseline at UTC `time_ms`, float64[m], kW."""
        self._move_to(time_ms)
        return self._mean * self._factor

    def note(self, time_ms: int, net_kw: Floats, dt_s: float) -> None:
        """Add the consumption of the sites for `dt_s` seconds from UTC `time_ms` on."""
        self._move_to(time_ms)
        self._roll_to(time_ms)
        running = self._begin_ms <= time_ms
        self._had_event |= running
        # Skip sites whose clock went back over midnight, because that day is closed.
        span = np.where(self._now == self._day, dt_s, 0.0)
        self._sum[self._slot, self._row] += net_kw * span
        self._time[self._slot, self._row] += span
        self._adjusted = None
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
        if self._adjusted is not None and self._adjusted[0] == time_ms:
            return self._adjusted[1]
        self._roll_to(time_ms)
        end = self._newest - self._gap_slots
        window = np.arange(end - self._window_slots, end) % self._recent.shape[1]
        drew, mean = self._recent[:, window].sum(axis=1)
        usual = mean > 0.0
        ratio = np.divide(drew, mean, out=np.ones_like(drew), where=usual)
        held: Floats = np.clip(ratio, 1.0 - self._cap, 1.0 + self._cap)
        self._adjusted = time_ms, held
        return held

    def _begin_at(self, start_ms: int) -> None:
        """Fill the slots of the first day, and those of the adjustment, before the start."""
        step, today = self._slot_ms, self._first_day
        ring = (self._recent.shape[1] - 1) * step
        # One more hour, because the clock may have changed since midnight.
        past_ms = int((self._local_ms(start_ms) % _DAY_MS).max()) + 3_600_000
        first = (start_ms - max(past_ms, ring)) // step * step
        self._newest = first // step
        for at in range(first, start_ms, step):
            local = self._local_ms(at)
            own, recent = local // _DAY_MS == today, at >= (start_ms - ring) // step * step
            if not (recent or own.any()):
                continue
            span = min(step, start_ms - at)
            kw, seconds = self._expected(at + span // 2), span / 1000.0
            slot = local % _DAY_MS // step
            self._sum[slot, self._row] += np.where(own, kw * seconds, 0.0)
            self._time[slot, self._row] += np.where(own, seconds, 0.0)
            if recent:
                self._roll_to(at)
                place = self._newest % self._recent.shape[1]
                self._recent[0, place] += kw * seconds
                self._recent[1, place] += self._mean_of(local // _DAY_MS, slot) * seconds

    def _move_to(self, time_ms: int) -> None:
        """Find day and slot of every site, once a minute: zones are whole minutes apart."""
        minute = time_ms // _MINUTE_MS
        if minute == self._minute:
            return
        self._minute = minute
        local = self._local_ms(time_ms)
        day, slot = local // _DAY_MS, local % _DAY_MS // self._slot_ms
        turned = np.flatnonzero(day > self._day)
        if len(turned):
            self._close(turned)
            self._day[turned] = day[turned]
        if len(turned) or (slot != self._slot).any() or (day != self._now).any():
            self._mean = self._mean_of(day, slot)
        self._now, self._slot = day, slot

    def _mean_of(self, day: NDArray[np.int64], slot: NDArray[np.int64]) -> Floats:
        """Return the mean of a slot over the like days, float64[m], kW."""
        kinds, total = self._kind(day), np.zeros(len(self._row))
        for kind, history in enumerate(self._history):
            own = kinds == kind
            if not own.any():
                continue
            stored = history[:, slot, self._row].sum(axis=0, dtype=np.float64)
            total += np.where(own, stored, 0.0)
            for back in range(1, int(self._before[kind][own].max(initial=0)) + 1):
                takes = own & (self._before[kind] >= back)
                total += np.where(takes, self._expected_in(kind, back, slot), 0.0)
        mean: Floats = total / self._kept[kinds]
        return mean

    def _midnight(self, kind: int, back: int) -> NDArray[np.int64]:
        """Return the midnight, UTC ms, of the day that is `back` days of a kind before the first.

        Its offset from UTC is the offset at noon: a change of the clock counts from midnight on.
        """
        found = self._midnights.get((kind, back))
        if found is None:
            days = self._first_day - np.arange(1, 7 * back + 8)[:, None]
            count = np.cumsum(self._kind(days) == kind, axis=0)
            local = (self._first_day - 1 - (count < back).sum(axis=0)) * _DAY_MS
            found = local.copy()
            for each in np.unique(local).tolist():
                noon = each + _DAY_MS // 2
                found = np.where(local == each, local - (self._local_ms(noon) - noon), found)
            self._midnights[kind, back] = found
        return found

    def _expected_in(self, kind: int, back: int, slot: NDArray[np.int64]) -> Floats:
        """Return the expected consumption of each site in the middle of a slot of that day, kW."""
        utc = self._midnight(kind, back) + slot * self._slot_ms + self._slot_ms // 2
        if utc.min() == utc.max():
            return self._expected(int(utc[0]))
        kw = np.zeros(len(utc))
        for each in np.unique(utc).tolist():
            kw = np.where(utc == each, self._expected(each), kw)
        return kw

    def _close(self, rows: NDArray[np.intp]) -> None:
        """Add the past day of these sites to the history, unless it had an event."""
        useful = ~self._had_event[rows] & self._time[:, rows].any(axis=0)
        kinds = self._kind(self._day)[rows]
        for kind, history in enumerate(self._history):
            own = rows[useful & (kinds == kind)]
            place = self._oldest[kind, own]
            history[place, :, own] = _filled(self._sum[:, own].T, self._time[:, own].T)
            self._oldest[kind, own] = (place + 1) % len(history)
            self._before[kind, own] = np.maximum(self._before[kind, own] - 1, 0)
        self._sum[:, rows] = 0.0
        self._time[:, rows] = 0.0
        self._had_event[rows] = False

    def _roll_to(self, time_ms: int) -> None:
        """Clear the places of the ring for the slots up to UTC `time_ms`."""
        newest, places = time_ms // self._slot_ms, self._recent.shape[1]
        if newest > self._newest:
            gone = np.arange(max(self._newest, newest - places) + 1, newest + 1) % places
            self._recent[:, gone] = 0.0
            self._newest = newest

    def _kind(self, day: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return 0 for a working day, 1 for Saturdays, Sundays and public holidays, [..., m]."""
        return (self._weekday(day) >= _SATURDAY).astype(np.intp)


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
