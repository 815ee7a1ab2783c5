"""The curves of grid support by IEEE 1547-2018: volt-var, volt-watt and frequency-droop.

Pure functions of arrays that broadcast against each other; voltages are shares of the nominal one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridsim.helpers.randomness import Floats


@dataclass(frozen=True, slots=True)
class VoltVar:
    """A volt-var curve: injection up to the first point, absorption from the last one on."""

    points: tuple[tuple[float, float], ...]
    """Four points: the voltage, and the reactive power as a share of the rated apparent power."""
    response_s: float
    """The open-loop response time: 90 % of a change is reached after it."""

    @classmethod
    def symmetric(
        cls, v1: float, v2: float, v3: float, v4: float, share: float, response_s: float
    ) -> VoltVar:
        """Return a curve with no reactive power from v2 to v3, and `share` at both ends."""
        return cls(((v1, share), (v2, 0.0), (v3, 0.0), (v4, -share)), response_s)


VOLT_VAR: Final = {
    "off": VoltVar.symmetric(0.9, 1.0, 1.0, 1.1, 0.0, 10.0),
    "category_a": VoltVar.symmetric(0.9, 1.0, 1.0, 1.1, 0.25, 10.0),
    "category_b": VoltVar.symmetric(0.92, 0.98, 1.02, 1.08, 0.44, 5.0),
}
"""The default curves (table 8)."""
_CAPABILITY: Final = 0.44
_FULL_FROM, _NONE_BELOW = 0.2, 0.05
VOLT_WATT: Final = ((1.06, 1.0), (1.10, 0.0))
"""Two points: the voltage, and the limit of the active power as a share of the rated power
(table 10).

The standard has the lesser of 20 % and the smallest output at the end, which is 0 here.
"""
VOLT_WATT_RESPONSE_S: Final = 10.0
DROOP_DEADBAND_HZ: Final = 0.036
DROOP: Final = 0.05
"""The change of the frequency, as a share of the nominal one, for a change by the rated power."""
DROOP_RESPONSE_S: Final = 5.0
"""The defaults of frequency-droop of all categories (table 24)."""


def along(at: Floats, points: Floats) -> Floats:
    """Return the values of curves at `at`, float64[n]; constant beyond the ends.

    `points` is float64[points, 2, n]: the places and the values of the points of each curve. The
    value of the second point counts from the left, and the steps after it are added.
    """
    (first, before), (second, start), *rest = points
    value: Floats = start + (before - start) * _part(second - at, second - first)
    last, earlier = second, start
    for place, new in rest:
        value = value + (new - earlier) * _part(at - last, place - last)
        last, earlier = place, new
    return value


def _part(distance: Floats, length: Floats) -> Floats:
    """Return the part of a length that a distance is, from 0 to 1; 0 without a length."""
    has = length > 0.0
    part: Floats = np.where(has, np.clip(distance / np.where(has, length, 1.0), 0.0, 1.0), 0.0)
    return part


def reactive_capability(power: Floats) -> Floats:
    """Return the largest reactive power as a share of the rated apparent power (clause 5.2).

    `power` is the active power as a share of the rated one: below 20 % of it the capability falls,
    and below 5 % there is none.
    """
    able = _CAPABILITY * np.minimum(power / _FULL_FROM, 1.0)
    return np.where(power < _NONE_BELOW, 0.0, able)


def droop(frequency_hz: Floats, nominal_hz: Floats) -> Floats:
    """Return the change of the active power as a share of the rated power."""
    deviation = frequency_hz - nominal_hz
    beyond = deviation - np.clip(deviation, -DROOP_DEADBAND_HZ, DROOP_DEADBAND_HZ)
    change: Floats = -beyond / (nominal_hz * DROOP)
    return change
