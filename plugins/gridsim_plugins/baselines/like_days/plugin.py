"""Day matching: the baseline that demand-response programmes compute."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    Baseline,
    Expected,
    Floats,
    Members,
    Register,
    Sites,
    Staying,
    Tick,
    carry,
    hookimpl,
)
from gridsim_plugins.baselines.like_days.averages import DayAverages
from gridsim_plugins.baselines.like_days.settings import LikeDaysSettings


class DayMatching(Baseline[LikeDaysSettings]):
    """The mean of the last like days, computed like in demand-response programmes. A working day is
    like other working days; Saturdays, Sundays and public holidays are like each other; days with
    an event are left out. Before the start of the run, history is the expected load, without DERs:
    a load from a file must cover those weeks.

    The method is the ten-in-ten method of the California ISO (CAISO tariff, section 4.13.4;
    see its Baseline Accuracy Work Group Proposal, 2017): the mean of the last ten days of the
    same kind without an event, four at weekends. During an event it is multiplied by the ratio
    of the load to that mean in the second to fourth hour before it, which is held between 0.8
    and 1.2.

    Some rules are our own. Days are those of the site's own calendar, with its `holidays`. The
    number of days is always the same, however far back they are. A day with an event is left out
    once the event has begun. The hours count back from the notice, so that consumption after the
    notice cannot raise the baseline. Times within another event do not count, and where the mean is
    not above zero nothing is adjusted. An hour that a clock skips counts as the slot before it; an
    hour that it repeats counts as the mean of both.
    """

    Settings = LikeDaysSettings
    derived = ("_part_of", "_row_of")
    caveat = (
        "for days before the start the expected loads are used, without any DER: too high "
        "where a site generates or discharges, too low where it charges a car or heats. Days of "
        "the run replace them one by one, so the mean is complete after `days` working days and "
        "`weekend_days` Saturdays and Sundays without an event"
    )

    def __init__(self, members: Members[LikeDaysSettings], expected: Expected) -> None:
        super().__init__(members, expected)
        self._parts: list[tuple[NDArray[np.intp], DayAverages]] = []
        """The sites with the same settings, and their averages."""
        self._part_of = np.empty(len(members), np.intp)
        self._row_of = np.empty(len(members), np.intp)
        for settings in dict.fromkeys(members.settings):
            same = [index for index, own in enumerate(members.settings) if own == settings]
            rows = np.flatnonzero(np.isin(members.stanza, same))
            if not len(rows):
                continue
            self._part_of[rows] = len(self._parts)
            self._row_of[rows] = np.arange(len(rows))
            averages = DayAverages(
                settings,
                len(rows),
                partial(_local_ms, members.sites, members.site[rows]),
                partial(members.sites.weekday, site=members.site[rows]),
                members.start_ms,
                partial(_some_expected, expected, rows),
            )
            self._parts.append((rows, averages))

    def carry_over(self, older: DayMatching, staying: Staying) -> None:
        """Copy the averages of the sites that stay."""
        for rows, averages in self._parts:
            for older_rows, same in older._parts:
                part = staying.within(rows, older_rows)
                if len(part.new):
                    carry(averages, same, part)

    def at(self, tick: Tick) -> Floats:
        baseline = np.empty(len(self.members))
        for rows, averages in self._parts:
            baseline[rows] = averages.at(tick.time_ms)
        return baseline

    def note(self, tick: Tick, net_kw: Floats) -> None:
        for rows, averages in self._parts:
            averages.note(tick.time_ms, net_kw[rows], tick.dt_s)

    def event_announced(
        self, member: NDArray[np.intp], time_ms: int, begin_ms: NDArray[np.int64]
    ) -> None:
        part, row = self._part_of[member], self._row_of[member]
        for index, (_, averages) in enumerate(self._parts):
            own = part == index
            averages.event_announced(row[own], time_ms, begin_ms[own])

    def event_over(self, member: NDArray[np.intp]) -> None:
        part, row = self._part_of[member], self._row_of[member]
        for index, (_, averages) in enumerate(self._parts):
            averages.event_over(row[part == index])


def _local_ms(sites: Sites, site: NDArray[np.intp], time_ms: int) -> NDArray[np.int64]:
    return sites.local_ms(time_ms)[site]


def _some_expected(expected: Expected, rows: NDArray[np.intp], time_ms: int) -> Floats:
    return expected(time_ms)[rows]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.baseline("like_days", DayMatching)
