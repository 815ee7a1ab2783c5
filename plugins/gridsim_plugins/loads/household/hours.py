"""The time of day of each appliance, fitted to a standard profile.

`UseRates` divides the part of a standard profile that is not base load among the appliances:
iterative proportional fitting (Deming, Stephan 1940) of the activities' times of day, so that
all appliances together draw the profile in every month, day of the week and hour, and each
draws its share of the year.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.helpers.holidays import NONE, Holidays
from gridsim_plugins.loads.household.catalogue import APPLIANCES, SHARE
from gridsim_plugins.loads.household.profile import (
    DAY_KIND,
    HALF_YEAR_DAYS,
    HOUR_MS,
    Profile,
    relative_power,
)
from gridsim_plugins.loads.household.programmes import PROGRAMMES, SPREAD_HOURS

# The probability that someone is at home and awake, by hour, on weekdays and at weekends; and the
# probability of an activity then. From the UK's time-use survey of 2000 as in the occupancy and
# appliance models of Richardson et al. (2008, 2010), with one to five residents in the shares of
# Germany (Destatis 2021). The nights are raised to 7 %, because the survey's diaries hold few
# who wake up.
# fmt: off
_ACTIVE = np.array([
    [.16, .09, .07, .07, .08, .13, .31, .60, .57, .51, .45, .44,
     .48, .48, .46, .51, .64, .75, .82, .82, .83, .80, .63, .34],
    [.20, .11, .08, .07, .07, .09, .16, .38, .59, .70, .66, .63,
     .65, .66, .64, .62, .68, .75, .79, .78, .79, .76, .61, .37],
])
_GIVEN = {
    "television": [
        [.33, .27, .17, .10, .09, .07, .05, .05, .06, .08, .09, .11,
         .11, .16, .17, .17, .21, .21, .28, .41, .49, .55, .47, .37],
        [.35, .29, .20, .15, .14, .06, .06, .07, .07, .08, .09, .11,
         .11, .16, .23, .25, .23, .24, .29, .43, .53, .57, .48, .40]],
    "cooking": [
        [.006, .003, .003, .004, .02, .07, .12, .15, .13, .11, .10, .16,
         .21, .13, .08, .10, .19, .24, .20, .11, .06, .04, .03, .02],
        [.008, .005, .003, .004, .02, .05, .10, .13, .15, .14, .13, .19,
         .21, .14, .08, .09, .15, .20, .17, .09, .05, .04, .03, .02]],
    "laundry": [
        [.002, .001, .001, .001, .002, .006, .010, .016, .025, .037, .039, .036,
         .028, .021, .022, .018, .017, .014, .012, .009, .007, .005, .004, .003],
        [.002, .001, .001, .001, .001, .006, .010, .016, .020, .030, .035, .035,
         .027, .020, .018, .013, .014, .010, .008, .006, .005, .004, .002, .001]],
    "dressing": [
        [.01, .01, .01, .03, .29, .33, .39, .35, .23, .13, .07, .06,
         .04, .03, .03, .03, .03, .04, .05, .05, .05, .05, .05, .03],
        [.01, .01, .01, .03, .19, .26, .27, .28, .23, .17, .12, .07,
         .05, .04, .03, .03, .03, .04, .06, .06, .04, .04, .04, .03]],
    "ironing": [
        [.0, .0, .0, .0, .0, .001, .007, .007, .008, .014, .023, .033,
         .021, .025, .042, .030, .023, .016, .014, .015, .015, .008, .003, .002],
        [.0, .0, .0, .0, .0, .002, .008, .006, .007, .010, .021, .022,
         .015, .016, .021, .026, .020, .015, .013, .013, .017, .009, .004, .001]],
    "cleaning": [
        [.0, .0, .0, .0, .0, .003, .010, .037, .095, .20, .22, .16,
         .08, .08, .09, .06, .05, .04, .03, .025, .02, .005, .002, .001],
        [.0, .0, .0, .0, .0, .003, .010, .030, .068, .13, .16, .15,
         .10, .07, .07, .06, .04, .03, .02, .016, .01, .003, .001, .001]],
}
# fmt: on
_LATITUDE, _LONGITUDE = 50.0, 10.0
_MONTHS, _ROUNDS = 12, 25
_KINDS_OF_DAY = np.array([5.0, 1.0, 1.0]) / 7.0


def _hourly(values: list[list[float]]) -> Floats:
    """Return [month, weekday, Saturday or Sunday, hour] of values by weekday and weekend."""
    table = np.array(values)[[0, 1, 1]]
    return np.broadcast_to(table, (_MONTHS, 3, 24)).copy()


def _darkness() -> Floats:
    """Return the need of light by month and hour in central Europe, 0 to 1, [month, hour]."""
    month = np.arange(_MONTHS)
    day = 15.0 + 30.44 * month
    declination = np.radians(23.44) * np.sin(2.0 * np.pi * (day - 81.0) / 365.0)
    saving = (month >= 3) & (month <= 9)
    solar = np.arange(24) + 0.5 - 1.0 - saving[:, None] + _LONGITUDE / 15.0
    up = np.sin(np.radians(_LATITUDE)) * np.sin(declination)[:, None] + np.cos(
        np.radians(_LATITUDE)
    ) * np.cos(declination)[:, None] * np.cos(2.0 * np.pi * (solar - 12.0) / 24.0)
    height = np.degrees(np.arcsin(up))
    need: Floats = np.clip((10.0 - height) / 14.0, 0.06, 1.0)
    return need


def _shapes() -> dict[str, Floats]:
    """Return the time of day of each activity, [month, kind of day, hour], of any size."""
    active = _hourly(_ACTIVE.tolist())
    dark = np.broadcast_to(_darkness()[:, None, :], active.shape)
    given = {name: active * _hourly(values) for name, values in _GIVEN.items()}
    hour = np.arange(24)
    night = np.where((hour >= 23) | (hour < 6), 1.0, 0.25)
    # The heating season: full in January, off in July.
    season = np.clip(0.5 + 0.55 * np.cos(2.0 * np.pi * (np.arange(_MONTHS) + 0.0) / 12.0), 0.04, 1)
    heating = season[:, None, None] * np.where((hour >= 6) & (hour < 23), 1.0, 0.55)
    cooking = given["cooking"]
    late = np.roll(cooking, 1, axis=2)
    return {
        "television": given["television"],
        "cooking": cooking,
        # Bread and roasts: more at weekends.
        "baking": cooking * np.array([0.8, 1.4, 1.7])[:, None],
        "drinks": active * np.where(hour < 5, 0.05, 1.0) + 3.0 * cooking,
        "dishes": late + 0.02 * active + 0.03,
        "laundry": given["laundry"] + 0.003,
        "drying": np.roll(given["laundry"], 2, axis=2) + 0.002,
        "cleaning": given["cleaning"] * np.array([1.0, 1.2, 0.3])[:, None],
        "ironing": given["ironing"],
        "dressing": given["dressing"] + 1e-5,
        "washing up": active * np.where(hour < 5, 0.8, 1.0) + 2.0 * cooking,
        "electronics": active + 0.02,
        "light": active * dark,
        "light at night": dark * (0.2 + night),
        "heating": np.broadcast_to(heating, active.shape),
    }


class UseRates:
    """The relative rate of use of each appliance by local time."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        level, base = _profile_levels(profile), profile.base
        days = np.broadcast_to(_KINDS_OF_DAY[:, None] / (24.0 * _MONTHS), level.shape)
        shapes = _shapes()
        part = np.stack([shapes[one.activity] + 1e-9 for one in APPLIANCES], axis=-1)
        target = level - base
        share = SHARE / SHARE.sum()
        # [month, kind of day, hour, appliance]: the power of each, mean 1 over all and the year.
        for _ in range(_ROUNDS):
            energy = (part * days[..., None]).sum(axis=(0, 1, 2))
            part *= share * (1.0 - base) / energy
            part *= (target / _drawn(part))[..., None]
        self._table: Floats = part / (target[..., None] * share)
        self._active = probability_table()

    def at(
        self, local_ms: NDArray[np.int64], southern: NDArray[np.bool_], holidays: Holidays
    ) -> Floats:
        """Return the power of each appliance over its mean of the year, [..., appliance].

        The local times and hemispheres are [...]. The middle of the energy of a use is later than
        its start by a lag, so the rate of the later time is used.
        """
        shape = (*local_ms.shape, len(SHARE))
        later = (local_ms[..., None] + PROGRAMMES.lag_ms).reshape(-1)
        south = np.broadcast_to(southern[..., None], shape).reshape(-1)
        month, kind, hour = _row(later, south, holidays)
        appliance = np.tile(np.arange(len(SHARE)), local_ms.size)
        table = self._table[month, kind, hour, appliance]
        base = self._profile.base
        level = relative_power(later, south, self._profile, holidays)
        power = table * np.maximum(level - base, 0.0) / (1.0 - base)
        return power.reshape(shape)

    def active(self, local_ms: NDArray[np.int64], holidays: Holidays) -> Floats:
        """Return the probability that someone is at home and awake, interpolated, [...]."""
        since = local_ms - HOUR_MS // 2
        past = (since % HOUR_MS) / HOUR_MS
        first, second = (self._active_in(since // HOUR_MS + more, holidays) for more in (0, 1))
        probability: Floats = (1.0 - past) * first + past * second
        return probability

    def _active_in(self, hour: NDArray[np.int64], holidays: Holidays) -> Floats:
        table: Floats = self._active
        probability: Floats = table[DAY_KIND[holidays.weekday(hour // 24)], hour % 24]
        return probability


def _drawn(part: Floats) -> Floats:
    """Return the power that uses draw, [month, kind of day, hour]: a use lasts."""
    total = np.zeros(part.shape[:-1])
    for hours, share in zip(range(-SPREAD_HOURS, SPREAD_HOURS + 1), PROGRAMMES.spread, strict=True):
        total += np.roll((part * share).sum(axis=-1), hours, axis=2)
    return total


def _row(
    local_ms: NDArray[np.int64], southern: NDArray[np.bool_], holidays: Holidays
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return month, kind of day and hour; the months are turned round in the south."""
    hour = local_ms // HOUR_MS
    day = hour // 24
    turned = (day + np.where(southern, HALF_YEAR_DAYS, 0)).astype("datetime64[D]")
    month = turned.astype("datetime64[M]").astype(np.int64) % 12
    return month, DAY_KIND[holidays.weekday(day)], hour % 24


def _profile_levels(profile: Profile) -> Floats:
    """Return a standard profile by month, kind of day and hour, mean 1 over the year."""
    year = np.arange(np.datetime64("2026-01-01"), np.datetime64("2027-01-01"))
    hours = year.astype(np.int64)[:, None] * 24 + np.arange(24)
    # The mean of an hour is taken over the middles of its quarters, because the profile is not
    # linear within it.
    quarters = hours[..., None] * HOUR_MS + HOUR_MS // 8 * np.array([1, 3, 5, 7])
    local = quarters.reshape(-1)
    north = np.zeros(len(local), np.bool_)
    month, kind, hour = _row(local, north, NONE)
    row = (month * 3 + kind) * 24 + hour
    size = _MONTHS * 3 * 24
    total = np.bincount(row, relative_power(local, north, profile), size)
    level: Floats = (total / np.bincount(row, minlength=size)).reshape(_MONTHS, 3, 24)
    return level


def probability_table() -> Floats:
    """Return the probability that someone is at home and awake, [kind of day, hour]."""
    table: Floats = _ACTIVE[[0, 1, 1]]
    return table


@cache
def profile_table(profile: Profile) -> Floats:
    """Return a standard profile by kind of day and hour, mean 1 over the year."""
    table: Floats = _profile_levels(profile).mean(axis=0)
    return table


@cache
def rates(profile: Profile) -> UseRates:
    """Return the rates of all homes of a profile; fitting takes some milliseconds."""
    return UseRates(profile)
