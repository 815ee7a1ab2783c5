"""Irradiance between the rows of a file: the path of the sun times a smooth clearness.

A row has the mean over its step, so the energy E up to the end of each row is known exactly. E
is interpolated as a function of u, the integral of the cosine of the sun's zenith
angle, by a monotone cubic (Fritsch, Carlson, SIAM Journal on Numerical Analysis 17 (1980),
with the slopes of Fritsch and Butland). Its slope k = dE/du, continuous and not negative, is
the irradiance of a sun at the zenith, and the irradiance is k cos z: it follows the sun, is
zero at night, and has each row's mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats

# The mean cosine below which the sun is too low for the energy of a row: the energy is then also
# spread over the neighbouring row in daylight.
_SLIVER = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class MonotoneSlope:
    """The slope of a monotone cubic through knots."""

    u: Floats
    slope: Floats
    """The slope at the knots."""
    chord: Floats
    """The mean slope between knots."""

    def at(self, u: float) -> float:
        """Return dE/du; beyond the ends, that of the nearest end."""
        if len(self.u) < 2:
            return 0.0
        x = min(max(u, float(self.u[0])), float(self.u[-1]))
        i = min(int(np.searchsorted(self.u, x, side="right")) - 1, len(self.chord) - 1)
        t = (x - float(self.u[i])) / float(self.u[i + 1] - self.u[i])
        d0, d1, c = float(self.slope[i]), float(self.slope[i + 1]), float(self.chord[i])
        value = (
            6.0 * t * (1.0 - t) * c + (1.0 - t) * (1.0 - 3.0 * t) * d0 + t * (3.0 * t - 2.0) * d1
        )
        return max(value, 0.0)


def monotone_slope(u: Floats, energy: Floats) -> MonotoneSlope:
    """Return the slope for knots, float64[n], not decreasing; knots of equal u are merged."""
    keep = np.concatenate(([True], np.diff(u) > 0.0))
    u, energy = u[keep], energy[keep]
    if len(u) < 2:
        return MonotoneSlope(u, np.zeros(len(u)), np.zeros(0))
    width = np.diff(u)
    chord = np.diff(energy) / width
    slope = np.empty(len(u))
    slope[0], slope[-1] = chord[0], chord[-1]
    left, right = chord[:-1], chord[1:]
    # Fritsch and Butland: a harmonic mean, weighted by the widths.
    w1, w2 = 2.0 * width[1:] + width[:-1], width[1:] + 2.0 * width[:-1]
    both = (left > 1e-9) & (right > 1e-9)
    safe_left, safe_right = np.where(both, left, 1.0), np.where(both, right, 1.0)
    mean = (w1 + w2) / (w1 / safe_left + w2 / safe_right)
    slope[1:-1] = np.where(both, mean, 0.0)
    return MonotoneSlope(u, slope, chord)


def usable_knots(u: Floats) -> NDArray[np.bool_]:
    """Return true for the row edges that can be knots, bool[n]; u in units of a row's length.

    In a row with very little sun, the edge towards the day cannot be a knot.
    """
    rise = np.diff(u)
    sliver = (rise > 0.0) & (rise < _SLIVER)
    keep = np.ones(len(u), np.bool_)
    after = np.concatenate((rise[1:], [0.0]))
    before = np.concatenate(([0.0], rise[:-1]))
    keep[1:][sliver & (after >= before)] = False
    keep[:-1][sliver & (after < before)] = False
    # Keep the ends: without them the energy before and after would be lost.
    keep[0] = keep[-1] = True
    return keep
