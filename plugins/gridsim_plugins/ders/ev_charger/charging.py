"""How a car's battery takes up power: constant at first, then tapering off.

Lee, Johansson, Low: ACN-Sim, SmartGridComm 2019 (its two-stage battery): above a state of
charge that depends on the power, the room left decays exponentially. States of charge are
fractions, times in hours; scalars or float64[n].
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats

ACCEPTANCE_PER_H = 0.5
"""Most power that the battery takes, in capacities per hour; holds to 80 % charge."""
_TAPER_FROM = 0.8
_TAPER_H = (1.0 - _TAPER_FROM) / ACCEPTANCE_PER_H
# An exponential never ends: the last percent goes at the power of the first of it.
_LAST = 0.01
_LAST_PER_H = _LAST / _TAPER_H


def charged(soc: Floats, target: Floats, rate: Floats, hours: Floats | float) -> Floats:
    """The state of charge after `hours` of charging at most at `rate` (capacities per hour).

    An exact solution: many short steps give the same as one long one, so that a car can be
    found in the middle of its session. Never above `target`, nor below `soc`.
    """
    safe = np.maximum(rate, 1e-9)
    # Constant power, up to where the taper limits it.
    taper_from = np.minimum(1.0 - safe * _TAPER_H, 1.0 - _LAST)
    constant_h = np.clip((taper_from - soc) / safe, 0.0, hours)
    first = soc + rate * constant_h
    left = hours - constant_h
    # Exponential approach, up to the last percent; not where the power is below even that.
    room = np.maximum(1.0 - first, _LAST)
    taper_h = np.where(rate > _LAST_PER_H, np.minimum(left, _TAPER_H * np.log(room / _LAST)), 0.0)
    second = first + room * -np.expm1(-taper_h / _TAPER_H)
    last = second + np.minimum(rate, _LAST_PER_H) * (left - taper_h)
    reached: Floats = np.minimum(last, np.maximum(target, soc))
    return reached


def hours_from_empty(soc: Floats, rate: Floats) -> Floats:
    """How long a car charges at most at `rate` from 0 to `soc`: the inverse of `charged`.

    How long from one state of charge to another is the difference of two of these, as the
    power depends on the state of charge alone.
    """
    taper_from, taper_h, last = _stages(rate)
    constant = np.minimum(soc, taper_from) / np.maximum(rate, 1e-9)
    room = np.maximum(1.0 - np.maximum(soc, taper_from), _LAST)
    tapering = np.where(taper_h > 0.0, _TAPER_H * np.log((1.0 - taper_from) / room), 0.0)
    hours: Floats = constant + tapering + np.maximum(soc - (1.0 - _LAST), 0.0) / last
    return hours


def soc_after(hours: Floats, rate: Floats) -> Floats:
    """The state of charge after `hours` from empty; 0 for a negative time."""
    taper_from, taper_h, last = _stages(rate)
    safe = np.maximum(rate, 1e-9)
    left = hours - taper_from / safe
    tapering = 1.0 - (1.0 - taper_from) * np.exp(-np.clip(left, 0.0, taper_h) / _TAPER_H)
    ending = 1.0 - _LAST + (left - taper_h) * last
    soc = np.where(left <= 0.0, hours * safe, np.where(left <= taper_h, tapering, ending))
    clipped: Floats = np.clip(soc, 0.0, 1.0)
    return clipped


def _stages(rate: Floats) -> tuple[Floats, Floats, Floats]:
    """Where the taper begins, how long it lasts, and the rate of the last percent."""
    safe = np.maximum(rate, 1e-9)
    taper_from = np.minimum(1.0 - safe * _TAPER_H, 1.0 - _LAST)
    taper_h = _TAPER_H * np.log((1.0 - taper_from) / _LAST)
    return taper_from, taper_h, np.minimum(safe, _LAST_PER_H)
