"""The baselines of all sites, each from the plugin of its project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Baseline, Floats, State, Tick
from gridsim.simulation.baselines.consumption import ExpectedConsumption
from gridsim.simulation.boundary import checked
from gridsim.simulation.calling import Call, named
from gridsim.simulation.loads import SiteLoads
from gridsim.simulation.scenario import BaselineSpec, Scenario


@dataclass(frozen=True, slots=True, eq=False)
class _Expectation:
    """The expectation of some sites, float64[m], kW; an error names the plugin."""

    loads: SiteLoads
    consumption: ExpectedConsumption | None
    """None where the configuration names another load, which stands for the whole site."""
    site: NDArray[np.intp]
    call: Call

    def __call__(self, time_ms: int) -> Floats:
        expected = self.loads.expected(time_ms, self.call)
        if self.consumption is not None and (more := self.consumption.at(time_ms)) is not None:
            expected = expected + more
        return expected if len(self.site) == len(expected) else expected[self.site]


class _Running:
    """A baseline plugin and its sites, wrapped so that an error names the plugin."""

    def __init__(
        self, spec: BaselineSpec, loads: SiteLoads, consumption: ExpectedConsumption, call: Call
    ) -> None:
        self.site = spec.members.site
        self._ids = spec.members.ids
        self._name = f"the baseline {spec.name!r}"
        self._call = call
        sites = len(spec.members.sites)
        if spec.load is None:
            expected = _Expectation(loads, consumption, self.site, call)
        else:
            expected = _Expectation(SiteLoads([spec.load], sites, call), None, self.site, call)
        self._baseline: Baseline = call(self._name, partial(spec.type, spec.members, expected))
        self.notes = spec.type.note is not Baseline.note
        """True if the plugin overrides `note`, and therefore needs the consumption."""
        self._row_of = np.full(sites, -1, np.intp)
        self._row_of[self.site] = np.arange(len(self.site))

    def state(self) -> State:
        return named(self._name, self._baseline)

    def restore(self, state: State) -> None:
        self._baseline.restore(state)

    def at(self, tick: Tick) -> Floats:
        return self._call(self._name, partial(self._at, tick))

    def _at(self, tick: Tick) -> Floats:
        values = self._baseline.at(tick)
        return checked(
            self._name, "a baseline", values, self._ids, each="site", by=self._baseline.at
        )

    def note(self, tick: Tick, net_kw: Floats) -> None:
        self._call(self._name, partial(self._baseline.note, tick, net_kw[self.site]))

    def event_announced(
        self, sites: NDArray[np.intp], time_ms: int, begin_ms: NDArray[np.int64]
    ) -> None:
        rows = self._row_of[sites]
        own = rows >= 0
        if own.any():
            announce = self._baseline.event_announced
            self._call(self._name, partial(announce, rows[own], time_ms, begin_ms[own]))

    def event_over(self, sites: NDArray[np.intp]) -> None:
        rows = self._row_of[sites]
        rows = rows[rows >= 0]
        if len(rows):
            self._call(self._name, partial(self._baseline.event_over, rows))


class Baselines:
    """The baseline of every site. See `Baseline` for the order of calls within a tick."""

    def __init__(self, scenario: Scenario, loads: SiteLoads, call: Call) -> None:
        """Create the baselines; `loads` are the sites' own. Methods may raise PluginError."""
        self._project = scenario.roster.project
        self._sites = len(scenario.sites)
        self._consumption = ExpectedConsumption(scenario)
        self._running: Sequence[_Running] = [
            _Running(spec, loads, self._consumption, call) for spec in scenario.baselines
        ]

    def state(self) -> State:
        """Return what a checkpoint keeps. Raises StateError, naming the plugin."""
        return {
            "baselines": [running.state() for running in self._running],
            "consumption": self._consumption.state(),
        }

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        for running, one in zip(self._running, state["baselines"], strict=True):
            running.restore(one)
        self._consumption.restore(state["consumption"])

    def at(self, tick: Tick) -> Floats:
        """Return the baselines over the tick: float64[sites], kW."""
        self._consumption.begin(tick)
        baseline = np.empty(self._sites)
        for running in self._running:
            baseline[running.site] = running.at(tick)
        return baseline

    def note(self, tick: Tick, meter: Floats, power: Floats) -> None:
        """Record the tick's power, kW: `meter`, the gross load, per site, `power` per device."""
        noting = [running for running in self._running if running.notes]
        if not noting:
            return
        net = meter - np.bincount(self._project, power, len(meter))
        for running in noting:
            running.note(tick, net)

    def disable(self, device: NDArray[np.intp]) -> None:
        """Leave the fleet with these devices, which failed, out of the expectation."""
        self._consumption.disable(device)

    def event_announced(
        self, sites: NDArray[np.intp], time_ms: int, begin_ms: NDArray[np.int64]
    ) -> None:
        """Record that an event was announced to these sites at UTC `time_ms`.

        `begin_ms` has the start at each of them.
        """
        for running in self._running:
            running.event_announced(sites, time_ms, begin_ms)

    def event_over(self, sites: NDArray[np.intp]) -> None:
        """Record that an announced event is over for these sites, or was cancelled."""
        for running in self._running:
            running.event_over(sites)
