"""The maths of a fully mixed tank.

One node of water that gains by the element and loses by draws and through its walls:
C dT/dt = P - Q - UA (T - Ta); see Duffie and Beckman: Solar Engineering of Thermal
Processes, 8.3. With P and Q constant over a step the solution is exact. Powers in kW, UA in
kW/K, C in kWh/K, temperatures in degrees Celsius; scalars or float64[n].
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


def relaxation(ua: Floats, capacity: Floats, hours: float) -> Floats:
    """Which part of the way to its final temperature a tank goes in a time."""
    return -np.expm1(-ua * hours / capacity)


def temperature_after(
    now: Floats, net_kw: Floats, ua: Floats, ambient: Floats, part: Floats
) -> Floats:
    """The temperature after a step with the constant net heat `net_kw`; `part`: relaxation."""
    final = ambient + net_kw / ua
    after: Floats = now + (final - now) * part
    return after


def net_heat_to_reach(
    now: Floats, target: Floats, ua: Floats, ambient: Floats, part: Floats
) -> Floats:
    """The inverse: the net heat in kW that ends the step at `target`."""
    net: Floats = ua * ((target - now) / part + now - ambient)
    return net


def drawn(tap_kw: Floats, now: Floats, cold: Floats) -> Floats:
    """The heat that leaves the tank when taps ask for `tap_kw`, kW.

    While the tank is warmer than what is used, less of it is mixed with more cold water, and
    the heat is what is asked for. From a cooler tank the same flow brings less.
    """
    share = np.minimum(np.maximum((now - cold) / (HAND_WARM_C - cold), 0.0), 1.0)
    heat: Floats = tap_kw * share
    return heat
