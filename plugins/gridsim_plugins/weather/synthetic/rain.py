"""Rain that falls from the clouds of the weather `synthetic`."""

from __future__ import annotations

from math import exp, pi, sqrt
from statistics import NormalDist

import numpy as np

from gridsim.api import Floats

_NORMAL = NormalDist()
# The shares of days with rain for which the two tables below hold.
_WET = np.linspace(0.01, 0.97, 97)


def _level(wet: float) -> float:
    """Return the level that the score of the clouds exceeds at some time of a share of days.

    A fit to the highest score of 40,000 days of the waves of the cloud cover, within 0.01.
    """
    rank = _NORMAL.inv_cdf(1.0 - wet)
    return 1.1814 + 0.8188 * rank + 0.0043 * rank * rank


def _excess(level: float) -> float:
    """Return the mean of the excess of a normal score over a level."""
    density = exp(-0.5 * level * level) / sqrt(2.0 * pi)
    return density - level * (1.0 - _NORMAL.cdf(level))


_LEVELS = np.array([_level(wet) for wet in _WET.tolist()])
_EXCESSES = np.array([_excess(level) for level in _LEVELS.tolist()])


def rain_mm_h(score: Floats, wet: Floats, mean_mm_h: Floats) -> Floats:
    """Return the rate of rain, mm/h, from the score of the clouds, which is normal.

    It rains while the score is above a level, that is from the thickest clouds, and the rate grows
    with the score. The share of days with rain is `wet`, and the mean rate is `mean_mm_h`. The
    coefficient of variation of the rain of wet days is then 1.2 to 1.7, like that of measured days.
    """
    above = np.maximum(score - np.interp(wet, _WET, _LEVELS), 0.0)
    rate: Floats = above * mean_mm_h / np.interp(wet, _WET, _EXCESSES)
    return rate
