"""An estimate, before the run, of the reduction that the projects of an event can deliver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import numpy as np

from gridsim.api import Draws, Floats, Keys, Members
from gridsim.simulation.demand_response.occurrence import Occurrence
from gridsim.simulation.loads import SiteLoads
from gridsim.simulation.scenario import EventSpec, Scenario
from gridsim.simulation.schedule import Schedule

MAX_PROJECTS: Final = 200
"""The largest number of projects to estimate; beyond it, an evenly spaced sample is used."""
_MUCH_KW = 1e9
# Half the resolution of a reading, kW.
_HALF_STEP = 0.005

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The estimate of an event's first occurrence, with an entry for each project that takes
    part.
    """

    project_id: list[str]
    asked_kw: Floats
    able_kw: Floats
    """The reduction below the baseline, mean over the event."""
    flexible: list[bool]
    """True for projects with a DER that events dispatch."""
    scale: float
    """The number of projects of the event for each one that is estimated."""

    @property
    def short(self) -> list[int]:
        """The indices of the projects that cannot reach the target, the worst first."""
        missing = self.asked_kw - self.able_kw
        order = np.argsort(-missing, kind="stable")
        return [int(index) for index in order if missing[index] > _HALF_STEP]

    @property
    def asked_total_kw(self) -> float:
        return float(self.asked_kw.sum()) * self.scale

    @property
    def able_total_kw(self) -> float:
        """The sum of the reductions that the projects can deliver, each at most its request."""
        able = np.clip(self.able_kw, 0.0, self.asked_kw)
        return float(able.sum()) * self.scale


@dataclass(frozen=True, slots=True)
class _Constant:
    value: float

    def sample(self, draws: Draws, purpose: str, keys: Keys) -> Floats:
        return np.full(len(keys), self.value)


def estimate(
    scenario: Scenario, event: EventSpec, output_of: Callable[[Scenario], tuple[Floats, Floats]]
) -> Estimate | None:
    """Return the estimate of an event; None if it requests no reduction or does not occur.

    One tick as long as the event is simulated, in which each project delivers all that it can:
    batteries are limited by their energy, and heat pumps by the comfort of their homes.
    `output_of` returns the baseline per site and the output per device of a scenario's first
    tick, kW. Raises PluginError.
    """
    start_ms = event.schedule.first_from(scenario.start_ms)
    if start_ms is None or not event.reduces or not len(event.projects):
        return None
    step = -(-len(event.projects) // MAX_PROJECTS)
    own = scenario.subset(event.projects[::step].tolist())
    spec = next(one for one in own.events if one.id == event.id)
    occurrence = Occurrence(own, spec, 1, start_ms)
    all_out = replace(
        spec,
        schedule=Schedule(at_ms=start_ms),
        notice_ms=0,
        ramp_ms=0,
        randomize_ms=0,
        cancel_after_ms=None,
        target_kw=_Constant(_MUCH_KW),
        compliance=_Constant(1.0),
        opt_out=0.0,
    )
    single = _single_tick(own, start_ms, spec.duration_ms, all_out)
    baseline, output = output_of(single)
    loads = SiteLoads(single.loads, len(single.sites), _call)
    expected = loads.expected(start_ms + spec.duration_ms // 2, _call)
    n = len(single.sites)
    able = baseline - expected + np.bincount(single.roster.project, output, n)
    flexible = np.zeros(n, np.bool_)
    for fleet in single.fleets:
        if fleet.stage == "flexible":
            flexible[fleet.members.site] = True
    rows = np.flatnonzero(~occurrence.opted_out)
    return Estimate(
        [own.roster.project_id[row] for row in rows.tolist()],
        (occurrence.target_kw * occurrence.compliance)[rows],
        able[rows],
        flexible[rows].tolist(),
        len(event.projects) / len(own.sites),
    )


def _single_tick(scenario: Scenario, start_ms: int, tick_ms: int, event: EventSpec) -> Scenario:
    """Return a scenario whose first tick is as long as the event."""

    def moved(members: Members[Any]) -> Members[Any]:
        return replace(members, start_ms=start_ms, tick_ms=tick_ms)

    return replace(
        scenario,
        start_ms=start_ms,
        tick_ms=tick_ms,
        report_every_ticks=np.ones_like(scenario.report_every_ticks),
        report_on_change={},
        loads=[replace(one, members=moved(one.members)) for one in scenario.loads],
        baselines=[
            replace(
                one,
                members=moved(one.members),
                load=one.load and replace(one.load, members=moved(one.load.members)),
            )
            for one in scenario.baselines
        ],
        fleets=[replace(one, members=moved(one.members)) for one in scenario.fleets],
        events=(event,),
        faults=(),
        rebound_ms=None,
    )


def _call(name: str, do: Callable[[], T]) -> T:
    return do()
