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
    """A volt-var curve: injection up to v1, none from v2 to v3, absorption from v4 on."""

    v1: float
    v2: float
    v3: float
    v4: float
    share: float
    """The reactive power at both ends, as a share of the rated apparent power."""
    response_s: float
    """The open-loop response time: 90 % of a change is reached after it."""


VOLT_VAR: Final = {
    "off": VoltVar(0.9, 1.0, 1.0, 1.1, 0.0, 10.0),
    "category_a": VoltVar(0.9, 1.0, 1.0, 1.1, 0.25, 10.0),
    "category_b": VoltVar(0.92, 0.98, 1.02, 1.08, 0.44, 5.0),
}
"""The default curves (table 8)."""
_CAPABILITY: Final = 0.44
_FULL_FROM, _NONE_BELOW = 0.2, 0.05
VOLT_WATT: Final = (1.06, 1.10)
"""The voltages between which the limit of the active power falls from 100 % to 0 (table 10).

The standard has the lesser of 20 % and the smallest output at the end, which is 0 here.
"""
VOLT_WATT_RESPONSE_S: Final = 10.0
DROOP_DEADBAND_HZ: Final = 0.036
DROOP: Final = 0.05
"""The change of the frequency, as a share of the nominal one, for a change by the rated power."""
DROOP_RESPONSE_S: Final = 5.0
"""The defaults of frequency-droop of all categories (table 24)."""


def volt_var(
    voltage: Floats, v1: Floats, v2: Floats, v3: Floats, v4: Floats, share: Floats
) -> Floats:
    """Return the reactive power as a share of the rated apparent power; positive: injection."""
    low = np.clip((v2 - voltage) / (v2 - v1), 0.0, 1.0)
    high = np.clip((voltage - v3) / (v4 - v3), 0.0, 1.0)
    reactive: Floats = share * (low - high)
    return reactive


def reactive_capability(power: Floats) -> Floats:
    """Return the largest reactive power as a share of the rated apparent power (clause 5.2).

    `power` is the active power as a share of the rated one: below 20 % of it the capability falls,
    and below 5 % there is none.
    """
    able = _CAPABILITY * np.minimum(power / _FULL_FROM, 1.0)
    return np.where(power < _NONE_BELOW, 0.0, able)


def volt_watt(voltage: Floats) -> Floats:
    """Return the limit of the active power as a share of the rated power."""
    start, end = VOLT_WATT
    limit: Floats = 1.0 - np.clip((voltage - start) / (end - start), 0.0, 1.0)
    return limit


def droop(frequency_hz: Floats, nominal_hz: Floats) -> Floats:
    """Return the change of the active power as a share of the rated power."""
    deviation = frequency_hz - nominal_hz
    beyond = deviation - np.clip(deviation, -DROOP_DEADBAND_HZ, DROOP_DEADBAND_HZ)
    change: Floats = -beyond / (nominal_hz * DROOP)
    return change
