"""The totals of ticks: the output by type, load, target and reduction, for the histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, History, Roster, Span
from gridsim.contracts.truth import TickTruth
from gridsim.running.monitor.ring import Ring

_SPANS: dict[Span, tuple[int, int]] = {
    "15m": (15 * 60_000, 1_000),
    "1d": (24 * 3_600_000, 60_000),
}
"""The length and the step of each span of a history, ms."""
_PROJECT_MS, _PROJECT_POINTS = 15_000, 60


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """The totals of k ticks, kW, of values rounded as readings are."""

    kw: Floats
    """The true output, float64[k, types]."""
    load_kw: Floats
    baseline_kw: Floats
    target_kw: Floats
    delivered_kw: Floats
    violating: Floats
    """The number of projects in violation."""
    reduction_kw: Floats
    """The reduction of every project, float64[k, projects]."""


class Counter:
    """The sums over devices and projects."""

    def __init__(self, roster: Roster) -> None:
        types, kind = np.unique(np.array(roster.type, dtype=str), return_inverse=True)
        self.types: tuple[str, ...] = tuple(types.tolist())
        self._kind: NDArray[np.intp] = kind
        self._project = roster.project
        self._sites = len(roster.project_id)

    def totals(self, truths: Sequence[TickTruth]) -> Totals:
        """Return the totals of these ticks."""
        k, types, sites = len(truths), len(self.types), self._sites
        output = np.rint(np.stack([truth.output_kw for truth in truths]) * 100.0)
        load = np.rint(np.stack([truth.load_kw for truth in truths]) * 100.0)
        baseline = np.rint(np.stack([truth.baseline_kw for truth in truths]) * 100.0)
        rows = np.arange(k)[:, None]
        kw = np.bincount((rows * types + self._kind).ravel(), output.ravel(), k * types)
        of_sites = np.bincount((rows * sites + self._project).ravel(), output.ravel(), k * sites)
        reduction = (baseline - load + of_sites.reshape(k, sites)) / 100.0
        target, delivered, violating = np.zeros(k), np.zeros(k), np.zeros(k)
        for row, truth in enumerate(truths):
            for event in truth.events:
                called = event.takes_part & ~np.isnan(event.target_kw)
                target[row] += event.target_kw[called].sum()
                delivered[row] += reduction[row, event.site[called]].sum()
            broken = [event.site[event.in_violation] for event in truth.events]
            violating[row] = len(np.unique(np.concatenate(broken))) if broken else 0
        return Totals(
            kw=kw.reshape(k, types) / 100.0,
            load_kw=load.sum(axis=1) / 100.0,
            baseline_kw=baseline.sum(axis=1) / 100.0,
            target_kw=target,
            delivered_kw=delivered,
            violating=violating,
            reduction_kw=reduction,
        )


class Histories:
    """The past of the fleet and of its projects, in memory of a fixed size."""

    def __init__(self, counter: Counter, sites: int, start_ms: int, tick_ms: int) -> None:
        self._types = counter.types
        width = len(counter.types) + 4
        self._spans: dict[Span, Ring] = {}
        for span, (length_ms, step_ms) in _SPANS.items():
            step = max(step_ms, tick_ms)
            self._spans[span] = Ring(start_ms, step, max(length_ms // step, 1), width)
        self._projects = Ring(
            start_ms, max(_PROJECT_MS, tick_ms), _PROJECT_POINTS, sites, np.float32
        )

    def add(self, time_ms: NDArray[np.int64], totals: Totals) -> None:
        """Add ticks at ascending times."""
        sums = (totals.load_kw, totals.target_kw, totals.delivered_kw, totals.violating)
        columns = np.column_stack([totals.kw, *sums])
        for ring in self._spans.values():
            ring.add(time_ms, columns)
        self._projects.add(time_ms, totals.reduction_kw)

    def fleet(self, span: Span) -> History:
        """Return the past of the fleet."""
        time_ms, means = self._spans[span].read()
        values: Floats = means.astype(np.float64)
        n = len(self._types)
        return History(
            time_ms=time_ms,
            kw={kind: values[:, column] for column, kind in enumerate(self._types)},
            load_kw=values[:, n],
            target_kw=values[:, n + 1],
            delivered_kw=values[:, n + 2],
            violating=values[:, n + 3],
        )

    def projects(self, projects: NDArray[np.intp]) -> Floats:
        """Return the reduction of some projects, float32[projects, 60], kW."""
        return cast(Floats, self._projects.tail(projects))
