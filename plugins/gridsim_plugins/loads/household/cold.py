"""Cold appliances: compressors that start and stop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws
from gridsim_plugins.loads.household.edges import Edges
from gridsim_plugins.loads.household.homes import Cold

_JITTER, _WIDTH = 0.10, 0.12
"""The ranges of the start and length of a cycle: parts of the period and of the time on."""
_INRUSH_MS, _INRUSH = 400, 4.0
"""The start of a compressor's motor: four times its power, on the mean of 0.4 s."""
_SETTLING, _SETTLED = 0.25, 0.94
"""For a quarter of the time on the power is higher, then this part of the mean."""
_EARLY = (1.0 - (1.0 - _SETTLING) * _SETTLED) / _SETTLING


LONGEST_MS = 3_600_000
"""An upper limit of the running part of a cycle."""


class Compressors:
    """The cycles of cold appliances, as a function of (seed, home, time)."""

    def __init__(self, cold: Cold, draws: Draws) -> None:
        self._cold, self._draws = cold, draws

    def between(self, start_ms: int, end_ms: int) -> Edges:
        """Return the edges of the cycles that start in [start_ms, end_ms)."""
        cold = self._cold
        moves = (_JITTER * cold.period_ms).astype(np.int64) + 1
        first = (start_ms - moves - cold.phase_ms) // cold.period_ms
        last = (end_ms + moves - cold.phase_ms) // cold.period_ms
        count = last - first + 1
        row = np.repeat(np.arange(len(count)), count)
        cycle = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + first[row]
        u = self._draws.uniform4("household/cycle", cold.keys[row], cycle)
        period = cold.period_ms[row]
        moved = ((u[0] - 0.5) * 2.0 * _JITTER * period).astype(np.int64)
        begins = cycle * period + cold.phase_ms[row] + moved
        inside = np.flatnonzero((begins >= start_ms) & (begins < end_ms))
        row, begins = row[inside], begins[inside]
        lasts = cold.on[row] * period[inside] * (1.0 + _WIDTH * (2.0 * u[1, inside] - 1.0))
        return _cycles(cold, row, begins, lasts.astype(np.int64))


def _cycles(
    cold: Cold, row: NDArray[np.intp], begins: NDArray[np.int64], lasts: NDArray[np.int64]
) -> Edges:
    power = cold.power_mw[row]
    # The inrush is taken from the first part, so that the energy of a cycle does not change.
    early = (power * _EARLY * lasts * _SETTLING - power * _INRUSH * _INRUSH_MS) / (
        lasts * _SETTLING - _INRUSH_MS
    )
    levels = np.rint(np.stack([power * _INRUSH, early, power * _SETTLED])).astype(np.int32)
    steps = np.concatenate([levels[:1], levels[1:] - levels[:-1], -levels[-1:]])
    settled = begins + (lasts * _SETTLING).astype(np.int64)
    times = np.stack([begins, begins + _INRUSH_MS, settled, begins + lasts])
    homes = np.broadcast_to(cold.home[row].astype(np.int32), times.shape)
    return Edges(times.reshape(-1), homes.reshape(-1), steps.reshape(-1))
