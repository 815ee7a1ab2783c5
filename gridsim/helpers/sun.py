"""The position of the sun."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import atan2, cos, radians, sin

import numpy as np

from gridsim.helpers.randomness import Floats

_J2000_MS = 946_728_000_000
_SOLAR_CONSTANT = 1366.1  # W/m2 at 1 AU
_EARTH_RADIUS_AU = 4.26352e-5  # parallax: 6,371.01 km over 149,597,890 km


@dataclass(frozen=True, slots=True)
class SunVector:
    """The unit vector towards the sun in the Earth-fixed frame, and its distance in AU.

    x points to 0 N 0 E, y to 0 N 90 E, z to the north pole.
    """

    x: float
    y: float
    z: float
    distance_au: float


@dataclass(frozen=True, slots=True, eq=False)
class SunPath:
    """The sun at k times: the components of `SunVector` as float64[k, 1], for k rows of places."""

    x: Floats
    y: Floats
    z: Floats
    extraterrestrial: Floats
    """The irradiance above the atmosphere, on a plane normal to the sun, W/m2, float64[k, 1]."""


def sun_path(times_ms: Iterable[int]) -> SunPath:
    """Return the sun at UTC `times_ms`: the same numbers as those of `sun_vector`."""
    found = [sun_vector(int(time_ms)) for time_ms in times_ms]
    rows = [(one.x, one.y, one.z, extraterrestrial(one)) for one in found]
    x, y, z, above = np.array(rows, np.float64).reshape(-1, 4).T[:, :, None]
    return SunPath(x, y, z, above)


def sun_vector(time_ms: int) -> SunVector:
    """Return the sun at UTC `time_ms` (ms since 1970), by the algorithm PSA+.

    Blanco, Milidonis, Bonanos: Updating the PSA sun position algorithm, Solar Energy 212
    (2020). The zenith angle is within 0.0061 degrees of SPA.
    """
    n = (time_ms - _J2000_MS) / 86_400_000
    hour = (time_ms % 86_400_000) / 3_600_000
    node = 2.267127827 - 9.300339267e-4 * n
    mean_longitude = 4.895036035 + 1.720279602e-2 * n
    anomaly = 6.239468336 + 1.720200135e-2 * n
    longitude = (
        mean_longitude
        + 3.338320972e-2 * sin(anomaly)
        + 3.497596876e-4 * sin(2 * anomaly)
        - 1.544353226e-4
        - 8.689729360e-6 * sin(node)
    )
    obliquity = 4.090904909e-1 - 6.213605399e-9 * n + 4.418094944e-5 * cos(node)
    ascension = atan2(cos(obliquity) * sin(longitude), cos(longitude))
    sin_declination = sin(obliquity) * sin(longitude)
    cos_declination = (1 - sin_declination**2) ** 0.5
    greenwich_sidereal = 6.697096103 + 6.570984737e-2 * n + hour
    hour_angle = radians(15) * greenwich_sidereal - ascension
    # The leading terms of Spencer (1971) give the distance to 1e-4 AU.
    distance = 1.00014 - 0.01671 * cos(anomaly) - 0.00014 * cos(2 * anomaly)
    return SunVector(
        cos_declination * cos(hour_angle),
        -cos_declination * sin(hour_angle),
        sin_declination,
        distance,
    )


def up_vector(latitude: Floats, longitude: Floats) -> Floats:
    """Return the unit vectors that point up, float64[3, n]; coordinates in degrees."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    return np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))


def panel_normal(latitude: Floats, longitude: Floats, tilt: Floats, azimuth: Floats) -> Floats:
    """Return the unit normals of panels, float64[3, n]; degrees, azimuth clockwise from north."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    up = up_vector(latitude, longitude)
    north = np.stack((-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)))
    east = np.stack((-np.sin(lon), np.cos(lon), np.zeros_like(lon)))
    slope, heading = np.radians(tilt), np.radians(azimuth)
    flat: Floats = np.cos(heading) * north + np.sin(heading) * east
    normal: Floats = np.cos(slope) * up + np.sin(slope) * flat
    return normal


def cos_angle(sun: SunVector | SunPath, vectors: Floats) -> Floats:
    """Return the cosine of the angle between the sun's centre and each of `vectors`, float64[n].

    At k times it is float64[k, n].
    """
    cosine: Floats = sun.x * vectors[0] + sun.y * vectors[1] + sun.z * vectors[2]
    return cosine


def cos_zenith(sun: SunVector | SunPath, up: Floats) -> Floats:
    """Return the cosine of the sun's zenith angle; parallax but no refraction.

    It is float64[n], and float64[k, n] at k times.
    """
    cosine = cos_angle(sun, up)
    sine = np.sqrt(np.maximum(0.0, 1.0 - cosine * cosine))
    # The observer is one radius off the centre: the zenith angle grows by R sin z.
    return cosine - _EARTH_RADIUS_AU * sine * sine


def extraterrestrial(sun: SunVector) -> float:
    """Return the irradiance above the atmosphere, on a plane normal to the sun, W/m2."""
    return _SOLAR_CONSTANT / sun.distance_au**2
