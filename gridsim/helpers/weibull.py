"""The Weibull distribution of the wind at a place."""

from __future__ import annotations

from math import lgamma
from statistics import NormalDist

import numpy as np

from gridsim.helpers.randomness import Floats

_Z = np.linspace(-5.0, 5.0, 1001)
# -ln(1 - u), the exponential of the same rank.
_EXPONENTIAL = np.array([-np.log(NormalDist().cdf(-z)) for z in _Z])


def scale_of(mean: Floats, shape: Floats) -> Floats:
    """Return the scale parameter of Weibull distributions, from their means and shapes."""
    known = {one: lgamma(1.0 + 1.0 / one) for one in np.unique(shape).tolist()}
    gamma = np.exp(np.array([known[one] for one in shape.tolist()]))
    scale: Floats = mean / gamma
    return scale


def shape_of(mean_10m: Floats) -> Floats:
    """Return the usual shape parameter k of the wind at 10 m, from its mean of the year in m/s.

    Justus, Hargraves, Mikhail, Graber: Methods for estimating wind speed frequency distributions,
    Journal of Applied Meteorology 17 (1978): k = 0.94 times the root of the mean.
    """
    return np.clip(0.94 * np.sqrt(mean_10m), 1.1, 4.0)


def speed(normal: Floats, scale: Floats, shape: Floats) -> Floats:
    """Return the wind whose rank is that of a standard normal deviate."""
    wind: Floats = scale * np.interp(normal, _Z, _EXPONENTIAL) ** (1.0 / shape)
    return wind
