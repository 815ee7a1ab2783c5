"""The schedules of the cars at all chargers of a fleet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Members
from gridsim_plugins.ders.ev_charger.cars import energy_factor, usual_sessions_per_day
from gridsim_plugins.ders.ev_charger.schedule import (
    MOST_PER_DAY,
    USUAL_PER_DAY,
    CarSchedule,
    DrawnSchedule,
    FileSchedule,
    PresentCars,
)
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings


class Schedules:
    """The schedules of all chargers: one for each kind of sessions and one for each file."""

    def __init__(self, members: Members[EvChargerSettings], capacity: Floats) -> None:
        """Make the schedules; `capacity` is that of the cars at homes, float64[n], kWh.

        Raises ValueError if a file cannot be used.
        """
        self.energy_factor = np.ones(len(members))
        """The factor on the energy of each charger's sessions."""
        self._schedules: list[CarSchedule] = []
        self._of = np.zeros(len(members), np.intp)
        given = members.columns["sessions_per_day"]
        files = members.choose(lambda settings: settings.sessions_file, object)
        kinds = members.choose(lambda settings: settings.kind, object)
        for kind, most in MOST_PER_DAY.items():
            own = (kinds == kind) & (files == "")
            if not own.any():
                continue
            usual = np.full(len(members), USUAL_PER_DAY.get(kind, 0.0))
            if kind == "home":
                usual = usual_sessions_per_day(capacity)
                usually = own & np.isnan(given)
                self.energy_factor[usually] = energy_factor(usual)[usually]
            per_day = np.minimum(np.where(np.isnan(given), usual, given), most)
            self._of[own] = len(self._schedules)
            self._schedules.append(DrawnSchedule(kind, members, per_day, np.flatnonzero(own)))
        for path in sorted(set(files.tolist()) - {""}):
            own = files == path
            self._of[own] = len(self._schedules)
            rows = np.flatnonzero(own).tolist()
            self._schedules.append(FileSchedule(path, members, rows))

    def at(
        self, which: NDArray[np.intp], time_ms: int
    ) -> Iterator[tuple[NDArray[np.intp], PresentCars]]:
        """Yield the chargers of `which` that have the same schedule, and their cars at a time."""
        for index, schedule in enumerate(self._schedules):
            rows = which[self._of[which] == index]
            if len(rows):
                yield rows, schedule.at(rows, time_ms)
