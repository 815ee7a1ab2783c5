"""The horizon around solar arrays: the times at which it hides the sun, and the part of the sky
that it hides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gridsim.api import Floats

Profile = Sequence[tuple[float, float]]
"""Pairs of azimuth and elevation, degrees; between them the elevation is linear."""

_PER_DEGREE = 10


def elevations(profile: Profile, azimuth: Floats) -> Floats:
    """Return the elevation of the horizon at azimuths, degrees; the profile closes at north."""
    directions, heights = np.array(sorted(profile), np.float64).T
    found: Floats = np.interp(azimuth, directions, heights, period=360.0)
    return found


def sines(profile: Profile) -> Floats:
    """Return the sine of the elevation at azimuths in steps of 0.1 degrees, float64[3600]."""
    azimuth = np.arange(360 * _PER_DEGREE) / _PER_DEGREE
    sine: Floats = np.sin(np.radians(elevations(profile, azimuth)))
    return sine


def hides(sines_of: Floats, north: Floats, east: Floats, height: Floats) -> Floats:
    """Return 1.0 where the sun is above the horizon, and 0.0 where it is hidden.

    `sines_of` is the result of `sines`; the others are the components of the vector to the sun.
    """
    degrees = np.degrees(np.arctan2(east, north))
    place = np.rint(degrees * _PER_DEGREE).astype(np.intp) % len(sines_of)
    return np.where(height >= sines_of[place], 1.0, 0.0)


def sky_share(profile: Profile, tilt: Floats, azimuth: Floats) -> Floats:
    """Return the share of the light of a uniform sky that reaches a plane above the horizon.

    `tilt` and `azimuth` in degrees, float64[n]. The integral over the sky of the cosine of the
    angle of incidence is a sum in steps of 3 and 1 degrees.
    """
    seen, whole = np.zeros_like(tilt), np.zeros_like(tilt)
    heights = np.radians(np.arange(90.0) + 0.5)[:, None]
    slope = np.radians(tilt)
    for direction in np.arange(0.0, 360.0, 3.0):
        towards = np.cos(np.radians(direction - azimuth))
        cosine = np.sin(heights) * np.cos(slope) + np.cos(heights) * np.sin(slope) * towards
        light = np.maximum(cosine, 0.0) * np.cos(heights)
        limit = np.radians(elevations(profile, np.array([direction]))[0])
        whole += light.sum(axis=0)
        seen += (light * (heights > limit)).sum(axis=0)
    share: Floats = seen / whole
    return share
