"""Smooth random quantities as functions of place and time, without state or history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Floats

_EARTH_RADIUS_KM = 6371.0
# In rad/s: the tails of the Cauchy distribution would make the quantities flicker.
_FASTEST = 2.0 * np.pi / 5400.0


@dataclass(frozen=True, slots=True, eq=False)
class Waves:
    """A Gaussian random field over the globe and time, with mean 0 and variance 1.

    A sum of plane waves of random direction, frequency and phase (Rahimi, Recht: Random
    features for large-scale kernel machines, 2007). The frequencies are Cauchy distributed,
    so the autocorrelation in time decays exponentially, like that of a Markov process; in
    space it decays like a Gaussian. Unlike a Markov chain, it needs no initial state and is
    continuous, and it has no cells in space.
    """

    frequency: Floats
    """The angular frequencies, rad/s, float64[waves]."""
    wave: Floats
    """The wave vectors, rad per unit of the up-vector, float64[waves, 3]."""
    phase: Floats
    """The phases, rad, float64[waves]."""

    def at(self, up: Floats, time_ms: int | NDArray[np.int64]) -> Floats:
        """Return the field at places with up-vectors, float64[3, n], at UTC `time_ms`.

        `time_ms` is one time for all, or int64[n].
        """
        total = np.zeros(up.shape[1])
        seconds = np.asarray(time_ms) / 1000.0
        # Add wave by wave: the last bit of a sum over an axis depends on the shape of the array.
        waves = zip(self.wave.tolist(), self.frequency.tolist(), self.phase.tolist(), strict=True)
        for (x, y, z), rate, phase in waves:
            turn = rate * seconds + phase
            total += np.cos(x * up[0] + y * up[1] + z * up[2] + turn)
        total *= (2.0 / len(self.phase)) ** 0.5
        return total


def make_waves(
    draws: Draws, purpose: str, waves: int, *, hours: float | tuple[float, float], km: float
) -> Waves:
    """Draw waves whose correlation falls to 1/e over `hours`, and to 0.61 over `km`.

    With two times, every other wave has the second: the correlation is their mean.
    """
    index = np.arange(waves)
    u = draws.uniform4(purpose, index)
    # Stratified draws: a few waves then cover the spectrum evenly.
    rate = np.tan(np.pi * ((index + u[0]) / waves - 0.5)) / (np.resize(hours, waves) * 3600.0)
    directions = [draws.normal(f"{purpose}/{axis}", index) for axis in "xyz"]
    return Waves(
        frequency=np.clip(rate, -_FASTEST, _FASTEST),
        wave=np.stack(directions, axis=1) * (_EARTH_RADIUS_KM / km),
        phase=2.0 * np.pi * u[1],
    )


@dataclass(frozen=True, slots=True)
class WaveDrift:
    """The distance that the clouds have moved, as a function of time alone.

    It is the integral of a steady wind plus slow oscillations, in closed form. The speeds
    approximate the Gamma(2.69, 2.14) m/s of winds at cloud level.
    """

    steady: tuple[float, float]
    swings: tuple[tuple[float, float, float, float], ...]
    """The oscillations, each (rad/s, m/s, phase, heading)."""

    def at(self, time_ms: int) -> tuple[float, float]:
        """Return the distance east and north since 1970, m, at UTC `time_ms`."""
        east, north = self.path(np.array([time_ms]))
        return float(east[0]), float(north[0])

    def path(self, times_ms: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the distances east and north at k times, float64[k] each."""
        seconds = times_ms / 1000.0
        east, north = self.steady[0] * seconds, self.steady[1] * seconds
        for rate, speed, phase, heading in self.swings:
            distance = speed / rate * np.sin(rate * seconds + phase)
            east += distance * float(np.cos(heading))
            north += distance * float(np.sin(heading))
        return east, north


def make_drift(draws: Draws) -> WaveDrift:
    """Return the wind of one seed: from the west, with periods of half a day to twelve days."""
    u = draws.uniform4("synthetic/wind", np.arange(9))
    days = np.geomspace(0.5, 12.0, 8) * (0.9 + 0.2 * u[0, 1:])
    swings = zip(
        (2.0 * np.pi / (days * 86400.0)).tolist(),
        np.full(8, 2.13).tolist(),
        (2.0 * np.pi * u[1, 1:]).tolist(),
        (2.0 * np.pi * u[2, 1:]).tolist(),
        strict=True,
    )
    heading = (float(u[0, 0]) - 0.5) * 1.2
    return WaveDrift((4.7 * float(np.cos(heading)), 4.7 * float(np.sin(heading))), tuple(swings))
