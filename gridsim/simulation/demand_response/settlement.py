"""Settlement: the energy that projects delivered in an event, and their violations.

All sums are integers, in hundredths of a kW, of values rounded like the readings. Therefore a
sum over the readings gives exactly the same result.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Stateful, Staying, carry_attributes
from gridsim.contracts.state import attributes_of

WINDOW_MS = 300_000
"""The averaging window for violations of a contract."""

Hundredths = NDArray[np.int64]


def reduction(baseline: Floats, meter: Floats, power: Floats, site: NDArray[np.intp]) -> Hundredths:
    """Return each site's reduction below its baseline: int64[sites], hundredths of a kW.

    `baseline` and `meter` are float64[sites], `power` and `site` have an entry per device; kW.
    """
    output = np.bincount(site, np.rint(power * 100.0), len(meter))
    return (np.rint(baseline * 100.0) - np.rint(meter * 100.0) + output).astype(np.int64)


class SettlementAccount(Stateful):
    """The sums of the readings of n projects in one event, and their violations.

    A reading is in violation if the mean of the reduction over the readings of the last 300 s
    is below the contract's threshold. Readings earlier than 300 s after `from_ms` are not judged.
    """

    derived = ("_judged", "_judged_ms", "_promised")

    def __init__(self, threshold_kw: Floats, from_ms: NDArray[np.int64], tick_ms: int) -> None:
        """Take float64[n] and int64[n]; a project whose threshold is NaN is not judged."""
        n = len(threshold_kw)
        readings = -(-WINDOW_MS // tick_ms)
        self.delivered: Hundredths = np.zeros(n, np.int64)
        """The sum of the reduction over the readings."""
        self._judged = ~np.isnan(threshold_kw)
        self._judged_ms = from_ms + WINDOW_MS
        threshold_kw = np.where(self._judged, threshold_kw, 0.0)
        self._promised = np.rint(threshold_kw * 100.0).astype(np.int64) * readings
        self._window = np.zeros((readings, n), np.int64)
        self._oldest = 0
        self._sum = np.zeros(n, np.int64)
        self._broken = np.zeros(n, np.bool_)
        self._since_ms = np.zeros(n, np.int64)
        self._violations: dict[int, list[tuple[int, int]]] = {}

    def carry_over(self, older: SettlementAccount, staying: Staying) -> None:
        """Copy the sums of the projects that stay."""
        names = [name for name, _ in attributes_of(older) if name != "_violations"]
        carry_attributes(self, older, staying, names)
        moved = staying.new_of_old.tolist()
        self._violations = {
            moved[row]: [*spans] for row, spans in older._violations.items() if moved[row] >= 0
        }

    @property
    def in_violation(self) -> NDArray[np.bool_]:
        """True for the projects whose last reading is in violation."""
        return self._broken

    def add(self, time_ms: int, reduced: Hundredths, running: NDArray[np.bool_]) -> None:
        """Add the readings of a tick; only those of running projects count."""
        self.delivered += np.where(running, reduced, 0)
        oldest = self._window[self._oldest]
        self._sum += reduced - oldest
        oldest[:] = reduced
        self._oldest = (self._oldest + 1) % len(self._window)
        judged = running & self._judged & (time_ms >= self._judged_ms)
        broken = judged & (self._sum < self._promised)
        self._since_ms[broken & ~self._broken] = time_ms
        self.close(self._broken & ~broken, np.full(len(broken), time_ms))
        self._broken = broken

    def close(self, projects: NDArray[np.bool_], end_ms: NDArray[np.int64]) -> None:
        """End the violations of these projects at `end_ms`, int64[n]."""
        ended = np.flatnonzero(projects & self._broken)
        spans = zip(self._since_ms[ended].tolist(), end_ms[ended].tolist(), strict=True)
        for row, span in zip(ended.tolist(), spans, strict=True):
            self._violations.setdefault(row, []).append(span)
        self._broken[ended] = False

    def violations(self) -> dict[int, tuple[tuple[int, int], ...]]:
        """Return the violations that have ended, UTC ms, of each project that has any."""
        return {row: tuple(spans) for row, spans in self._violations.items()}
