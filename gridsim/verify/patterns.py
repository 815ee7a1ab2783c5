"""Differences that many readings have in common, which are reported as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.comparison import Comparison
from gridsim.verify.matches import CHANGED, SHIFTED
from gridsim.verify.shifts import LEAST, QUARTER_MS, Shift
from gridsim.verify.times import NO_TIME, stamp_of
from gridsim.verify.values import NULL, Ints

_COLUMNS: Final = {
    "current_output": ("output", 100),
    "power_meter_measurement": ("meter", 100),
    "baseline": ("baseline", 100),
    "current_soc": ("soc", 10),
}
_FACTORS: Final = (-1.0, 1000.0, -1000.0, 0.001, 100.0, 0.01, 60.0, 1 / 60, 10.0, 0.1)
_FARTHEST_MS = 14 * 3_600_000
_MOST_TOLERANCE_MS = 1e12
_FAR_MS = 366 * 86_400_000
_ZONES: Final = (
    "Europe/London", "Europe/Berlin", "Europe/Helsinki", "America/New_York", "America/Chicago",
    "America/Denver", "America/Los_Angeles", "America/Halifax", "America/St_Johns",
    "America/Sao_Paulo", "Asia/Dubai", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo",
    "Australia/Adelaide", "Australia/Sydney", "Pacific/Auckland",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pattern:
    """A difference that many readings have in common."""

    field: str
    readings: int
    of: int
    """The number of readings that were compared."""
    text: str
    """The difference, and the option that permits it."""
    allowed: bool = False
    """True if an option permits it."""

    def __str__(self) -> str:
        of = f"all {self.of:,}" if self.readings == self.of else f"{self.readings:,} of {self.of:,}"
        return f"{self.field}: {of} {self.text}"


class Patterns:
    """The search for differences in common."""

    def __init__(self, comparison: Comparison, names: Mapping[str, str]) -> None:
        self._sent, self._arrivals = comparison.sent, comparison.arrivals
        self._matching = comparison.matching
        self._start_ms = comparison.unchanged.times.start_ms
        self._names = names
        self._of = comparison.received - comparison.unchanged.garbled

    def find(self, *, local: bool, tolerance_ms: int) -> list[Pattern]:
        """Return the differences in common; `local` means that times had no offset."""
        times = [*self._times(local, tolerance_ms), *self._far()]
        found = [*times, *self._connections(), *self._values()]
        return [one for one in found if one.readings >= LEAST]

    def _times(self, local: bool, tolerance_ms: int) -> Iterator[Pattern]:
        matching = self._matching
        if matching.by is None:
            return
        for index, shift in enumerate(matching.shifts):
            rows = np.flatnonzero((matching.by == index) & (matching.reading >= 0))
            if not len(rows):
                continue
            sent_ms = self._sent.time_ms[matching.reading[rows]]
            late = self._arrivals.time_ms[rows] - sent_ms
            apart = int(np.abs(late).max())
            text = self._explained(shift, late, sent_ms, local, tolerance_ms)
            allowed = apart <= tolerance_ms
            name = self._names["timestamp"]
            since = self._arrivals.since_ms[rows]
            true = self._sent.since_ms[matching.reading[rows]]
            if ((since != NO_TIME) & (since != true) & (since == shift.of(true))).mean() > 0.9:
                name += f" and {self._names['connection_start_at']}"
            yield Pattern(name, len(rows), self._of, text, allowed)

    def _explained(
        self, shift: Shift, late: Ints, sent_ms: Ints, local: bool, tolerance_ms: int
    ) -> str:
        """Return a difference of time in words, with its cause and the options that permit it."""
        apart = int(np.abs(late).max())
        coarse = shift.rounding != "exact"
        zoned = shift.by_ms and not shift.by_ms % QUARTER_MS and abs(shift.by_ms) <= _FARTHEST_MS
        least = max(apart - (abs(shift.by_ms) if zoned else 0), shift.unit_ms if coarse else 0)
        tolerance = f"--time-tolerance {least / 1000:.13g}s"
        causes, options = [], []
        if zoned:
            late = np.array([shift.by_ms])
            causes.append(_zone_text(sent_ms, shift.by_ms, local))
            options += ["--assume-zone NAME"] if local else []
        usual = zoned or not shift.by_ms or abs(shift.by_ms) < shift.unit_ms
        if coarse and usual:
            causes.append(_resolution(shift.unit_ms))
        if coarse or not zoned:
            options.append(tolerance)
        text = f"are {_difference(late)}"
        if causes:
            text += f": your system keeps {', and '.join(causes)}"
        if apart <= tolerance_ms:
            return f"{text}, within --time-tolerance"
        if (zoned and not local) or (coarse and not usual):
            return text
        if least >= _MOST_TOLERANCE_MS:
            return text
        return f"{text} ({' and '.join(options)} {'allow' if options[1:] else 'allows'} it)"

    def _far(self) -> Iterator[Pattern]:
        """Yield the times that are so far from the run that they must have been misread."""
        start_ms = self._start_ms
        time = self._arrivals.time_ms
        far = np.abs(time.astype(np.float64) - start_ms) > _FAR_MS
        far &= (self._matching.reading < 0) & (time != NO_TIME)
        if far.any():
            first, last = (stamp_of(int(ms)) for ms in (time[far].min(), time[far].max()))
            read = first if first == last else f"{first} to {last}"
            text = (
                f"are read as {read}, far from the run's start, {stamp_of(start_ms)}: numbers are "
                "seconds, ms, us or ns since 1970"
            )
            yield Pattern(self._names["timestamp"], int(far.sum()), self._of, text)

    def _connections(self) -> Iterator[Pattern]:
        rows, reading = self._changed()
        rows, reading = (part[self._matching.how[rows] == CHANGED] for part in (rows, reading))
        ours, theirs = self._arrivals.since_ms[rows], self._sent.since_ms[reading]
        late = (ours - theirs)[(ours != theirs) & (ours != NO_TIME)]
        if not len(late):
            return
        name = self._names["connection_start_at"]
        unit = next((u for u in (60_000, 1000) if (ours % u == 0).all()), 0)
        apart = int(np.abs(late).max())
        if unit and apart < unit:
            text = (
                f"are {_difference(late)}: your system keeps {_resolution(unit)} "
                f"(--time-tolerance {unit / 1000:g}s allows it)"
            )
        elif (late == late[0]).all():
            text = f"are {_difference(late)}"
        else:
            return
        yield Pattern(name, len(late), self._of, text)

    def _values(self) -> Iterator[Pattern]:
        rows, reading = self._changed()
        for field, (column, scale) in _COLUMNS.items():
            if field not in self._names:
                continue
            ours, theirs = getattr(self._arrivals, column)[rows], getattr(self._sent, column)
            theirs = theirs[reading]
            there = (ours > NULL) & (theirs > NULL) & (ours != theirs)
            a, s = ours[there].astype(np.int64), theirs[there].astype(np.int64)
            if len(a) < LEAST:
                continue
            if (text := _relation(a, s, scale)) is not None:
                yield Pattern(self._names[field], len(a), self._of, text)
            elif (other := self._exchanged(field, rows[there], reading[there])) is not None:
                text = f"have the values of {other}"
                yield Pattern(self._names[field], len(a), self._of, text)

    def _exchanged(self, field: str, rows: Ints, reading: Ints) -> str | None:
        """Return another field whose sent values arrived in this one."""
        column, scale = _COLUMNS[field]
        ours = getattr(self._arrivals, column)[rows]
        for other, (source, factor) in _COLUMNS.items():
            if other == field or factor != scale:
                continue
            theirs = getattr(self._sent, source)[reading]
            if (ours == theirs).all() and len(np.unique(theirs)) >= LEAST:
                return other
        return None

    def _changed(self) -> tuple[NDArray[np.intp], Ints]:
        matching = self._matching
        how = (matching.how == CHANGED) | (matching.how == SHIFTED)
        rows = np.flatnonzero(how & ~matching.damaged)
        return rows, matching.reading[rows]


def _relation(ours: Ints, theirs: Ints, scale: int) -> str | None:
    """Return the rule by which all arrived values follow from the sent ones, or None."""
    varied = len(np.unique(theirs)) > 1
    for factor in _FACTORS:
        slack = 0.5 if factor < 1 else 0.0
        if factor != -1 and not varied:
            continue
        if (np.abs(ours - theirs * factor) <= slack + 1e-9).all():
            if factor == -1:
                return "have the opposite sign"
            unit = {1000.0: ": W instead of kW?", 0.001: ": MW instead of kW?"}.get(factor, "")
            if abs(factor) > 1:
                sign = " with the opposite sign" if factor < 0 else ""
                return f"are {abs(factor):g} times the sent value{sign}{unit}"
            return f"are 1/{1 / factor:g} of the sent value{unit}"
    for digits in range(len(str(scale)) - 1):
        step = scale // 10**digits
        if (ours % step == 0).all() and (np.abs(ours - theirs) <= step).all() and varied:
            rounded = (np.abs(ours - theirs) * 2 <= step).all()
            places = "whole numbers" if not digits else f"{digits} decimal"
            return f"are {'rounded' if rounded else 'cut off'} to {places}"
    shift = ours - theirs
    if (shift == shift[0]).all() and varied:
        more = "more" if shift[0] > 0 else "less"
        return f"are {abs(int(shift[0])) / scale:g} {more} than the sent value"
    return None


def _difference(late: Ints) -> str:
    """Return a difference of time in words: `0.25 s early`."""
    low, high = int(late.min()), int(late.max())
    if low == high:
        return f"{_duration(abs(low))} {'late' if low > 0 else 'early'}"
    if low >= 0 or high <= 0:
        return f"up to {_duration(max(abs(low), high))} {'late' if high > 0 else 'early'}"
    return f"{_duration(-low)} early to {_duration(high)} late"


def _duration(ms: int) -> str:
    if ms >= 10 * 86_400_000:
        days = f"{ms / 86_400_000:,.1f}"
        return f"{days.removesuffix('.0')} days"
    for unit, name in ((3_600_000, "h"), (60_000, "min")):
        if ms >= unit and ms % (unit // 4) == 0:
            return f"{ms / unit:g} {name}"
    return f"{ms / 1000:.13g} s"


def _resolution(unit_ms: int) -> str:
    names = {1000: "seconds", 60_000: "minutes", 3_600_000: "hours", 86_400_000: "days"}
    return f"whole {names[unit_ms]}" if unit_ms in names else f"steps of {unit_ms} ms"


def _zone_text(sent_ms: Ints, by_ms: int, local: bool) -> str:
    if not local:
        return "a local time that is marked as UTC, or its clock is wrong"
    zones = [name for name in _ZONES if _fits(name, sent_ms, by_ms)]
    like = f", as in {' or '.join(zones[:2])}" if zones else ""
    return f"a local time without an offset{like}"


def _fits(name: str, sent_ms: Ints, by_ms: int) -> bool:
    try:
        zone = ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return False
    wanted = timedelta(milliseconds=by_ms)
    times = (int(sent_ms.min()), int(sent_ms.max()))
    return all(
        datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).utcoffset() == wanted
        for ms in times
    )
