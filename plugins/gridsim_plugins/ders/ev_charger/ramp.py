"""The power of a car that charges freely: it rises over seconds, then trembles below its limit.

Both are exact for any tick: a tick has an equivalent time at full power, and the equivalent times
of many short ticks add up to that of a long one. On-board chargers reach a new current within
seconds (IEC 61851-1 allows 5 s for a change of the pilot); the ramp of 10 s after the start and the
periods of the tremble are assumptions.
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Draws, Floats, Keys

RAMP_S = 10.0
# The tremble is a sum of sines: their shares of the amplitude and their periods, s.
_SHARES = (0.5, 0.3, 0.2)
_PERIODS_S = (7.3, 37.0, 310.0)
_SLOWEST, _FASTEST = 0.8, 1.25


def tremble_of(draws: Draws, keys: Keys, session: Keys) -> Floats:
    """Return the phases of the sines and the scale of their periods in each session, [4, k]."""
    u = draws.uniform4("ev_charger/tremble", keys, session)
    u[:3] *= 2.0 * np.pi
    u[3] = _SLOWEST + (_FASTEST - _SLOWEST) * u[3]
    return u


def hours_at_full(since_s: Floats, dt_s: float, mean: Floats, tremble: Floats) -> Floats:
    """Return the hours at full power that a tick is worth, from `since_s` after the start.

    `mean` is the mean share by which the power is below its limit. The power is between
    1 - 2 `mean` and 1 of its limit after the ramp.
    """
    end = _seconds_at_full(since_s + dt_s, mean, tremble)
    hours: Floats = (end - _seconds_at_full(since_s, mean, tremble)) / 3600.0
    return hours


def _seconds_at_full(since_s: Floats, mean: Floats, tremble: Floats) -> Floats:
    """Return the integral of the power over its limit from the start on, s."""
    at = np.maximum(since_s, 0.0)
    risen = np.where(at < RAMP_S, at * at / (2.0 * RAMP_S), at - RAMP_S / 2.0)
    after = np.maximum(at - RAMP_S, 0.0)
    below = after.copy()
    for share, period_s, phase in zip(_SHARES, _PERIODS_S, tremble, strict=False):
        turn = 2.0 * np.pi / (period_s * tremble[3])
        below -= share / turn * (np.cos(turn * after + phase) - np.cos(phase))
    seconds: Floats = risen - mean * below
    return seconds
