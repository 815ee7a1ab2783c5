"""The physics of a hot water tank.

The tank is fully mixed: one thermal mass, heated by the element, cooled by draws and through
its walls. Duffie and Beckman: Solar Engineering of Thermal Processes, 8.3. Powers in kW, heat
capacities in kWh/K, temperatures in degrees Celsius; scalars or float64[n].
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats

_KWH_PER_LITRE_K = 4.186 / 3600.0
HAND_WARM_C = 40.0
"""The temperature at which the water is used, mixed with cold water."""


def heat_capacity(litres: Floats) -> Floats:
    """Return the heat capacity of a volume of water, kWh/K."""
    capacity: Floats = litres * _KWH_PER_LITRE_K
    return capacity


def drawn(tap_kw: Floats, now: Floats, cold: Floats) -> Floats:
    """Return the heat that leaves the tank when the taps demand `tap_kw`, kW.

    While the tank is warmer than `HAND_WARM_C`, cold water is mixed in and the heat equals the
    demand. Below that, the same flow delivers less heat.
    """
    share = np.minimum(np.maximum((now - cold) / (HAND_WARM_C - cold), 0.0), 1.0)
    heat: Floats = tap_kw * share
    return heat
