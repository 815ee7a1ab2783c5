"""Defrosting of the outdoor unit.

While a compressor runs in cold and humid air, frost grows; a defrost of five minutes removes it.
Controllers defrost each 30 to 90 minutes of operation at most, for less than 10 minutes, and most
often around 0 degC. In a field test defrosting took 10.2 % of the energy of a heating season
(Baxter, Moyers, ASHRAE Transactions 91 (1985)). The air is taken to be humid, because the weather
has no humidity. The efficiency of Ruhnau et al. comes from tests with defrosting (EN 14511).
Between defrosts it is therefore higher by the cost of the defrosts.
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats

DEFROST_H = 5.0 / 60.0
_SHORTEST_H = 55.0 / 60.0
# Frost grows fastest between the inner temperatures, and not at all beyond the outer ones.
_AT_C, _GROWTH = np.array([-10.0, -2.0, 2.0, 6.0]), np.array([0.0, 1.0, 1.0, 0.0])
POWER = 0.5
"""The power during a defrost over the power before it."""


def cycles_per_hour(outdoor_c: Floats) -> Floats:
    """Return the defrosts per hour of operation."""
    rate: Floats = np.interp(outdoor_c, _AT_C, _GROWTH) / _SHORTEST_H
    return rate


def share_of(rate: Floats) -> Floats:
    """Return the share of the operation that is defrosting, at `rate` cycles per hour."""
    share: Floats = rate * DEFROST_H
    return share


def gain(share: Floats) -> Floats:
    """Return the factor on the efficiency between defrosts that preserves the mean efficiency."""
    factor: Floats = 1.0 + POWER * share / (1.0 - share)
    return factor


def defrosting(start: Floats, cycles: Floats, share: Floats) -> Floats:
    """Return the share of a step that is defrosting, float64[n].

    `start` is the position in the cycle, `cycles` the length of the step in cycles. A cycle ends
    with the defrost.
    """
    end = start + cycles
    done = _defrosted(end, share) - _defrosted(start, share)
    part: Floats = np.divide(done, cycles, out=np.zeros_like(start), where=cycles > 0.0)
    return np.minimum(part, 1.0)


def _defrosted(at: Floats, share: Floats) -> Floats:
    whole = np.floor(at)
    return whole * share + np.maximum(at - whole - (1.0 - share), 0.0)
