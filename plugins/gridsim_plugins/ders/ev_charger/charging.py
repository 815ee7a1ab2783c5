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
