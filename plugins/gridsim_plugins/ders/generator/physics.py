"""The physics of a generating set; scalars or float64[n], powers in kW, times in s."""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats

_SECONDS_PER_HOUR = 3600.0


def fuel_used(
    running_s: Floats, energy_kwh: Floats, rated: Floats, no_load: Floats, slope: Floats
) -> Floats:
    """Return the litres of fuel used for a running time and a delivered energy.

    The linear fuel curve F = F0 Y + F1 P of HOMER (NREL): `no_load` F0 in l/h per kW of the
    rated power Y, `slope` F1 in l/h per kW delivered.
    """
    litres: Floats = no_load * rated * running_s / _SECONDS_PER_HOUR + slope * energy_kwh
    return litres


def ramp(power: Floats, target: Floats, rate: Floats, duration_s: Floats) -> tuple[Floats, Floats]:
    """Move `power` to `target` at `rate` (kW/s), hold it, and return (end power, energy in kWs).

    The energy is the exact integral over the duration, so it does not depend on the tick.
    """
    gap = target - power
    moving = np.minimum(np.abs(gap) / rate, duration_s)
    travelled = np.copysign(np.minimum(np.abs(gap), rate * duration_s), gap)
    # Return the exact target where it is reached: a sum could differ by a rounding error.
    end = np.where(np.abs(gap) <= rate * duration_s, target, power + travelled)
    energy = power * duration_s + travelled * (duration_s - 0.5 * moving)
    return end, energy
