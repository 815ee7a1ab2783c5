"""Sessions at public DC fast chargers.

Stays have a median of 30 minutes (28 to 36 at chargers of 50 to 350 kW, 4,000 sessions: Mahlberg,
Desai, Bullock, World Electric Vehicle Journal 14 (2023), 308). The energy has a mean of 29 kWh,
between the 22 kWh of 2.3 million sessions in the United States (EV WATTS, 2020 to 2023, paid
chargers) and the 40 kWh of fast chargers in Germany (Hecht, Figgener, Sauer, iScience 25 (2022)),
which have three times as many sessions as AC chargers, and more on weekends. The hours of arrival
and the correlation of energy and stay are estimates: by day, with a maximum in the afternoon.
"""

from __future__ import annotations

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

FAST_PER_DAY = 1.6
"""The mean number of sessions per charger and day of the week."""
_LOOK_BACK_DAYS = 1
HOURS = 24
# fmt: off
_ARRIVALS = np.array([
    .6, .4, .3, .3, .4, .9, 1.8, 3.0, 4.2, 5.2, 6.0, 6.7,
    7.0, 7.2, 7.4, 7.6, 7.6, 7.2, 6.4, 5.4, 4.4, 3.4, 2.3, 1.3,
])
# fmt: on
_ARRIVALS = _ARRIVALS / _ARRIVALS.sum()
_WEEKDAY, _WEEKEND = 0.95, 1.125
_STAY_MU, _STAY_SIGMA, _LONGEST_STAY_H = float(np.log(0.5)), 0.5, 3.0
_ENERGY_MU, _ENERGY_SIGMA = float(np.log(24.5)), 0.6
_CORRELATION = 0.6
# The share of candidates that find the charger in use; more candidates are drawn to compensate.
_IN_USE = 0.6


def fast_sessions(
    draws: Draws,
    keys: Keys,
    days: NDArray[np.int64],
    per_day: Floats,
    weekend: IsWeekend = is_weekend,
) -> Sessions:
    """Return the sessions of k fast chargers on the local days `days`, int64[k, m].

    At most one car comes in each hour; a car that finds the charger in use drives on.
    """
    before = np.arange(_LOOK_BACK_DAYS, 0, -1)
    every = np.concatenate((days[:, :1] - before, days), axis=1)
    hour = (every[:, :, None] * HOURS + np.arange(HOURS)).reshape(len(keys), -1)
    u = draws.uniform4("ev_charger/fast", keys[:, None], hour)
    v = draws.uniform4("ev_charger/fast_size", keys[:, None], hour)
    of_week = np.where(weekend(hour // HOURS), _WEEKEND, _WEEKDAY)
    rate = per_day[:, None] * of_week * _ARRIVALS[hour % HOURS]
    drawn = u[0] < 1.0 - np.exp(-rate * (1.0 + _IN_USE * rate))
    radius, turn = np.sqrt(-2.0 * np.log(v[0])), 2.0 * np.pi * v[1]
    one, other = radius * np.cos(turn), radius * np.sin(turn)
    both = _CORRELATION * one + np.sqrt(1.0 - _CORRELATION**2) * other
    energy = np.exp(_ENERGY_MU + _ENERGY_SIGMA * one)
    stay_h = np.clip(np.exp(_STAY_MU + _STAY_SIGMA * both), 0.1, _LONGEST_STAY_H)
    arrival = hour * (DAY_MS // HOURS) + whole_minutes(u[1])
    departure = arrival + whole_minutes(stay_h)
    end = np.where(drawn, departure, np.iinfo(np.int64).min)
    latest = np.maximum.accumulate(end, axis=1)
    drawn[:, 1:] &= arrival[:, 1:] > latest[:, :-1]
    here = slice(_LOOK_BACK_DAYS * HOURS, None)
    return Sessions(
        arrival[:, here], departure[:, here], energy[:, here], drawn[:, here], hour[:, here]
    )
