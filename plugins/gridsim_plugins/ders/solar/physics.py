"""The physics of a solar array; scalars or float64[n], irradiances in W/m2."""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats

_REFERENCE_EFFICIENCY = 0.9637


def plane_irradiance(
    dni: Floats, dhi: Floats, ghi: Floats, cos_incidence: Floats, tilt: Floats, albedo: Floats
) -> Floats:
    """Return the irradiance on a tilted plane, W/m2: beam, isotropic sky and ground.

    Liu and Jordan (1963); `tilt` in degrees, all float64[n].
    """
    slope = np.cos(np.radians(tilt))
    beam = dni * np.maximum(cos_incidence, 0.0)
    plane: Floats = beam + dhi * (0.5 + 0.5 * slope) + ghi * albedo * (0.5 - 0.5 * slope)
    return plane


def cell_temperature(plane: Floats, temperature_c: Floats, wind_m_s: Floats) -> Floats:
    """Return the cell temperature, degrees Celsius.

    Faiman, Progress in Photovoltaics 16 (2008); `plane` is the irradiance on the array in
    W/m2, `temperature_c` that of the air.
    """
    cell: Floats = temperature_c + plane / (25.0 + 6.84 * wind_m_s)
    return cell


def dc_power(plane: Floats, cell_c: Floats, rated: Floats, coefficient: Floats) -> Floats:
    """Return the DC power in the unit of `rated`; `coefficient` is the change per K.

    Dobos: PVWatts Version 5 (2014).
    """
    power: Floats = plane / 1000.0 * rated * (1.0 + coefficient * (cell_c - 25.0))
    return power


def ac_power(dc: Floats, rated_ac: Floats, efficiency: Floats) -> Floats:
    """Return the AC power of an inverter that clips at `rated_ac`; `efficiency` is a fraction.

    Dobos: PVWatts Version 5 (2014). The result is zero, not negative, where the inverter
    consumes more than its input.
    """
    rated_dc = rated_ac / efficiency
    load = dc / rated_dc
    # The published efficiency times the load: this avoids a division by a load of zero.
    delivered = -0.0162 * load * load + 0.9858 * load - 0.0059
    power = efficiency / _REFERENCE_EFFICIENCY * delivered * rated_dc
    limited: Floats = np.clip(power, 0.0, rated_ac)
    return limited
