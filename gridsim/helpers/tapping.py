"""The times and sizes of hot water draws.

The draws of a day are those of a load profile of EN 16147. Each home shifts the hours by its own
habit; minute and size vary from day to day. The scatter is an assumption, and a setting removes it.
Weekends are like weekdays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.load_profiles import REFERENCE_KWH, Profile, draws_of
from gridsim.helpers.randomness import Draws, Floats, Keys

LocalTime = Callable[[int], NDArray[np.int64]]

_DAY_MS = 86_400_000
_HABIT_MS, _MAX_HABIT = 45 * 60_000.0, 2.0
_DAILY_MS, _MAX_DAILY = 20 * 60_000.0, 3.0
_SIZE_SIGMA = 0.35
# Larger than the number of draws of any profile.
_SLOTS_PER_DAY = 32


class Tapping:
    """The draws of n homes, a function of (seed, device, local day, draw of the day)."""

    def __init__(
        self,
        draws: Draws,
        keys: Keys,
        local_ms: LocalTime,
        profiles: Sequence[Profile],
        daily_kwh: Floats,
        variation: Floats,
        from_ms: int,
        *,
        purpose: str,
    ) -> None:
        """Plan the draws from UTC `from_ms` on; `profiles` has the load profile of each home.

        `local_ms` returns the local time of each home at a UTC time. `daily_kwh` scales the
        profile; NaN: not scaled. `variation` is the scatter of times and sizes, 0 to 1.
        """
        self._random, self._keys, self._local_ms = draws, keys, local_ms
        self._purpose = f"{purpose}/draw"
        reference = np.array([REFERENCE_KWH[profile] for profile in profiles])
        self._scale = np.where(np.isnan(daily_kwh), 1.0, daily_kwh / reference)
        self._variation = variation
        habit = draws.normal(f"{purpose}/habit", keys)
        self._habit_ms = variation * np.clip(habit, -_MAX_HABIT, _MAX_HABIT) * _HABIT_MS
        # Each draw of a day of each home: its home, its number, and its entry of the table.
        tables = {profile: np.array(draws_of(profile)) for profile in sorted(set(profiles))}
        names = np.array(profiles)
        homes, numbers, entries = [], [], []
        for profile, table in tables.items():
            own = np.flatnonzero(names == profile)
            for number, entry in enumerate(table):
                homes.append(own)
                numbers.append(np.full(len(own), number))
                entries.append(np.broadcast_to(entry, (len(own), 3)))
        self._home, self._number = np.concatenate(homes), np.concatenate(numbers)
        minute, energy, self._kw = np.concatenate(entries).T
        self._nominal_ms = minute * 60_000.0
        self._duration_ms = energy / self._kw * 3_600_000.0
        count = len(self._home)
        self._day = np.empty(count, np.int64)
        self._start = np.empty(count, np.int64)
        """The start of the current or next time of each draw, UTC ms."""
        self._end = np.empty(count, np.int64)
        # A late draw of the previous day may still run.
        yesterday = local_ms(from_ms) // _DAY_MS - 1
        self._plan(np.arange(count), yesterday[self._home])
        self._skip_to(from_ms)

    def kw(self, from_ms: int, to_ms: int) -> Floats:
        """Return the mean power, float64[n], kW, over a few hours at most; times must increase."""
        self._skip_to(from_ms)
        n = len(self._keys)
        which = np.flatnonzero(self._start < to_ms)
        overlap = np.minimum(self._end[which], to_ms) - np.maximum(self._start[which], from_ms)
        power = self._kw[which] * overlap / (to_ms - from_ms)
        mean: Floats = np.bincount(self._home[which], power, n).astype(np.float64, copy=False)
        return mean

    def _skip_to(self, time_ms: int) -> None:
        """Replace draws that are over by those of the next day."""
        while len(over := np.flatnonzero(self._end <= time_ms)):
            self._plan(over, self._day[over] + 1)

    def _plan(self, which: NDArray[np.intp], day: NDArray[np.int64]) -> None:
        kind, device = self._number[which], self._home[which]
        scatter = self._variation[device]
        u = self._random.uniform4(self._purpose, self._keys[device], day * _SLOTS_PER_DAY + kind)
        radius, angle = np.sqrt(-2.0 * np.log(u[0])), 2.0 * np.pi * u[1]
        late = np.clip(radius * np.cos(angle), -_MAX_DAILY, _MAX_DAILY) * _DAILY_MS * scatter
        sigma = _SIZE_SIGMA * scatter
        size = np.exp(sigma * radius * np.sin(angle) - 0.5 * sigma**2)
        of_day = (self._nominal_ms[which] + self._habit_ms[device] + late).astype(np.int64)
        duration = np.rint(self._duration_ms[which] * self._scale[device] * size).astype(np.int64)
        start = day * _DAY_MS + of_day - self._offset(day, device)
        self._day[which], self._start[which], self._end[which] = day, start, start + duration

    def _offset(self, day: NDArray[np.int64], device: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the offset from UTC at about noon of each day, ms."""
        offset = np.empty(len(day), np.int64)
        for each in np.unique(day):
            noon = int(each) * _DAY_MS + _DAY_MS // 2
            ahead = self._local_ms(noon) - noon
            here = day == each
            offset[here] = ahead[device[here]]
        return offset
