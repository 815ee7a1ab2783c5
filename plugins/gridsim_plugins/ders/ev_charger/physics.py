"""The physics of charging a car: constant power at first, then a taper.

Lee, Johansson, Low: ACN-Sim, SmartGridComm 2019 (its two-stage battery): above a state of
charge that depends on the power, the remaining capacity decays exponentially. States of charge
are fractions, rates capacities per hour, times in hours; scalars or float64[n].
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats

# Near full, the power that a battery accepts falls in proportion to the remaining capacity: it is
# 0.3 capacities per hour at 95 %. Six curves of fast charging (EVKX: Tesla Model Y, VW ID.4, two
# of Nio ES8, two of Porsche Taycan) have 0.30 to 0.55 there, with a median of 0.45. The lowest is
# used, because the curves are those of a warm battery. 7.2 kW into 60 kWh are 0.11 capacities per
# hour, so such a car charges at full power up to 98 %; a higher rate tapers earlier.
_TAPER_H = (1.0 - 0.95) / 0.3
# An exponential never ends, so the last percent is charged at constant power.
_LAST = 0.01
_LAST_PER_H = _LAST / _TAPER_H
_MIN_AMPERES = 6.0


def charged(soc: Floats, target: Floats, rate: Floats, hours: Floats | float) -> Floats:
    """Return the state of charge after `hours` of charging at up to `rate`.

    The solution is exact: many short steps give the same as one long step, so a run may start
    in the middle of a session. The result is never above `target`, nor below `soc`.
    """
    safe = np.maximum(rate, 1e-9)
    # Constant power, until the taper limits it.
    taper_from = np.minimum(1.0 - safe * _TAPER_H, 1.0 - _LAST)
    constant_h = np.clip((taper_from - soc) / safe, 0.0, hours)
    first = soc + rate * constant_h
    left = hours - constant_h
    if not np.any(left):
        # Mostly, no car tapers: the terms below are zero.
        return np.minimum(first, np.maximum(target, soc))
    # Exponential approach to the last percent, unless the power is already lower than at its end.
    room = np.maximum(1.0 - first, _LAST)
    taper_h = np.where(rate > _LAST_PER_H, np.minimum(left, _TAPER_H * np.log(room / _LAST)), 0.0)
    second = first + room * -np.expm1(-taper_h / _TAPER_H)
    last = second + np.minimum(rate, _LAST_PER_H) * (left - taper_h)
    reached: Floats = np.minimum(last, np.maximum(target, soc))
    return reached


# The power that a battery accepts from a DC fast charger, by state of charge from 0 to 100 %, in
# capacities per hour: the median of 111 battery cars (Open EV Data, MIT, 2022: measured curves).
# fmt: off
_DC_AT = np.linspace(0.0, 1.0, 21)
_DC_PER_H = np.array([
    1.65, 1.645, 1.64, 1.635, 1.63, 1.625, 1.62, 1.615, 1.51, 1.44, 1.29, 1.25, 1.16, 1.08, 0.94,
    0.86, 0.79, 0.63, 0.46, 0.33, 0.22,
])
# fmt: on
# Times by that curve, with the power at the end of each of 400 parts: never above the curve.
_DC_SOC = np.linspace(0.0, 1.0, 401)
_DC_HOURS = np.concatenate(
    (
        [0.0],
        np.cumsum(np.diff(_DC_SOC) / np.interp(_DC_SOC[1:], _DC_AT, _DC_PER_H)),
    )
)


def charged_fast(soc: Floats, target: Floats, rate: Floats, hours: Floats | float) -> Floats:
    """Return the state of charge after `hours` of DC charging at up to `rate`.

    The power is that of the charger until the battery accepts less. The solution is exact for any
    step, like that of `charged`.
    """
    safe = np.maximum(rate, 1e-9)
    limited_from = np.interp(-safe, -_DC_PER_H, _DC_AT)
    constant_h = np.clip((limited_from - soc) / safe, 0.0, hours)
    first = soc + rate * constant_h
    at = np.interp(first, _DC_SOC, _DC_HOURS) + (hours - constant_h)
    last = np.interp(at, _DC_HOURS, _DC_SOC)
    after = np.where(hours > constant_h, last, first)
    reached: Floats = np.minimum(np.maximum(after, soc), np.maximum(target, soc))
    return reached


def hours_from_empty(soc: Floats, rate: Floats) -> Floats:
    """Return the hours of charging at up to `rate` from 0 to `soc`: the inverse of `charged`.

    The time between two states of charge is the difference of their hours, because the power
    depends on the state of charge alone.
    """
    taper_from, taper_h, last = _stages(rate)
    constant = np.minimum(soc, taper_from) / np.maximum(rate, 1e-9)
    room = np.maximum(1.0 - np.maximum(soc, taper_from), _LAST)
    tapering = np.where(taper_h > 0.0, _TAPER_H * np.log((1.0 - taper_from) / room), 0.0)
    hours: Floats = constant + tapering + np.maximum(soc - (1.0 - _LAST), 0.0) / last
    return hours


def soc_after(hours: Floats, rate: Floats) -> Floats:
    """Return the state of charge after `hours` from empty; 0 for a negative time."""
    taper_from, taper_h, last = _stages(rate)
    safe = np.maximum(rate, 1e-9)
    left = hours - taper_from / safe
    tapering = 1.0 - (1.0 - taper_from) * np.exp(-np.clip(left, 0.0, taper_h) / _TAPER_H)
    ending = 1.0 - _LAST + (left - taper_h) * last
    soc = np.where(left <= 0.0, hours * safe, np.where(left <= taper_h, tapering, ending))
    clipped: Floats = np.clip(soc, 0.0, 1.0)
    return clipped


def least_soc(goal: Floats, rate: Floats, hours_left: Floats) -> Floats:
    """Return the lowest state of charge from which `hours_left` at full power reach `goal`."""
    return soc_after(hours_from_empty(goal, rate) - np.maximum(hours_left, 0.0), rate)


def pilot_power(limit_kw: Floats, volts: Floats, phases: Floats) -> Floats:
    """Return the power of the highest pilot current within `limit_kw`, float64[n], kW.

    SAE J1772: a pilot has whole amperes; below 6 A the car pauses.
    """
    amperes = np.floor(limit_kw * 1000.0 / (volts * phases) + 1e-9)
    return np.where(amperes >= _MIN_AMPERES, amperes * volts * phases / 1000.0, 0.0)


def _stages(rate: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the start of the taper, its duration, and the rate of the last percent."""
    safe = np.maximum(rate, 1e-9)
    taper_from = np.minimum(1.0 - safe * _TAPER_H, 1.0 - _LAST)
    taper_h = _TAPER_H * np.log((1.0 - taper_from) / _LAST)
    return taper_from, taper_h, np.minimum(safe, _LAST_PER_H)
