"""Settlement: what the projects of an event delivered, and when they broke their contracts.

Everything is counted in hundredths of a kW, as integers, from values rounded as the readings
are: whoever adds up the readings gets the same, to the last digit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.contracts.results import Settlement

WINDOW_MS = 300_000
"""A contract is judged by the mean of the reduction over this long."""

_MS_PER_HOUR = 3_600_000

Hundredths = NDArray[np.int64]


def reduction(baseline: Floats, meter: Floats, power: Floats, site: NDArray[np.intp]) -> Hundredths:
    """How much less each site draws than its baseline: int64[sites], hundredths of a kW.

    `baseline` and `meter` are float64[sites], `power` and `site` have an entry per device; kW.
    """
    output = np.bincount(site, np.rint(power * 100.0), len(meter))
    return (np.rint(baseline * 100.0) - np.rint(meter * 100.0) + output).astype(np.int64)


class SettlementAccount:
    """Adds up the readings of n projects in one event, and judges them.

    A reading is in violation if the mean of the reduction over the readings of the last 300 s
    is below the contract's threshold; the first to be judged is that at 300 s after `from_ms`.
    """

    def __init__(self, threshold_kw: Floats, from_ms: NDArray[np.int64], tick_ms: int) -> None:
        """float64[n] and int64[n]; a project whose threshold is NaN is not judged."""
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
        self._violations: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)

    def add(self, time_ms: int, reduced: Hundredths, running: NDArray[np.bool_]) -> None:
        """Takes in the readings of a tick; only those of running projects count."""
        self.delivered += np.where(running, reduced, 0)
        oldest = self._window[self._oldest]
        self._sum += reduced - oldest
        oldest[:] = reduced
        self._oldest = (self._oldest + 1) % len(self._window)
        judged = running & self._judged & (time_ms >= self._judged_ms)
        broken = judged & (self._sum < self._promised)
        self._since_ms[broken & ~self._broken] = time_ms
        self.close(self._broken & ~broken, time_ms)
        self._broken = broken

    def close(self, projects: NDArray[np.bool_], time_ms: int) -> None:
        """Ends the violations of these projects: the reading at `time_ms` is not in it."""
        ended = np.flatnonzero(projects & self._broken)
        for row, since_ms in zip(ended.tolist(), self._since_ms[ended].tolist(), strict=True):
            self._violations[row].append((since_ms, time_ms))
        self._broken[ended] = False

    def violations(self, row: int) -> tuple[tuple[int, int], ...]:
        """Those of a project that have ended, UTC ms."""
        return tuple(self._violations.get(row, ()))


@dataclass(slots=True)
class EventTotals:
    """What came of an event, or of several: sums over the projects that took part."""

    took_part: int = 0
    opted_out: int = 0
    superseded: int = 0
    interrupted: int = 0
    in_violation: int = 0
    target_kwh: float = 0.0
    delivered_kwh: float = 0.0

    def add(self, settlements: Iterable[Settlement]) -> None:
        for own in settlements:
            if own.ending == "opted out":
                self.opted_out += 1
                continue
            self.took_part += 1
            self.superseded += own.ending == "superseded"
            self.interrupted += own.ending == "interrupted"
            self.in_violation += bool(own.violations)
            self.target_kwh += own.target_kw * (own.end_ms - own.start_ms) / _MS_PER_HOUR
            self.delivered_kwh += own.delivered_kwh

    def __str__(self) -> str:
        return self.told(projects(self.took_part))

    def told(self, by: str) -> str:
        """In words; `by` says who took part."""
        parts = [by]
        if self.target_kwh:
            kwh = f"{self.delivered_kwh:,.2f} of {self.target_kwh:,.2f} kWh"
            parts = [f"{kwh} delivered by {parts[0]}", f"{self.in_violation:,} in violation"]
        for count, what in (
            (self.opted_out, "opted out"),
            (self.superseded, "superseded"),
            (self.interrupted, "interrupted"),
        ):
            if count:
                parts.append(f"{count:,} {what}")
        return ", ".join(parts)


def lasting(ms: int) -> str:
    """A duration in words, in the largest unit of which it is a whole number."""
    for unit_ms, unit in ((24 * _MS_PER_HOUR, "d"), (_MS_PER_HOUR, "h"), (60_000, "min")):
        if ms % unit_ms == 0:
            return f"{ms // unit_ms:,} {unit}"
    return f"{ms / 1000:.10g} s"


def projects(n: int) -> str:
    """A number of projects in words."""
    return f"{n:,} project{'' if n == 1 else 's'}"
