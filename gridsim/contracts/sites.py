"""Sites: the places of the projects and their local time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.holidays import NONE, Holidays
from gridsim.helpers.mains import mains_of
from gridsim.helpers.randomness import Floats, Keys
from gridsim.helpers.synchronous_areas import synchronous_area_of

# The offset of a zone only changes at a multiple of a quarter of an hour.
_OFFSET_HOLDS_MS = 900_000
_PLACE = ("latitude", "longitude", "altitude")
_MAINS = ("nominal_voltage", "phases", "feeder_impedance")


def _empty() -> Floats:
    return np.empty(0)


def protect(columns: object, names: Iterable[str]) -> None:
    """Replace array attributes by read-only views, because several plugins get the same arrays."""
    for name in names:
        view = getattr(columns, name).view()
        view.flags.writeable = False
        object.__setattr__(columns, name, view)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sites:
    """The sites of all projects, as columns of length n, in configuration order."""

    ids: Sequence[str]
    keys: Keys
    """The identities of the sites for random draws, uint64[n]."""
    latitude: Floats
    """The latitudes, float64[n], degrees, north positive."""
    longitude: Floats
    """The longitudes, float64[n], degrees, east positive."""
    altitude: Floats
    """The altitudes, float64[n], m above sea level."""
    timezone: Sequence[str]
    """The IANA names of the time zones, one per site."""
    nominal_voltage: Floats = field(default_factory=_empty)
    """The voltages between a line and the neutral, float64[n], V; empty: by the time zones."""
    phases: Floats = field(default_factory=_empty)
    """The numbers of phases of the connections, float64[n]; empty: by the time zones."""
    synchronous_area: Sequence[str] = ()
    """The names of the synchronous areas, one per site; empty: by the time zones."""
    feeder_impedance: Floats = field(default_factory=_empty)
    """The impedances of the feeders, float64[n], ohm; NaN: drawn; empty: all are drawn."""
    holidays: Sequence[Holidays] = ()
    """The public holidays, one per site; empty: none."""
    calendars: tuple[Holidays, ...] = field(init=False)
    """The public holidays that differ, and those of each site as an index, intp[n]."""
    calendar: NDArray[np.intp] = field(init=False)
    main_fuse_a: Floats = field(default_factory=_empty)
    """The rated currents of the main fuses, float64[n], A; NaN: none; empty: no site has one."""
    _zone: NDArray[np.intp] = field(init=False, repr=False)
    _zones: tuple[ZoneInfo, ...] = field(init=False, repr=False)
    _offsets: dict[int, NDArray[np.int64]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        names = sorted(set(self.timezone))
        place = {name: index for index, name in enumerate(names)}
        zone = np.array([place[name] for name in self.timezone], np.intp)
        object.__setattr__(self, "_zone", zone)
        object.__setattr__(self, "_zones", tuple(ZoneInfo(name) for name in names))
        mains = [mains_of(name) for name in names]
        if not len(self.nominal_voltage):
            volts = np.array([own.nominal_voltage for own in mains], np.float64)
            object.__setattr__(self, "nominal_voltage", volts[zone])
        if not len(self.phases):
            phases = np.array([own.phases for own in mains], np.float64)
            object.__setattr__(self, "phases", phases[zone])
        for name in ("feeder_impedance", "main_fuse_a"):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.full(len(zone), np.nan))
        if not len(self.synchronous_area):
            areas = [synchronous_area_of(name) for name in names]
            own = [areas[index] for index in zone.tolist()]
            object.__setattr__(self, "synchronous_area", own)
        if not len(self.holidays):
            object.__setattr__(self, "holidays", [NONE] * len(self.timezone))
        known = {one: index for index, one in enumerate(dict.fromkeys(self.holidays))}
        object.__setattr__(self, "calendars", tuple(known))
        calendar = np.array([known[one] for one in self.holidays], np.intp)
        object.__setattr__(self, "calendar", calendar)
        protect(self, ("keys", "calendar", *_PLACE, *_MAINS))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Sites: {len(self):,} in {', '.join(sorted(set(self.timezone)))}>"

    def some(self, rows: NDArray[np.intp]) -> Sites:
        """Return the sites `rows` alone, in that order."""
        return Sites(
            ids=[self.ids[row] for row in rows.tolist()],
            keys=self.keys[rows],
            latitude=self.latitude[rows],
            longitude=self.longitude[rows],
            altitude=self.altitude[rows],
            timezone=[self.timezone[row] for row in rows.tolist()],
            nominal_voltage=self.nominal_voltage[rows],
            phases=self.phases[rows],
            feeder_impedance=self.feeder_impedance[rows],
            main_fuse_a=self.main_fuse_a[rows],
            synchronous_area=[self.synchronous_area[row] for row in rows.tolist()],
            holidays=[self.holidays[row] for row in rows.tolist()],
        )

    def local_ms(self, time_ms: int) -> NDArray[np.int64]:
        """Return the local times at UTC `time_ms`, int64[n], ms since 1970-01-01 00:00 local.

        Integer division by 86,400,000 gives the local day; the remainder is the time of day.
        """
        quarter = time_ms // _OFFSET_HOLDS_MS
        offset = self._offsets.get(quarter)
        if offset is None:
            at = datetime.fromtimestamp(quarter * _OFFSET_HOLDS_MS / 1000, UTC)
            by_zone = [_offset_ms(zone, at) for zone in self._zones]
            offset = np.array(by_zone, np.int64)[self._zone]
            self._offsets.clear()
            self._offsets[quarter] = offset
        return offset + time_ms

    def weekday(self, day: NDArray[np.int64], site: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the weekdays of local days at sites: 0 for Monday, 6 for Sunday and holidays.

        `day` counts from 1970-01-01 local and is broadcast with the indices `site`.
        """
        weekday = NONE.weekday(day)
        if not any(one.rules for one in self.calendars):
            return np.broadcast_to(weekday, np.broadcast_shapes(day.shape, site.shape))
        days, calendar = np.broadcast_arrays(day, self.calendar[site])
        weekday = np.empty(days.shape, np.int64)
        for index, holidays in enumerate(self.calendars):
            own = calendar == index
            weekday[own] = holidays.weekday(days[own])
        return weekday


def _offset_ms(zone: ZoneInfo, at: datetime) -> int:
    offset = zone.utcoffset(at.astimezone(zone))
    return int(offset.total_seconds() * 1000) if offset is not None else 0
