"""Baselines: what the sites would draw without the programme."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Tick
from gridsim.simulation.baselines.like_days import LikeDays
from gridsim.simulation.calling import Call
from gridsim.simulation.loads import SiteLoads
from gridsim.simulation.scenario import Scenario


class Baselines:
    """The baseline of every site, by whichever rule is its own.

    In each tick `at` gives the baselines, then events are announced and ended, which shows
    from the next tick on, and `note` takes in what the sites drew when all fleets have stepped.
    """

    def __init__(self, scenario: Scenario, loads: SiteLoads, call: Call) -> None:
        """`loads` are those of the sites themselves. Raises PluginError."""
        self._constant = scenario.baseline
        self._project = scenario.roster.project
        self._loads = loads
        self._own = SiteLoads(scenario.baseline_loads, len(scenario.sites), call)
        self._own_sites = [spec.members.site for spec in scenario.baseline_loads]
        self._like = [
            LikeDays(spec, scenario.sites, scenario.start_ms, partial(loads.expected, call=call))
            for spec in scenario.like_days
        ]
        self._follows = np.isnan(scenario.baseline)
        for sites in (*self._own_sites, *(like.sites for like in self._like)):
            self._follows[sites] = False
        self._vary = bool(self._own_sites or self._like or self._follows.any())

    def at(self, tick: Tick, call: Call) -> Floats:
        """float64[sites], kW; not to be written to. Raises PluginError."""
        if not self._vary:
            return self._constant
        baseline = self._constant
        if self._follows.any():
            baseline = np.where(self._follows, self._loads.expected(tick.time_ms, call), baseline)
        if not (self._own_sites or self._like):
            return baseline
        baseline = baseline.copy()
        if self._own_sites:
            expected = self._own.expected(tick.time_ms, call)
            for sites in self._own_sites:
                baseline[sites] = expected[sites]
        for like in self._like:
            baseline[like.sites] = like.at(tick.time_ms)
        return baseline

    def note(self, tick: Tick, meter: Floats, power: Floats) -> None:
        """Takes in what happened in the tick: kW, `power` per device of the roster."""
        if not self._like:
            return
        net = meter - np.bincount(self._project, power, len(meter))
        for like in self._like:
            like.note(tick.time_ms, net[like.sites], tick.dt_s)

    def event_announced(
        self, sites: NDArray[np.intp], time_ms: int, begin_ms: NDArray[np.int64]
    ) -> None:
        """An event has been announced at UTC `time_ms` to these sites and begins at `begin_ms`.

        What depends on the day is frozen now, until every announced event of a site is over.
        """
        for like in self._like:
            like.event_announced(sites, time_ms, begin_ms)

    def event_over(self, sites: NDArray[np.intp]) -> None:
        """An event that was announced to these sites is over for them, or did not happen."""
        for like in self._like:
            like.event_over(sites)
