"""The physics of a solar array; scalars or float64[n], irradiances in W/m2."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gridsim.api import Floats

_REFERENCE_EFFICIENCY = 0.9637
_GLASS_INDEX = 1.526
# The extinction coefficient, 4 per m, times the thickness, 0.002 m.
_GLASS_ABSORPTION = 0.008


def ground_irradiance(ghi: Floats, albedo: Floats, cos_tilt: Floats) -> Floats:
    """Return the light that a tilted plane gets from the ground, W/m2.

    Liu and Jordan (1963).
    """
    ground: Floats = ghi * albedo * (0.5 - 0.5 * cos_tilt)
    return ground


def physical_modifier(incidence: Floats) -> Floats:
    """Return the share of the direct light that enters the glass, 1 at normal incidence.

    Fresnel reflection and absorption in 2 mm of glass: De Soto, Klein, Beckman, Solar Energy 80
    (2006). `incidence` is the cosine of the angle of incidence, 0 to 1.
    """
    inside = np.sqrt(1.0 - (1.0 - incidence * incidence) / _GLASS_INDEX**2)
    across = (incidence - _GLASS_INDEX * inside) / (incidence + _GLASS_INDEX * inside)
    along = (inside - _GLASS_INDEX * incidence) / (inside + _GLASS_INDEX * incidence)
    reflected = 0.5 * (across * across + along * along)
    straight = ((1.0 - _GLASS_INDEX) / (1.0 + _GLASS_INDEX)) ** 2
    absorbed = np.exp(_GLASS_ABSORPTION * (1.0 - 1.0 / inside))
    share: Floats = (1.0 - reflected) / (1.0 - straight) * absorbed
    return share


def ashrae_modifier(incidence: Floats) -> Floats:
    """Return the share of the direct light that enters the glass, 1 at normal incidence.

    ASHRAE Standard 93-77 with b = 0.05: Souka, Safwat, Solar Energy 10 (1966).
    """
    share: Floats = np.maximum(1.0 - 0.05 * (1.0 / np.maximum(incidence, 1e-3) - 1.0), 0.0)
    return share


def unmodified(incidence: Floats) -> Floats:
    """Return one: all light enters the glass."""
    return np.ones_like(incidence)


def diffuse_modifiers(modifier: Callable[[Floats], Floats], tilt: Floats) -> tuple[Floats, Floats]:
    """Return the shares of even light from sky and ground that enter the glass, float64[n] each.

    The mean of the direct light's modifier over each part of the dome that a plane sees, weighted
    by the cosine of the angle of incidence: Marion, Solar Energy 147 (2017). `tilt` in degrees.
    """
    step = np.pi / 180.0
    height = (np.arange(-90, 90) + 0.5)[:, None] * step
    around = (np.arange(0, 180) + 0.5)[None, :] * step
    slopes, shares = np.linspace(0.0, 180.0, 61), []
    for slope in np.radians(slopes):
        incidence = np.sin(height) * np.cos(slope) + np.cos(height) * np.sin(slope) * np.cos(around)
        seen = np.clip(incidence, 0.0, 1.0)
        weight = seen * np.cos(height)
        entered = weight * modifier(seen.ravel()).reshape(seen.shape)
        parts = (slice(90, None), slice(None, 90))
        # If the plane sees nothing of a part, the share is 0, like the light from it.
        shares.append([entered[p].sum() / max(weight[p].sum(), 1e-9) for p in parts])
    sky, ground = (np.interp(tilt, slopes, column) for column in np.transpose(shares))
    return sky, ground


MODIFIERS = {"physical": physical_modifier, "ashrae": ashrae_modifier, "none": unmodified}


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


def dc_for_ac(ac: Floats, rated_ac: Floats, efficiency: Floats) -> Floats:
    """Return the DC power for an AC power of at most `rated_ac`: the inverse of `ac_power`.

    For an AC power of zero it is the inverter's consumption.
    """
    rated_dc = rated_ac / efficiency
    need = ac * _REFERENCE_EFFICIENCY / (efficiency * rated_dc) + 0.0059
    # The smaller root of 0.0162 x^2 - 0.9858 x + need = 0, in the form that avoids cancellation.
    root = np.sqrt(0.9858**2 - 4.0 * 0.0162 * need)
    load: Floats = 2.0 * need / (0.9858 + root)
    return load * rated_dc


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
