"""When cars come and leave, and how much energy they take.

From 5,466 private sessions at homes in Trondheim (Sorensen, Lindberg, Sartori, Andresen:
Residential electric vehicle charging datasets from apartment buildings, Data in Brief 36
(2021), CC BY). A session belongs to a device and a local day, whoever asks and whenever.
Weekends are taken to be as weekdays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Floats, Keys

DAY_MS = 86_400_000
LOOK_BACK_DAYS = 4
"""No car stays longer than this."""

# Share of the sessions that start in each hour of the day, %.
# fmt: off
_START_SHARES = np.array([
    0.9, 0.4, 0.2, 0.2, 0.0, 0.1, 0.3, 1.2, 1.1, 0.7, 1.3, 1.7,
    2.0, 2.9, 4.4, 11.9, 17.5, 8.5, 8.2, 10.5, 9.8, 7.6, 5.7, 2.9,
])
# fmt: on
# How often the charger is free then, found by counting: candidates are drawn so much oftener.
_FREE = np.interp(np.arange(24.0), [0.0, 6.0, 8.0, 14.0, 23.0], [0.56, 0.61, 0.78, 0.88, 0.93])
_START_ENDS = np.concatenate(([0.0], np.cumsum(_START_SHARES / _FREE)))
_START_ENDS /= _START_ENDS[-1]
# 37 % leave on the day they come, 8 % stay a day or longer, the rest leaves next morning.
# Those who leave the same day stay for lognormal(.74, .95) hours. Whose stay would pass midnight
# leaves next morning instead, and that takes the long stays out: more and longer ones are drawn,
# so that those that remain are as published. Found by trying them on 60 days of 4,000 chargers
# at .58 sessions a day, where there remain 37 %, with a median of 2.05 h (exp(.74) = 2.10) and
# a deviation of the logarithm of .95.
_SAME_DAY, _SAME_DAY_MU, _SAME_DAY_SIGMA = 0.61, 1.35, 1.30
_LONG = 0.08
# The published deviation is .83, of what was charged: stays that are too short for the energy
# wanted widen it, from this (found in the same trials; mean 11.2 and q95 31.4 kWh charged).
_ENERGY_MU, _ENERGY_SIGMA = 2.11, 0.81
# Morning departures: quartiles 07:16, 07:46, 09:29, as a shifted lognormal.
_LEAVE_FROM_H, _LEAVE_MU, _LEAVE_SIGMA = 7.065, -0.350, 1.832
_LONG_H, _LONG_MEAN_H, _LONG_MOST_H = 24.0, 29.0, 94.0
_MINUTE_H = 1.0 / 60.0
_TOGETHER = 0.85  # correlation of energy and stay of those who leave the same day; assumed


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """One possible session per device and day, [k, days]."""

    arrival_ms: NDArray[np.int64]
    """On the site's clock, a whole minute."""
    departure_ms: NDArray[np.int64]
    energy_kwh: Floats
    """What the car would like to draw, AC."""
    takes_place: NDArray[np.bool_]
    """False where no car comes that day."""


def sessions_of(draws: Draws, keys: Keys, days: NDArray[np.int64], per_day: Floats) -> Sessions:
    """The sessions of the local days `days`, int64[k, m], of k devices.

    A car does not come while another is there: a session that begins during one of the
    preceding days' is none. `per_day` is the mean number that take place.
    """
    before = np.arange(LOOK_BACK_DAYS, 0, -1)
    first = days.shape[1]
    # The days asked for are consecutive: draw them together with those that may block them.
    every = np.concatenate((days[:, :1] - before, days), axis=1)
    wanted, arrival, departure, energy = _drawn(draws, keys[:, None], every, per_day[:, None])
    free = np.ones(days.shape, np.bool_)
    here = slice(LOOK_BACK_DAYS, None)
    for back in range(1, LOOK_BACK_DAYS + 1):
        then = slice(LOOK_BACK_DAYS - back, LOOK_BACK_DAYS - back + first)
        free &= ~(wanted[:, then] & (departure[:, then] > arrival[:, here]))
    return Sessions(arrival[:, here], departure[:, here], energy[:, here], wanted[:, here] & free)


def _drawn(
    draws: Draws, keys: Keys, days: NDArray[np.int64], per_day: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], Floats]:
    """Candidates: whether, arrival, departure, energy, each [k, m]."""
    u = draws.uniform4("ev_charger/session", keys, days)
    v = draws.uniform4("ev_charger/stay", keys, days)
    wanted = u[0] < candidate_rate(per_day)
    start_h = np.interp(u[1], _START_ENDS, np.arange(25.0))
    normal = np.sqrt(-2.0 * np.log(u[2])) * np.cos(2.0 * np.pi * u[3])
    energy = np.exp(_ENERGY_MU + _ENERGY_SIGMA * normal)
    radius, turn = np.sqrt(-2.0 * np.log(v[1])), 2.0 * np.pi * v[2]
    # Who comes for much stays for longer: without that, short stays would cut the energy.
    short = _TOGETHER * normal + (1.0 - _TOGETHER**2) ** 0.5 * radius * np.cos(turn)
    same_day = np.exp(_SAME_DAY_MU + _SAME_DAY_SIGMA * short)
    leave = np.exp(_LEAVE_MU + _LEAVE_SIGMA * radius * np.sin(turn))
    # Nobody who leaves "next morning" stays for a whole day.
    leave_h = np.minimum(_LEAVE_FROM_H + leave, np.maximum(start_h - 0.1, _LEAVE_FROM_H))
    overnight = 24.0 - start_h + leave_h
    long = np.minimum(_LONG_H - _LONG_MEAN_H * np.log(v[3]), _LONG_MOST_H)
    leaves_today = (v[0] < _SAME_DAY) & (start_h + same_day < 24.0)
    stay_h = np.where(v[0] > 1.0 - _LONG, long, np.where(leaves_today, same_day, overnight))
    stay_h = np.clip(stay_h, 5.0 * _MINUTE_H, _LONG_MOST_H)
    midnight = days * DAY_MS
    arrival = midnight + _whole_minutes(start_h)
    departure = arrival + _whole_minutes(stay_h)
    return wanted, arrival, departure, energy


def candidate_rate(per_day: Floats) -> Floats:
    """How often to draw a session so that `per_day` remain after those that are blocked."""
    # A candidate is blocked by about a sixth of those that precede it: r (1 - r / 6) = per_day.
    blocked = 1.0 / 6.0
    rate: Floats = (1.0 - np.sqrt(np.maximum(1.0 - 4.0 * blocked * per_day, 0.0))) / (2.0 * blocked)
    return np.minimum(rate, 1.0)


def _whole_minutes(hours: Floats) -> NDArray[np.int64]:
    minutes: NDArray[np.int64] = np.floor(hours * 60.0).astype(np.int64)
    return minutes * 60_000
