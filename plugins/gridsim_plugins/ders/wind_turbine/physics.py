"""The physics of a wind turbine; scalars or float64[n], speeds in m/s, heights in m."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np

from gridsim.api import Floats

_REFERENCE_HEIGHT_M = 10.0
_STANDARD_C = 15.0
_KELVIN = 273.15
# The largest deviation over the mean wind. It matters near calm, where the formula of the
# standard does not reach zero.
_MAX_INTENSITY = 0.4
# The middles of equal shares of a normal distribution, scaled to a variance of 1. With 16 of them
# the mean of the power curve is within 0.4 % of the rated output.
_SHARES = 16
_MIDDLES = [NormalDist().inv_cdf((share + 0.5) / _SHARES) for share in range(_SHARES)]
_DEVIATES = [one / sqrt(sum(own * own for own in _MIDDLES) / _SHARES) for one in _MIDDLES]


def wind_at_height(wind_10m: Floats, height_m: Floats, shear: Floats) -> Floats:
    """Return the mean wind at a height, from that at 10 m: the power law of IEC 61400-1, 6.3.1.2.

    Speeds in m/s; `shear` is the exponent.
    """
    wind: Floats = wind_10m * (height_m / _REFERENCE_HEIGHT_M) ** shear
    return wind


def relative_density(pressure_ratio: Floats, temperature_c: Floats) -> Floats:
    """Return the density of dry air over that of the standard atmosphere at sea level (15 C).

    The ideal gas law; `pressure_ratio` is the air pressure over that at sea level.
    """
    density: Floats = pressure_ratio * (_STANDARD_C + _KELVIN) / (temperature_c + _KELVIN)
    return density


def standard_wind(wind: Floats, density: Floats) -> Floats:
    """Return the wind that carries as much power at standard density, m/s.

    IEC 61400-12-1 (9.1.5) normalises the power curves of pitch-regulated turbines in this way;
    `density` is relative.
    """
    standard: Floats = wind * np.cbrt(density)
    return standard


def turbulence(wind: Floats, intensity: Floats) -> Floats:
    """Return the standard deviation of the wind within ten minutes, m/s.

    The normal turbulence model of IEC 61400-1 (ed. 3, eq. 11). `intensity` is the expected
    value at 15 m/s: 0.16, 0.14 or 0.12 for the classes A, B and C.
    """
    return np.minimum(intensity * (0.75 * wind + 5.6), _MAX_INTENSITY * wind)


def power_curve(wind: Floats, cut_in: Floats, rated_wind: Floats) -> Floats:
    """Return output over rated output: cubic from cut-in to rated wind, then constant.

    Carrillo, Obando Montano, Cidras, Diaz-Dorado: Review of power curve modelling for wind
    turbines, Renewable and Sustainable Energy Reviews 21 (2013), equation 5. Within 2.2 % of
    the rated output of the NREL 5 MW reference turbine. Cut-out is not part of the curve.
    """
    low = cut_in * cut_in * cut_in
    high = rated_wind * rated_wind * rated_wind
    share: Floats = (wind * wind * wind - low) / (high - low)
    return np.minimum(np.maximum(share, 0.0), 1.0)


def mean_power(wind: Floats, spread: Floats, cut_in: Floats, rated_wind: Floats) -> Floats:
    """Return the mean of `power_curve` over winds that are normal around `wind`.

    `spread` is the standard deviation, m/s. The curve is not linear: in a mean wind below cut-in,
    gusts give power.
    """
    powers = (power_curve(wind + one * spread, cut_in, rated_wind) for one in _DEVIATES)
    mean: Floats = sum(powers, np.zeros_like(wind)) / _SHARES
    return mean
