"""Gusts: turbulence as a function of (seed, device, time)."""

from __future__ import annotations

from math import sqrt

import numpy as np

from gridsim.api import Draws, Floats, Keys

# The distance between the knots of each band of the spectrum, ms; faster gusts average out over
# a rotor. Each band has its own offset, so that the bands do not all draw in the same tick.
_KNOT_MS = (4_000, 16_000, 64_000, 256_000)
_OFFSET_MS = (0, 5_000, 10_000, 13_000)
_PER_DRAW = 4
_TYPICAL_WIND = 8.0


def length_scale(hub_height_m: Floats) -> Floats:
    """Return the length scale of longitudinal turbulence, m. IEC 61400-1, B.2 and eq. 5."""
    scale: Floats = 8.1 * 0.7 * np.minimum(hub_height_m, 60.0)
    return scale


def variance_below(frequency: float, length_m: Floats, wind: float) -> Floats:
    """Return the share of the variance below a frequency in Hz, by Kaimal's spectrum.

    The integral of IEC 61400-1, equation B.14: 4 L/U / (1 + 6 f L/U)^(5/3).
    """
    below: Floats = 1.0 - (1.0 + 6.0 * frequency * length_m / wind) ** (-2.0 / 3.0)
    return below


def band_weights(length_m: Floats) -> Floats:
    """Return the amplitude of each band, float64[bands, n]; the squares sum to less than one.

    A band extends up to the frequency whose half period is the distance of its knots. The
    slowest band has everything below.
    """
    tops = [variance_below(500.0 / knot, length_m, _TYPICAL_WIND) for knot in _KNOT_MS]
    tops.append(np.zeros_like(length_m))
    return np.sqrt(np.array(tops[:-1]) - np.array(tops[1:]))


class Gusts:
    """The deviation from the mean wind, in standard deviations of all turbulence.

    Each band has a normal deviate at each knot and is linear in between. It is scaled so that
    the variance between knots equals that at knots.
    """

    def __init__(self, draws: Draws, keys: Keys, hub_height_m: Floats) -> None:
        weights = band_weights(length_scale(hub_height_m))
        self._bands = [
            _Band(draws, keys, f"wind_turbine/gusts/{knot}", knot, offset, weight)
            for knot, offset, weight in zip(_KNOT_MS, _OFFSET_MS, weights, strict=True)
        ]

    def at(self, time_ms: int, dt_ms: int) -> Floats:
        """Return the mean over [time_ms, time_ms + dt_ms), float64[n].

        Bands whose knots are closer than the tick average out and are left out; see `within`.
        """
        middle = time_ms + dt_ms // 2
        parts = [band.at(middle) for band in self._bands if band.knot_ms >= dt_ms]
        return np.sum(parts, axis=0) if parts else np.zeros(self._bands[0].n)

    def within(self, dt_ms: int) -> Floats | None:
        """Return the standard deviation of the gusts within a tick that `at` leaves out.

        float64[n], in standard deviations of all turbulence; None if it leaves out none.
        """
        weights = [band.weight for band in self._bands if band.knot_ms < dt_ms]
        return np.sqrt(np.sum(np.square(weights), axis=0)) if weights else None


class _Band:
    """One band of the spectrum, for n devices."""

    def __init__(
        self, draws: Draws, keys: Keys, purpose: str, knot_ms: int, offset_ms: int, weight: Floats
    ) -> None:
        self.knot_ms, self.n = knot_ms, len(keys)
        self._draws, self._keys, self._purpose = draws, keys, purpose
        self._offset_ms, self.weight = offset_ms, weight
        self._knot: int | None = None
        self._block: int | None = None
        self._from = self._to = np.empty(0)
        self._values: Floats = np.empty((_PER_DRAW, 0))

    def at(self, time_ms: int) -> Floats:
        knot, past = divmod(time_ms - self._offset_ms, self.knot_ms)
        if knot != self._knot:
            follows = self._knot is not None and knot == self._knot + 1
            self._from = self._to if follows else self._value(knot)
            self._to = self._value(knot + 1)
            self._knot = knot
        share = past / self.knot_ms
        scale = 1.0 / sqrt((1.0 - share) ** 2 + share**2)
        value: Floats = scale * (1.0 - share) * self._from + scale * share * self._to
        return value

    def _value(self, knot: int) -> Floats:
        block, place = divmod(knot, _PER_DRAW)
        if block != self._block:
            u = self._draws.uniform4(self._purpose, self._keys, block)
            # Box and Muller: two uniforms give two normal deviates.
            radius, angle = np.sqrt(-2.0 * np.log(u[0::2])), 2.0 * np.pi * u[1::2]
            normal = np.concatenate((radius * np.cos(angle), radius * np.sin(angle)))
            self._values = normal * self.weight
            self._block = block
        value: Floats = self._values[place]
        return value
