"""The water of a tank: what it holds, and what leaves it.

It is fully mixed, one thermal mass that gains by the element and loses by draws and through
its walls; see Duffie and Beckman: Solar Engineering of Thermal Processes, 8.3. Powers in kW,
C in kWh/K, temperatures in degrees Celsius; scalars or float64[n].
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats

_KWH_PER_LITRE_K = 4.186 / 3600.0
HAND_WARM_C = 40.0
"""The temperature at which people use the water, mixed with cold."""


def heat_capacity(litres: Floats) -> Floats:
    """Of water, kWh/K."""
    capacity: Floats = litres * _KWH_PER_LITRE_K
    return capacity


def drawn(tap_kw: Floats, now: Floats, cold: Floats) -> Floats:
    """The heat that leaves the tank when taps ask for `tap_kw`, kW.

    While the tank is warmer than what is used, less of it is mixed with more cold water, and
    the heat is what is asked for. From a cooler tank the same flow brings less.
    """
    share = np.minimum(np.maximum((now - cold) / (HAND_WARM_C - cold), 0.0), 1.0)
    heat: Floats = tap_kw * share
    return heat
