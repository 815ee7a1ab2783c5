"""Sessions at homes: one car for each charger.

From 5,466 private sessions at homes in Trondheim (Sorensen, Lindberg, Sartori, Andresen:
Residential electric vehicle charging datasets from apartment buildings, Data in Brief 36
(2021), CC BY). A session is a function of (seed, device, local day) alone. Weekends and public
holidays are like weekdays, an assumption.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Floats, Keys
from gridsim_plugins.ders.ev_charger.sessions import (
    DAY_MS,
    IsWeekend,
    Sessions,
    whole_minutes,
)

LOOK_BACK_DAYS = 4
"""The longest stay of a car, in days."""

# The share of the sessions that start in each hour of the day, %.
# fmt: off
_START_SHARES = np.array([
    0.9, 0.4, 0.2, 0.2, 0.0, 0.1, 0.3, 1.2, 1.1, 0.7, 1.3, 1.7,
    2.0, 2.9, 4.4, 11.9, 17.5, 8.5, 8.2, 10.5, 9.8, 7.6, 5.7, 2.9,
])
# fmt: on
# The share of the time that the charger is free in each hour, found by counting. Candidates are
# drawn more often in proportion.
_FREE = np.interp(np.arange(24.0), [0.0, 6.0, 8.0, 14.0, 23.0], [0.56, 0.61, 0.78, 0.88, 0.93])
_START_ENDS = np.concatenate(([0.0], np.cumsum(_START_SHARES / _FREE)))
_START_ENDS /= _START_ENDS[-1]
# The stay depends on the hour of arrival, counted in the same sessions: the shares of the cars that
# leave on the day of arrival and of those that stay for a day or longer. The rest leave the next
# morning: 3 % of the arrivals from 6 to 10 h, 16 % to 14 h, 44 % to 18 h, 70 % to 20 h, 84 % to
# 22 h, and 93 % later.
_SAME_DAY_AT_H = np.array([0.0, 5.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0, 24.0])
_SAME_DAY = np.array([0.97, 0.95, 0.89, 0.80, 0.74, 0.60, 0.49, 0.33, 0.175, 0.065, 0.025])
_LONG_AT_H = np.array([0.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 20.0, 24.0])
_LONG = np.array([0.03, 0.06, 0.07, 0.13, 0.16, 0.14, 0.09, 0.065, 0.025])
# Cars that leave on the day of arrival stay for a fraction of the hours to midnight whose logit is
# normal. Its mean by hour is that of the sessions. Its deviation gives the published lognormal
# (.74, .95) of all of them, measured on 60 days of 4,000 chargers.
_FRACTION_AT_H = np.array([0.0, 4.0, 8.0, 14.0, 17.0, 19.5, 24.0])
_FRACTION_MU = np.array([-0.2, -0.4, -1.2, -1.15, -1.15, -0.75, -0.2])
_FRACTION_SIGMA_AT_H, _FRACTION_SIGMA = np.array([5.0, 7.0]), np.array([0.6, 1.1])
# The published deviation is .83, of the energy charged. Stays that are too short for the demand
# widen it, so it is smaller here (found in the same trials; mean 11.2, q95 31.4 kWh charged).
_ENERGY_MU, _ENERGY_SIGMA = 2.11, 0.81
# Morning departures: quartiles 07:16, 07:46, 09:29, as a shifted lognormal.
_LEAVE_FROM_H, _LEAVE_MU, _LEAVE_SIGMA = 7.065, -0.350, 1.832
_LONG_H, _LONG_MEAN_H, _LONG_MAX_H = 24.0, 29.0, 94.0
_MINUTE_H = 1.0 / 60.0
# The correlation of energy and stay of the cars that leave the same day; an assumption.
_CORRELATION = 0.85


def home_sessions(
    draws: Draws, keys: Keys, days: NDArray[np.int64], per_day: Floats, _: IsWeekend | None = None
) -> Sessions:
    """Return the sessions of k devices on the local days `days`, int64[k, m].

    A session that begins while one of the preceding days is still running does not take place.
    `per_day` is the mean number of sessions that take place.
    """
    before = np.arange(LOOK_BACK_DAYS, 0, -1)
    first = days.shape[1]
    # The days are consecutive: draw them together with the days whose sessions may block them.
    every = np.concatenate((days[:, :1] - before, days), axis=1)
    drawn, arrival, departure, energy = _candidates(draws, keys[:, None], every, per_day[:, None])
    free = np.ones(days.shape, np.bool_)
    here = slice(LOOK_BACK_DAYS, None)
    for back in range(1, LOOK_BACK_DAYS + 1):
        then = slice(LOOK_BACK_DAYS - back, LOOK_BACK_DAYS - back + first)
        free &= ~(drawn[:, then] & (departure[:, then] > arrival[:, here]))
    car = np.zeros(days.shape, np.int64)
    takes_place = drawn[:, here] & free
    return Sessions(arrival[:, here], departure[:, here], energy[:, here], takes_place, car)


def _candidates(
    draws: Draws, keys: Keys, days: NDArray[np.int64], per_day: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], Floats]:
    """Draw the candidates: (whether there is one, arrival, departure, energy), each [k, m]."""
    u = draws.uniform4("ev_charger/session", keys, days)
    v = draws.uniform4("ev_charger/stay", keys, days)
    drawn = u[0] < candidate_rate(per_day)
    start_h = np.interp(u[1], _START_ENDS, np.arange(25.0))
    normal = np.sqrt(-2.0 * np.log(u[2])) * np.cos(2.0 * np.pi * u[3])
    energy = np.exp(_ENERGY_MU + _ENERGY_SIGMA * normal)
    radius, turn = np.sqrt(-2.0 * np.log(v[1])), 2.0 * np.pi * v[2]
    # Stays correlate with the energy: otherwise short stays would reduce the energy charged.
    short = _CORRELATION * normal + (1.0 - _CORRELATION**2) ** 0.5 * radius * np.cos(turn)
    spread = np.interp(start_h, _FRACTION_SIGMA_AT_H, _FRACTION_SIGMA)
    logit = np.interp(start_h, _FRACTION_AT_H, _FRACTION_MU) + spread * short
    same_day = (24.0 - start_h) / (1.0 + np.exp(-logit))
    leave = np.exp(_LEAVE_MU + _LEAVE_SIGMA * radius * np.sin(turn))
    # A car that leaves the next morning stays for less than a day.
    leave_h = np.minimum(_LEAVE_FROM_H + leave, np.maximum(start_h - 0.1, _LEAVE_FROM_H))
    overnight = 24.0 - start_h + leave_h
    long = np.minimum(_LONG_H - _LONG_MEAN_H * np.log(v[3]), _LONG_MAX_H)
    leaves_today = v[0] < np.interp(start_h, _SAME_DAY_AT_H, _SAME_DAY)
    stays_long = v[0] > 1.0 - np.interp(start_h, _LONG_AT_H, _LONG)
    stay_h = np.where(stays_long, long, np.where(leaves_today, same_day, overnight))
    stay_h = np.clip(stay_h, 5.0 * _MINUTE_H, _LONG_MAX_H)
    midnight = days * DAY_MS
    arrival = midnight + whole_minutes(start_h)
    departure = arrival + whole_minutes(stay_h)
    return drawn, arrival, departure, energy


def candidate_rate(per_day: Floats) -> Floats:
    """Return the rate of candidates that leaves `per_day` sessions after blocking."""
    # About a sixth of the preceding candidates block one: r (1 - r / 6) = per_day.
    blocked = 1.0 / 6.0
    rate: Floats = (1.0 - np.sqrt(np.maximum(1.0 - 4.0 * blocked * per_day, 0.0))) / (2.0 * blocked)
    return np.minimum(rate, 1.0)
