"""The cars at chargers at a time: from the kinds of sessions, or from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Members
from gridsim_plugins.ders.ev_charger.car_parks import (
    MAX_VISITS,
    PUBLIC_PER_DAY,
    WORKPLACE_PER_DAY,
    public_sessions,
    workplace_sessions,
)
from gridsim_plugins.ders.ev_charger.fast import FAST_PER_DAY, HOURS, fast_sessions
from gridsim_plugins.ders.ev_charger.home import LOOK_BACK_DAYS, home_sessions
from gridsim_plugins.ders.ev_charger.recorded import Recorded, read_sessions
from gridsim_plugins.ders.ev_charger.sessions import DAY_MS, Planner, SessionKind, Sessions

_SATURDAY = 5
# The largest number of possible sessions that a fleet draws at once: some megabytes, and a few tens
# of milliseconds once a day.
_MOST_DRAWN = 65_536
NEVER = np.iinfo(np.int64).max
LONG_AGO = np.iinfo(np.int64).min
# The days to look back for a car that is still there, the possible sessions of a day, and the
# planner of each kind.
_KINDS: dict[SessionKind, tuple[int, int, Planner]] = {
    "home": (LOOK_BACK_DAYS, 1, home_sessions),
    "workplace": (2, MAX_VISITS, workplace_sessions),
    "public": (2, MAX_VISITS, public_sessions),
    "fast": (1, HOURS, fast_sessions),
}
USUAL_PER_DAY: dict[SessionKind, float] = {
    "workplace": WORKPLACE_PER_DAY,
    "public": PUBLIC_PER_DAY,
    "fast": FAST_PER_DAY,
}
"""The sessions per day if the setting is not given; at homes they depend on the battery."""
MOST_PER_DAY: dict[SessionKind, float] = {
    "home": 0.8,
    "workplace": 1.04,
    "public": 0.98,
    "fast": 12.0,
}


@dataclass(frozen=True, slots=True, eq=False)
class PresentCars:
    """The cars of k chargers at a time, [k]; values without a car have no meaning."""

    here: NDArray[np.bool_]
    """True where there is a car."""
    arrival_ms: NDArray[np.int64]
    """The times of arrival and departure, UTC."""
    departure_ms: NDArray[np.int64]
    energy_kwh: Floats
    car: NDArray[np.int64]
    """The number of the car among those of the charger; 0: the only one."""
    next_ms: NDArray[np.int64]
    """The time of the next arrival or departure, or of the next check, UTC."""
    left_ms: NDArray[np.int64]
    """The last departure so far, UTC; `LONG_AGO` if none is known."""
    coming_ms: NDArray[np.int64]
    """The next arrival, UTC, known at least until the end of the next day; `NEVER` if unknown."""


class CarSchedule(Protocol):
    """The cars of some chargers."""

    def at(self, which: NDArray[np.intp], time_ms: int) -> PresentCars:
        """Return the cars of the chargers `which` (indices of all members) at a time."""


class DrawnSchedule:
    """The sessions of one kind, drawn for each charger.

    A small fleet draws the days of all its chargers at once, and looks the sessions up.
    """

    def __init__(
        self, kind: SessionKind, members: Members[Any], per_day: Floats, rows: NDArray[np.intp]
    ) -> None:
        """Take the chargers `rows` of the members; `per_day` is of all members."""
        self._members, self._per_day, self._rows = members, per_day, rows
        self._look_back, self._places, self._plan = _KINDS[kind]
        self._offsets: dict[int, NDArray[np.int64]] = {}
        self._place = np.full(len(members), -1, np.intp)
        self._place[rows] = np.arange(len(rows))
        self._days = range(0)
        """The days of `_drawn`."""
        self._drawn: Sessions | None = None
        """The sessions of `rows` on `_days`, in UTC."""

    def at(self, which: NDArray[np.intp], time_ms: int) -> PresentCars:
        days = self._days_of(which, time_ms)
        found = self._sessions(which, days, time_ms)
        arrival, departure = found.arrival_ms, found.departure_ms
        present = found.takes_place & (arrival <= time_ms) & (time_ms < departure)
        here: NDArray[np.bool_] = np.logical_or.reduce(present, axis=1)
        row, place = np.arange(len(which)), present.argmax(axis=1)
        coming = np.where(found.takes_place & (arrival > time_ms), arrival, NEVER).min(axis=1)
        # Without a session in these days, check again when they are over.
        horizon = days[-1] * DAY_MS - self._offset(days[-1])[which]
        following = np.where(here, departure[row, place], np.minimum(coming, horizon))
        return PresentCars(
            here,
            arrival[row, place],
            departure[row, place],
            found.energy_kwh[row, place],
            found.car[row, place],
            following,
            np.where(found.takes_place & (departure <= time_ms), departure, LONG_AGO).max(axis=1),
            coming,
        )

    def _days_of(self, which: NDArray[np.intp], time_ms: int) -> range:
        """Return the local days whose sessions matter at a time for the chargers `which`."""
        members = self._members
        local = members.sites.local_ms(time_ms)[members.site[which]] // DAY_MS
        return range(int(local.min()) - self._look_back, int(local.max()) + 2)

    def _sessions(self, which: NDArray[np.intp], days: range, time_ms: int) -> Sessions:
        """Return the sessions of the chargers `which` on these days, in UTC."""
        if len(self._rows) * len(days) * self._places > _MOST_DRAWN:
            return self._in_utc(which, days)
        if self._drawn is None or days[0] not in self._days or days[-1] not in self._days:
            # The days of the chargers in all time zones.
            self._days = self._days_of(self._rows, time_ms)
            self._drawn = self._in_utc(self._rows, self._days)
        first = (days[0] - self._days[0]) * self._places
        some = slice(first, first + len(days) * self._places)
        return self._drawn.some(self._place[which], some)

    def _in_utc(self, which: NDArray[np.intp], days: range) -> Sessions:
        """Draw the sessions of the chargers `which` on these days, in UTC."""
        members = self._members
        grid = np.broadcast_to(np.arange(days.start, days.stop), (len(which), len(days)))
        site = members.site[which][:, None]

        def is_weekend(days: NDArray[np.int64]) -> NDArray[np.bool_]:
            return members.sites.weekday(days, site) >= _SATURDAY

        per_day = self._per_day[which]
        found = self._plan(members.draws, members.keys[which], grid, per_day, is_weekend)
        offset = np.stack([self._offset(day)[which] for day in days], axis=1)
        ahead = np.repeat(offset, self._places, axis=1)
        return replace(
            found, arrival_ms=found.arrival_ms - ahead, departure_ms=found.departure_ms - ahead
        )

    def _offset(self, day: int) -> NDArray[np.int64]:
        """Return the offset from UTC at about noon of a local day, int64[n], ms.

        One offset per day gives the same session at any time of the day.
        """
        offset = self._offsets.get(day)
        if offset is None:
            noon = day * DAY_MS + DAY_MS // 2
            offset = (self._members.sites.local_ms(noon) - noon)[self._members.site]
            self._offsets[day] = offset
            for old in [known for known in self._offsets if known < day - 2 * LOOK_BACK_DAYS]:
                del self._offsets[old]
        return offset


class FileSchedule:
    """The sessions of a file."""

    def __init__(self, path: str, members: Members[Any], rows: Sequence[int]) -> None:
        """Read the file for the chargers `rows`; raise ValueError if it cannot be used."""
        self._of: dict[int, Recorded] = {}
        by_zone: dict[str, dict[str, Recorded]] = {}
        for row in rows:
            zone = members.sites.timezone[int(members.site[row])]
            if zone not in by_zone:
                by_zone[zone] = read_sessions(path, zone)
            found = by_zone[zone]
            self._of[row] = found.get(members.ids[row], found.get("", Recorded.none()))

    def at(self, which: NDArray[np.intp], time_ms: int) -> PresentCars:
        k = len(which)
        times = np.zeros((3, k), np.int64)
        left, coming = np.full(k, LONG_AGO), np.full(k, NEVER)
        here, energy, car = np.zeros(k, np.bool_), np.zeros(k), np.zeros(k, np.int64)
        for place, row in enumerate(which.tolist()):
            own = self._of[row]
            last = int(np.searchsorted(own.arrival_ms, time_ms, side="right")) - 1
            if last + 1 < len(own.arrival_ms):
                coming[place] = own.arrival_ms[last + 1]
            times[2, place] = coming[place]
            gone = int(np.searchsorted(own.departure_ms, time_ms, side="right")) - 1
            if gone >= 0:
                left[place] = own.departure_ms[gone]
            if last >= 0 and time_ms < own.departure_ms[last]:
                here[place], energy[place], car[place] = True, own.energy_kwh[last], last + 1
                times[:, place] = own.arrival_ms[last], own.departure_ms[last], times[2, place]
                times[2, place] = own.departure_ms[last]
        return PresentCars(here, times[0], times[1], energy, car, times[2], left, coming)
