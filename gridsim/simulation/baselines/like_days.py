"""The baseline that programmes compute: the mean of the last like days."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Sites
from gridsim.simulation.scenario import LikeDaysSpec

_MINUTE_MS, _DAY_MS, _WEEK_MS = 60_000, 86_400_000, 604_800_000
_NEVER = np.iinfo(np.int64).max
_MONDAY = 4
"""The first one of 1970, as a day since its first."""


class LikeDays:
    """Baselines of m sites: the mean net consumption of each slot of the day over like days.

    After the ten-in-ten method of the California ISO (CAISO tariff, section 4.13.4; see its
    Baseline Accuracy Work Group Proposal, 2017): the mean of the last ten days of the same
    kind without an event, four at weekends, multiplied during an event by the ratio of the
    load to that mean in the second to fourth hour before it, which is held between 0.8 and 1.2.

    What is ours: like days are Monday to Friday, or Saturday and Sunday, of the site's own
    calendar; holidays are not known. However long ago they are, there are always as many. A
    day with an event is left out once the event has begun on it. The hours count back from
    the notice, so that nobody can raise his baseline once he knows; times within another
    event do not count, and where the mean is not above zero nothing is adjusted. An hour
    that a clock skips counts as the slot before it, one that it repeats as the mean of both.

    A simulation that has just begun has no history: for the time before, it is what the load
    plugin expects, without any DER. So memory does not grow: it holds one number per site,
    kept day and slot.
    """

    def __init__(
        self,
        spec: LikeDaysSpec,
        sites: Sites,
        start_ms: int,
        expected: Callable[[int], Floats],
    ) -> None:
        """`expected` gives the load's expectation at a UTC time, float64[all sites]."""
        self.sites = spec.sites
        self._spec = spec
        self._clocks = sites
        m, slots = len(spec.sites), _DAY_MS // spec.slot_ms
        self._row = np.arange(m)
        self._row_of = np.full(len(sites), -1, np.intp)
        self._row_of[spec.sites] = self._row
        kept = (spec.days, spec.weekend_days)
        self._kept = np.array(kept)
        self._history = tuple(np.zeros((m, n, slots), np.float32) for n in kept)
        self._oldest = np.zeros((2, m), np.intp)
        self._totals = np.zeros((2, m, slots))
        """Over the kept days, by kind of day, site and slot."""
        self._sum, self._time = np.zeros((m, slots)), np.zeros((m, slots))
        """Of the present day: the integral of the consumption, and over how many seconds."""
        self._had_event = np.zeros(m, np.bool_)
        self._open = np.zeros(m, np.intp)
        """How many events are announced and not over."""
        self._begin_ms = np.full(m, _NEVER)
        self._factor = np.ones(m)
        self._recent = np.zeros((2, spec.window_slots + spec.gap_slots + 2, m))
        """The integrals of consumption and mean over the last slots of time, in a ring."""
        self._newest = start_ms // spec.slot_ms
        self._minute = -1
        self._day = np.full(m, np.iinfo(np.int64).min)
        self._now = self._slot = np.zeros(m, np.int64)
        self._mean = np.zeros(m)
        self._remember(start_ms, expected)

    def at(self, time_ms: int) -> Floats:
        """The baseline at UTC `time_ms`, float64[m], kW."""
        self._move_to(time_ms)
        return self._mean * self._factor

    def note(self, time_ms: int, net_kw: Floats, dt_s: float) -> None:
        """Takes in what the sites drew for `dt_s` seconds from UTC `time_ms` on."""
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
        self, sites: NDArray[np.intp], time_ms: int, begin_ms: NDArray[np.int64]
    ) -> None:
        """See `Baselines`; sites that are none of these are passed over."""
        rows = self._row_of[sites]
        mine = rows >= 0
        rows, begin_ms = rows[mine], begin_ms[mine]
        fresh = rows[self._open[rows] == 0]
        self._factor[fresh] = self._adjustment(time_ms)[fresh]
        self._open[rows] += 1
        self._begin_ms[rows] = np.minimum(self._begin_ms[rows], begin_ms)

    def event_over(self, sites: NDArray[np.intp]) -> None:
        """See `Baselines`."""
        rows = self._row_of[sites]
        rows = rows[rows >= 0]
        self._open[rows] -= 1
        free = rows[self._open[rows] <= 0]
        self._begin_ms[free] = _NEVER
        self._factor[free] = 1.0

    def _adjustment(self, time_ms: int) -> Floats:
        """The day-of adjustment by what was before UTC `time_ms`, float64[m]."""
        spec = self._spec
        self._roll_to(time_ms)
        end = self._newest - spec.gap_slots
        window = np.arange(end - spec.window_slots, end) % self._recent.shape[1]
        drew, mean = self._recent[:, window].sum(axis=1)
        usual = mean > 0.0
        ratio = np.divide(drew, mean, out=np.ones_like(drew), where=usual)
        held: Floats = np.clip(ratio, 1.0 - spec.cap, 1.0 + spec.cap)
        return held

    def _remember(self, start_ms: int, expected: Callable[[int], Floats]) -> None:
        """Fills the history with what the loads are expected to draw before the start."""
        spec, step = self._spec, self._spec.slot_ms
        # A week more: its first day is not whole.
        weeks = max(-(-spec.days // 5), -(-spec.weekend_days // 2)) + 1
        first = (start_ms - weeks * _WEEK_MS) // step * step
        self._newest = first // step
        for at in range(first, start_ms, step):
            span = min(step, start_ms - at)
            self.note(at, expected(at + span // 2)[self.sites], span / 1000.0)

    def _move_to(self, time_ms: int) -> None:
        """Finds day and slot of every site; zones are whole minutes apart, so once a minute."""
        minute = time_ms // _MINUTE_MS
        if minute == self._minute:
            return
        self._minute = minute
        local = self._clocks.local_ms(time_ms)[self.sites]
        self._now, self._slot = local // _DAY_MS, local % _DAY_MS // self._spec.slot_ms
        turned = np.flatnonzero(self._now > self._day)
        if len(turned):
            self._close(turned)
            self._day[turned] = self._now[turned]
        kind = _kind(self._now)
        self._mean = self._totals[kind, self._row, self._slot] / self._kept[kind]

    def _close(self, rows: NDArray[np.intp]) -> None:
        """The day of these sites is over: it becomes history, unless it had an event."""
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
        newest, places = time_ms // self._spec.slot_ms, self._recent.shape[1]
        if newest > self._newest:
            gone = np.arange(max(self._newest, newest - places) + 1, newest + 1) % places
            self._recent[:, gone] = 0.0
            self._newest = newest


def _kind(day: NDArray[np.int64]) -> NDArray[np.intp]:
    """0 for a working day, 1 for Saturday and Sunday; days since 1970-01-01."""
    return ((day - _MONDAY) % 7 >= 5).astype(np.intp)


def _filled(total: Floats, time: Floats) -> Floats:
    """Means of the slots, [k, slots]; an empty one has that of the slot before, or else after."""
    has = time > 0.0
    mean = np.divide(total, time, out=np.zeros_like(total), where=has)
    known = np.where(has, np.arange(has.shape[1]), -1)
    known = np.maximum.accumulate(known, axis=1)
    known = np.where(known < 0, has.argmax(axis=1)[:, None], known)
    return np.take_along_axis(mean, known, axis=1)
