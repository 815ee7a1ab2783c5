"""The power of a car that charges freely: it rises over seconds, then fluctuates below its limit.

Both are exact for any tick: a tick has an equivalent time at full power, and the equivalent times
of many short ticks add up to that of a long one. On-board chargers reach a new current within
seconds (IEC 61851-1 allows 5 s for a change of the pilot); the ramp of 10 s after the start and the
periods of the fluctuation are assumptions.
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Draws, Floats, Keys

RAMP_S = 10.0
# The fluctuation is a sum of sines: their shares of the amplitude and their periods, s.
_SHARES = (0.5, 0.3, 0.2)
_PERIODS_S = (7.3, 37.0, 310.0)
_TURNS = np.array([[2.0 * np.pi / period_s] for period_s in _PERIODS_S])
_SWINGS = 2.0 * np.array(_SHARES)[:, None] / _TURNS


def waves_of(draws: Draws, keys: Keys, session: Keys) -> Floats:
    """Return the phases of the sines in each session, float64[3, k]."""
    phases: Floats = 2.0 * np.pi * draws.uniform4("ev_charger/fluctuation", keys, session)[:3]
    return phases


def hours_at_full(since_s: Floats, dt_s: Floats | float, mean: Floats, waves: Floats) -> Floats:
    """Return the equivalent hours at full power of a tick, from `since_s` after the start.

    `mean` is the mean share by which the power is below its limit. The power is between
    1 - 2 `mean` and 1 of its limit after the ramp.
    """
    start, end = np.maximum(since_s - RAMP_S, 0.0), np.maximum(since_s + dt_s - RAMP_S, 0.0)
    length, middle = end - start, 0.5 * (start + end)
    swing = _SWINGS * np.sin(0.5 * _TURNS * length)
    one, two, three = swing * np.sin(_TURNS * middle + waves)
    below = length + one + two + three
    risen = length
    if (since_s < RAMP_S).any():
        risen = risen + _in_ramp(since_s + dt_s) - _in_ramp(since_s)
    hours: Floats = (risen - mean * below) / 3600.0
    return hours


def _in_ramp(at_s: Floats) -> Floats:
    """Return the equivalent seconds at full power of the ramp up to a time after the start."""
    at = np.clip(at_s, 0.0, RAMP_S)
    return at * at / (2.0 * RAMP_S)
