"""The maths of a wind turbine; scalars or float64[n], speeds in m/s, heights in m."""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats

_REFERENCE_HEIGHT_M = 10.0
_STANDARD_C = 15.0
_KELVIN = 273.15
# No gust takes more than this part of the mean wind away, on average; matters near calm,
# where the standard's formula does not end at zero.
_MOST_INTENSITY = 0.4


def wind_at_height(wind_10m: Floats, height_m: Floats, shear: Floats) -> Floats:
    """The mean wind at a height from that at 10 m: the power law of IEC 61400-1, 6.3.1.2."""
    wind: Floats = wind_10m * (height_m / _REFERENCE_HEIGHT_M) ** shear
    return wind


def relative_density(pressure_ratio: Floats, temperature_c: Floats) -> Floats:
    """The density of dry air over that of the standard atmosphere at sea level (15 C).

    `pressure_ratio` is the air pressure over that at sea level.
    """
    density: Floats = pressure_ratio * (_STANDARD_C + _KELVIN) / (temperature_c + _KELVIN)
    return density


def standard_wind(wind: Floats, density: Floats) -> Floats:
    """The wind that carries as much power at standard density; `density` is relative.

    How IEC 61400-12-1 (9.1.5) normalises the power curves of pitch-regulated turbines.
    """
    standard: Floats = wind * np.cbrt(density)
    return standard


def turbulence(wind: Floats, intensity: Floats) -> Floats:
    """The standard deviation of the wind within ten minutes.

    The normal turbulence model of IEC 61400-1 (ed. 3, eq. 11); `intensity` is the expected
    one at 15 m/s, 0.16, 0.14 or 0.12 for the classes A, B and C.
    """
    return np.minimum(intensity * (0.75 * wind + 5.6), _MOST_INTENSITY * wind)


def power_curve(wind: Floats, cut_in: Floats, rated_wind: Floats) -> Floats:
    """Output over rated output, below cut-out: cubic from cut-in to rated wind, then constant.

    Carrillo, Obando Montano, Cidras, Diaz-Dorado: Review of power curve modelling for wind
    turbines, Renewable and Sustainable Energy Reviews 21 (2013), equation 5. Within 2.2 % of
    the rated output of the NREL 5 MW reference turbine.
    """
    low = cut_in * cut_in * cut_in
    high = rated_wind * rated_wind * rated_wind
    share: Floats = (wind * wind * wind - low) / (high - low)
    return np.minimum(np.maximum(share, 0.0), 1.0)
