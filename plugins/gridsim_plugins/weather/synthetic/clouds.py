"""A constant field of clouds that moves with the wind over all sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats

# Chosen so that the light changes like at Lyngby; see `clear_sky_index`.
_OUTER_SCALE_M = 4_500.0
_HURST = 0.9
# 9.3 m for each km of the height of the clouds: cumulus at 1.3 km.
_PENUMBRA_M = 12.0
_SURROUNDINGS_M = 150.0
# With this factor the logistic function approximates the normal distribution within 0.01.
_LOGISTIC = 1.702


@dataclass(frozen=True, slots=True, eq=False)
class CloudField:
    """A periodic Gaussian field; there is cloud where it exceeds a threshold."""

    size: int
    """The number of points along each side, a power of two."""
    spacing_m: float
    points: NDArray[np.float32]
    """The mean and the spread of the field within the penumbra, and within the surroundings that
    reflect light, at each point: float32[size * size, 4]."""
    quantiles: Floats
    """The values that 1, 255/256, ... 0 of the area exceed, float64[257]."""

    def threshold(self, cover: Floats) -> Floats:
        """Return the threshold that a share `cover` (0 to 1) of the area exceeds."""
        return np.interp(1.0 - cover, np.linspace(0.0, 1.0, len(self.quantiles)), self.quantiles)

    def at(self, x_m: Floats, y_m: Floats) -> Floats:
        """Return the four quantities at places in m, interpolated, [4, ...] for arrays [...]."""
        x, y = x_m / self.spacing_m, y_m / self.spacing_m
        left, low = np.floor(x), np.floor(y)
        wrap = self.size - 1
        column, row = left.astype(np.int64), low.astype(np.int64)
        column_1, row_1 = (column + 1) & wrap, ((row + 1) & wrap) * self.size
        column, row = column & wrap, (row & wrap) * self.size
        right, up = (x - left)[..., None], (y - low)[..., None]
        at, left_part, low_part = self.points.take, 1.0 - right, 1.0 - up
        below = at(row + column, axis=0) * left_part + at(row + column_1, axis=0) * right
        above = at(row_1 + column, axis=0) * left_part + at(row_1 + column_1, axis=0) * right
        here: Floats = below * low_part + above * up
        return np.moveaxis(here, -1, 0)


def make_field(generator: np.random.Generator, size: int, spacing_m: float) -> CloudField:
    """Return a field with the spectrum ((2 pi / L0)^2 + k^2)^-(H + 1), L0 = 4.5 km, H = 0.9."""
    k = 2.0 * np.pi * np.fft.fftfreq(size, spacing_m)
    half = 2.0 * np.pi * np.fft.rfftfreq(size, spacing_m)
    k2 = k[:, None] ** 2 + half[None, :] ** 2
    amplitude = ((2.0 * np.pi / _OUTER_SCALE_M) ** 2 + k2) ** (-(_HURST + 1.0) / 2.0)
    amplitude[0, 0] = 0.0
    noise = np.fft.rfft2(generator.standard_normal((size, size)))
    noise *= amplitude
    field = np.fft.irfft2(noise, s=(size, size))
    field /= field.std()
    del noise, amplitude

    def blurred(values: Floats, sigma_m: float) -> Floats:
        waves = np.fft.rfft2(values)
        waves *= np.exp(-0.5 * k2 * sigma_m**2)
        return np.fft.irfft2(waves, s=(size, size))

    # Fill column by column in the smaller type: the field is the largest object of a small fleet.
    points = np.empty((size * size, 4), np.float32)
    points[:, 0] = field.ravel()
    # The penumbra is narrower than the grid, so its spread follows from the slope of the field.
    east = (np.roll(field, -1, 1) - np.roll(field, 1, 1)) / (2.0 * spacing_m)
    north = (np.roll(field, -1, 0) - np.roll(field, 1, 0)) / (2.0 * spacing_m)
    points[:, 1] = np.maximum(_PENUMBRA_M * np.hypot(east, north), 1e-3).ravel()
    del east, north
    wide = blurred(field, _SURROUNDINGS_M)
    points[:, 2] = wide.ravel()
    variance = blurred(field * field, _SURROUNDINGS_M) - wide * wide
    points[:, 3] = np.sqrt(np.maximum(variance, 1e-6)).ravel()
    quantiles = np.quantile(field, np.linspace(0.0, 1.0, 257))
    # A covered sky has no penumbra of a gap, and a clear sky none of a cloud.
    quantiles[0] -= 1.0
    quantiles[-1] += 1.0
    return CloudField(size, spacing_m, points, quantiles)


def shares(values: Floats, spread: Floats, threshold: Floats) -> Floats:
    """Return the share of an area that exceeds the threshold, 0 to 1, from its mean and spread."""
    part: Floats = 1.0 / (1.0 + np.exp(np.clip(_LOGISTIC * (threshold - values) / spread, -40, 40)))
    return part


def clear_sky_index(
    shaded: Floats, clouded: Floats, depth: Floats, thick: Floats, clear: Floats, lit: Floats
) -> tuple[Floats, Floats]:
    """Return the irradiance relative to a clear sky: (global, direct), each float64[n].

    `shaded` is the covered share of the sun's disc, `clouded` that of the sky around it, and
    `depth` the excess of the field over the threshold; `thick` is the transmittance of the
    thickest cloud, `clear` that of the air between clouds over its usual one, and `lit` the
    enhancement beside clouds that half fill the sky around; a few clouds far off enhance it by a
    part of that already. There is no beam behind a cloud; next to a cloud the ground receives more
    than from a clear sky.

    The constants of this package were fitted to k sampled at whole minutes, over 40 seeds and 24
    places, as the minutes of Lyngby (DTU) are, in which the shade of a cloud comes as suddenly.
    `make realism` measures both samples and means of a minute.
    """
    free = 1.0 - shaded
    bright = clear * free * (1.0 + lit * 2.0 * np.sqrt(clouded * (1.0 - clouded)))
    through = np.minimum(np.maximum(np.maximum(0.68 - 0.25 * depth, thick), 0.05), 0.95)
    return bright + shaded * through, free
