"""The irradiance under a cloudless sky, by Ineichen and Perez; arrays broadcast throughout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers import climate, sun
from gridsim.helpers.randomness import Floats

# The upper limb of the sun is on the horizon.
_SUNSET_DEG = -0.83


def pressure_ratio(altitude: Floats) -> Floats:
    """Return the air pressure over that at sea level; the standard atmosphere, altitude in m."""
    ratio: Floats = (1.0 - 2.25577e-5 * altitude) ** 5.25588
    return ratio


def lift(cos_zenith: Floats, pressure: Floats) -> Floats:
    """Return the increase of the cosine of the sun's zenith angle by refraction.

    Equation 42 of Reda and Andreas: Solar position algorithm, NREL/TP-560-34302 (2008), at 12 C;
    `pressure` is relative to sea level. Zero after sunset.
    """
    elevation = np.arcsin(np.clip(cos_zenith, -1.0, 1.0))
    degrees = np.degrees(elevation)
    seen = np.maximum(degrees, _SUNSET_DEG)
    arc = 1.02 / (60.0 * np.tan(np.radians(seen + 10.3 / (seen + 5.11))))
    bend = pressure * (1013.25 / 1010.0) * (283.0 / 285.0) * arc
    raised = np.sin(elevation + np.radians(bend)) - np.sin(elevation)
    return np.where(degrees >= _SUNSET_DEG, raised, 0.0)


def air_mass(cos_zenith: Floats) -> Floats:
    """Return the relative air mass, by Kasten and Young (1989), from the apparent zenith's cosine.

    A sun below the horizon gets the air mass of the horizon.
    """
    above = np.clip(cos_zenith, 0.0, 1.0)
    elevation = np.degrees(np.arcsin(above))
    mass: Floats = 1.0 / (above + 0.50572 * (6.07995 + elevation) ** -1.6364)
    return mass


def turbidity(latitude: Floats, year: Floats | float) -> Floats:
    """Return the expected Linke turbidity: 3 on average, higher in summer than in winter.

    A fit to the world-wide monthly means of Remund et al. (2003), accurate to about 0.7.
    `year` is the fraction of the year that has passed.
    """
    season = np.clip(latitude / 30.0, -1.0, 1.0)
    linke: Floats = 3.0 + 0.5 * season * np.cos(2.0 * np.pi * (year - 0.55))
    return linke


def transmittances(
    cos_zenith: Floats, absolute_air_mass: Floats, linke: Floats | float, altitude: Floats
) -> tuple[Floats, Floats]:
    """Return the transmittances (g, b) of a clear sky, fractions of the irradiance above it, I0.

    The global horizontal irradiance is g * I0 * cos_zenith and the direct
    normal irradiance b * I0. Ineichen and Perez, Solar Energy 73 (2002); `cos_zenith` is that
    of the apparent zenith, the air mass is corrected for pressure, the altitude is in m.
    """
    fh1, fh2 = np.exp(altitude / -8000.0), np.exp(altitude / -1250.0)
    cg1, cg2 = 5.09e-5 * altitude + 0.868, 3.92e-5 * altitude + 0.0387
    whole = cg1 * np.exp(-cg2 * absolute_air_mass * (fh1 + fh2 * (linke - 1.0)))
    beam = (0.664 + 0.163 / fh1) * np.exp(-0.09 * absolute_air_mass * (linke - 1.0))
    most = whole * (1.0 - (0.1 - 0.2 * np.exp(-linke)) / (0.1 + 0.882 / fh1))
    return whole, np.where(cos_zenith > 0.0, np.minimum(beam, most), 0.0)


def diffuse_share(clearness: Floats) -> Floats:
    """Return the diffuse share of the global horizontal irradiance, for a clearness index.

    The clearness index is the global irradiance over the extraterrestrial irradiance, both on the
    horizontal plane. Erbs, Klein, Duffie, Solar Energy 28 (1982).
    """
    k = np.clip(clearness, 0.0, 0.8)
    middle = 0.9511 - 0.1604 * k + 4.388 * k**2 - 16.638 * k**3 + 12.336 * k**4
    share: Floats = np.where(k <= 0.22, 1.0 - 0.09 * k, middle)
    return np.where(clearness > 0.8, 0.165, share)


def place_light(
    time_ms: int, up: Floats, latitude: Floats, altitude: Floats, linke: float | None
) -> tuple[Floats, Floats, Floats]:
    """Return refraction and the two clear-sky transmittances of n places at UTC `time_ms`.

    Refraction is the increase of the cosine of the zenith angle; see `lift` and `transmittances`.
    `up` are the vertical vectors, float64[3, n]; `linke` None stands for the expected turbidity.
    """
    year = climate.year_fraction(time_ms)
    return _light(sun.sun_vector(time_ms), year, up, latitude, altitude, linke)


def place_lights(
    times_ms: NDArray[np.int64],
    up: Floats,
    latitude: Floats,
    altitude: Floats,
    linke: float | None,
) -> tuple[Floats, Floats, Floats]:
    """Return the result of `place_light` at k times, each float64[k, n]."""
    year = climate.year_fraction(times_ms)[:, None]
    return _light(sun.sun_path(times_ms.tolist()), year, up, latitude, altitude, linke)


def _light(
    position: sun.SunVector | sun.SunPath,
    year: Floats | float,
    up: Floats,
    latitude: Floats,
    altitude: Floats,
    linke: float | None,
) -> tuple[Floats, Floats, Floats]:
    pressure = pressure_ratio(altitude)
    height = sun.cos_zenith(position, up)
    raised = lift(height, pressure)
    apparent = height + raised
    mass = air_mass(apparent) * pressure
    expected = turbidity(latitude, year) if linke is None else linke
    whole, direct = transmittances(apparent, mass, expected, altitude)
    return raised, whole, direct
