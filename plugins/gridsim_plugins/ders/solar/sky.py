"""The diffuse light of the sky on a tilted plane; scalars or float64[n], irradiances in W/m2."""

from __future__ import annotations

import itertools

import numpy as np

from gridsim.api import Floats

_KAPPA = 1.041
_MAX_CIRCUMSOLAR = 0.9
_LEAST_HEIGHT = np.cos(np.radians(85.0))
# The knots and coefficients of the quadratic splines that continue the bins of Perez et al.
# (1990, all sites composite): f11, f12, f13, f21, f22, f23.
_KNOTS = (0.0, 0.0, 0.0, 0.061, 0.187, 0.333, 0.487, 0.643, 0.778, 0.839, 1.0, 1.0, 1.0)
# fmt: off
_COEFFICIENTS = (
    (-0.053, 0.529, -0.028, -0.071, 0.061, -0.019),
    (-0.008, 0.588, -0.062, -0.060, 0.072, -0.022),
    (0.131, 0.770, -0.167, -0.026, 0.106, -0.032),
    (0.328, 0.471, -0.216, 0.069, -0.105, -0.028),
    (0.557, 0.241, -0.300, 0.086, -0.085, -0.012),
    (0.861, -0.323, -0.355, 0.240, -0.467, -0.008),
    (1.212, -1.239, -0.444, 0.305, -0.797, 0.047),
    (1.099, -1.847, -0.365, 0.275, -1.132, 0.124),
    (0.544, 0.157, -0.213, 0.118, -1.455, 0.292),
    (0.544, 0.157, -0.213, 0.118, -1.455, 0.292),
)
# fmt: on


def _splines(at: Floats) -> Floats:
    """Return the six splines at clearnesses 0 to 1, float64[6, m], by de Boor's recursion."""
    knots = np.array(_KNOTS)
    basis = np.array(
        [(at >= low) & (at < high) for low, high in itertools.pairwise(knots)], np.float64
    )
    basis[9, at >= 1.0] = 1.0
    for degree in (1, 2):
        rows = []
        for i in range(len(basis) - 1):
            up, down = knots[i + degree] - knots[i], knots[i + degree + 1] - knots[i + 1]
            rising = (at - knots[i]) / up * basis[i] if up > 0.0 else 0.0
            falling = (knots[i + degree + 1] - at) / down * basis[i + 1] if down > 0.0 else 0.0
            rows.append(rising + falling)
        basis = np.array([row + np.zeros_like(at) for row in rows])
    return np.array(_COEFFICIENTS).T @ basis


# Tables, because a tick evaluates them for every plane: over the clearness, and over the height.
# With so many rows the nearest one is as good as an interpolation, and several times as fast.
_STEPS = 8192
_AT = np.linspace(0.0, 1.0, _STEPS + 1)
_F = _splines(_AT)
_ZENITH = np.arccos(_AT)
# Kasten and Young, Applied Optics 28 (1989).
_AIR_MASS = 1.0 / (_AT + 0.50572 * (96.07995 - np.degrees(_ZENITH)) ** -1.6364)
_OF_HEIGHT = np.stack((_ZENITH, _AIR_MASS, _KAPPA * _ZENITH**3))


def _looked_up(table: Floats, at: Floats) -> list[Floats]:
    """Return the rows of a table over 0 to 1 at `at`, float64[n] each."""
    place = (at * _STEPS + 0.5).astype(np.intp)
    return [row.take(place, mode="clip") for row in table]


def perez(
    dni: Floats,
    dhi: Floats,
    above: Floats | float,
    height: Floats,
    incidence: Floats,
    cos_tilt: Floats,
    sin_tilt: Floats,
) -> tuple[Floats, Floats]:
    """Return the diffuse light from around the sun, and that from the dome and the horizon.

    The model of Perez, Ineichen, Seals, Michalsky, Stewart, Solar Energy 44 (1990), in the
    continuous form of Driesse, Jensen, Perez, Solar Energy 267 (2024), which has no steps when the
    sky changes. `above` is the irradiance above the atmosphere, `height` the cosine of the zenith
    angle, `incidence` the cosine of the angle of incidence, zero where the sun is hidden.
    """
    zenith, mass, correction = _looked_up(_OF_HEIGHT, height)
    clearness = np.divide(dni, dhi + dni, out=np.zeros_like(dhi), where=dhi > 0.0)
    clearness = clearness / (1.0 + correction * (1.0 - clearness))
    brightness = dhi * mass / above
    f11, f12, f13, f21, f22, f23 = _looked_up(_F, clearness)
    around = np.minimum(np.maximum(f11 + f12 * brightness + f13 * zenith, 0.0), _MAX_CIRCUMSOLAR)
    at_horizon = f21 + f22 * brightness + f23 * zenith
    circumsolar = dhi * around * incidence / np.maximum(height, _LEAST_HEIGHT)
    dome = dhi * ((1.0 - around) * (0.5 + 0.5 * cos_tilt) + at_horizon * sin_tilt)
    # The sum of both is never negative.
    return circumsolar, np.maximum(dome, -circumsolar)


def hay_davies(
    dni: Floats,
    dhi: Floats,
    above: Floats | float,
    height: Floats,
    incidence: Floats,
    cos_tilt: Floats,
    sin_tilt: Floats,
) -> tuple[Floats, Floats]:
    """Return the diffuse light from around the sun, and that of the dome; see `perez`.

    Hay, Davies: Calculation of the solar radiation incident on an inclined surface (1980).
    """
    index = dni / above
    circumsolar = dhi * index * incidence / np.maximum(height, 0.01745)
    return circumsolar, dhi * (1.0 - index) * (0.5 + 0.5 * cos_tilt)


def isotropic(
    dni: Floats,
    dhi: Floats,
    above: Floats | float,
    height: Floats,
    incidence: Floats,
    cos_tilt: Floats,
    sin_tilt: Floats,
) -> tuple[Floats, Floats]:
    """Return zero, and the diffuse light of a sky that is equally bright everywhere; see `perez`.

    Liu and Jordan, Solar Energy 7 (1963).
    """
    return np.zeros_like(dhi), dhi * (0.5 + 0.5 * cos_tilt)


MODELS = {"perez": perez, "hay_davies": hay_davies, "isotropic": isotropic}
