"""The frequency of the grid: one for all sites of a synchronous area."""

from __future__ import annotations

from typing import Final

import numpy as np

from gridsim.api import Draws, Floats, Sites
from gridsim.helpers.randomness import identity
from gridsim.helpers.synchronous_areas import SYNCHRONOUS_AREAS

_BLOCK_S: Final = 3600
"""The correlation over a block is negligible: below 0.1 % for the longest correlation time."""


class Frequency:
    """The frequency of a synchronous area: a function of the seed and the time alone.

    It is an Ornstein-Uhlenbeck process at whole seconds, with straight lines between them. The
    values at full hours are independent; those between them follow from both ends, as a bridge.
    """

    def __init__(self, draws: Draws, name: str) -> None:
        area = SYNCHRONOUS_AREAS[name]
        self._draws, self._key = draws, identity(name)
        self._nominal, self._deviation = area.nominal_hz, area.deviation_hz
        rate = 1.0 / area.correlation_s
        seconds = np.arange(_BLOCK_S + 1)
        self._decay = np.exp(-rate * seconds)
        self._step = area.deviation_hz * np.sqrt(1.0 - np.exp(-2.0 * rate))
        # The share of a change of the end that the values before it follow.
        self._weight = np.sinh(rate * seconds) / np.sinh(rate * _BLOCK_S)
        self._block: int | None = None
        self._values = np.empty(0)

    def at(self, time_ms: int) -> float:
        """Return the frequency at UTC `time_ms`, Hz."""
        second, rest = divmod(time_ms, 1000)
        block, place = divmod(second, _BLOCK_S)
        if block != self._block:
            self._block, self._values = block, self._of_block(block)
        before, after = self._values[place : place + 2]
        return float(before + (after - before) * (rest / 1000.0))

    def _of_block(self, block: int) -> Floats:
        """Return the frequencies at the seconds of a block and at its end, float64[3601], Hz."""
        ends = self._draws.normal("grid/frequency/hour", self._key, np.array([block, block + 1]))
        start, end = self._deviation * ends
        seconds = block * _BLOCK_S + np.arange(1, _BLOCK_S + 1)
        noise = self._step * self._draws.normal("grid/frequency/second", self._key, seconds)
        # The recursion x[j] = decay[1] * x[j - 1] + noise[j], solved for all j at once.
        path = self._decay * np.cumsum(np.concatenate(([start], noise / self._decay[1:])))
        values: Floats = self._nominal + path + (end - path[-1]) * self._weight
        return values


class SiteFrequency:
    """The frequencies of all sites."""

    def __init__(self, draws: Draws, sites: Sites) -> None:
        names = sorted(set(sites.synchronous_area))
        place = {name: index for index, name in enumerate(names)}
        self._areas = [Frequency(draws, name) for name in names]
        self._area = np.array([place[name] for name in sites.synchronous_area], np.intp)

    def at(self, time_ms: int) -> Floats:
        """Return the frequency at each site at UTC `time_ms`, float64[sites], Hz."""
        if len(self._areas) == 1:
            return np.full(len(self._area), self._areas[0].at(time_ms))
        return np.array([area.at(time_ms) for area in self._areas])[self._area]
