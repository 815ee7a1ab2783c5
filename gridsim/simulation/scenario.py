"""The scenario: the complete input of a simulation.

The configuration creates a scenario. A shard of a simulation runs a scenario of some of the
projects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    Baseline,
    CallEvent,
    Draws,
    Fault,
    Fleet,
    Floats,
    InjectFault,
    Keys,
    Load,
    Members,
    Roster,
    Settings,
    Sites,
    Stage,
    Weather,
)
from gridsim.simulation.schedule import Schedule

OnError = Literal["stop", "skip_fleet"]


@dataclass(frozen=True, slots=True, eq=False)
class FleetSpec:
    """The devices that one fleet object steps: one type and stage."""

    name: str
    """The name under which the type is registered."""
    type: type[Fleet]
    stage: Stage
    members: Members[Any]
    device: NDArray[np.intp]
    """intp[n], the members' places in the roster."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadSpec:
    """The sites that one load object serves: those in `members.site`."""

    name: str
    type: type[Load]
    members: Members[Any]


@dataclass(frozen=True, slots=True, eq=False)
class BaselineSpec:
    """The sites that one baseline object serves: those in `members.site`."""

    name: str
    """The name under which the type is registered."""
    type: type[Baseline]
    members: Members[Any]
    load: LoadSpec | None = None
    """The load whose expectation the baseline uses; None: the sites' own loads."""


_OfSites = TypeVar("_OfSites", LoadSpec, BaselineSpec)


@dataclass(frozen=True, slots=True, eq=False)
class WeatherSpec:
    name: str
    type: type[Weather]
    settings: Settings


class Sampler(Protocol):
    """A number, or a distribution of numbers."""

    def sample(self, draws: Draws, purpose: str, keys: Keys) -> Floats:
        """Return one value for each of the keys, float64[n]."""


@dataclass(frozen=True, slots=True, eq=False)
class EventSpec:
    """A demand-response event: its projects, times, and at least a reduction or a limit."""

    id: str
    projects: NDArray[np.intp]
    """intp[m], ascending; without standalone projects."""
    schedule: Schedule
    duration_ms: int
    notice_ms: int
    ramp_ms: int
    randomize_ms: int
    """The largest random delay of a project's start."""
    cancel_after_ms: int | None
    """The time from the announcement to the cancellation; None: it is not cancelled."""
    reduces: bool
    """True if the event calls for a reduction."""
    target_kw: Sampler | None
    """The reduction called for; None: each project's contract threshold."""
    compliance: Sampler
    """The share of the target that a project aims to deliver."""
    opt_out: float
    """The probability with which a project does not take part."""
    export_limit_kw: float | None
    import_limit_kw: float | None


@dataclass(frozen=True, slots=True, eq=False)
class FaultSpec:
    """A fault: a deliberate error of some devices or their messages."""

    id: str
    name: str
    """The name under which the type is registered."""
    type: type[Fault]
    members: Members[Any]
    """The devices that the fault may affect; their keys are mixed with the fault's id. In a
    scenario of some of the projects there may be none; the fault stays to keep its number."""
    device: NDArray[np.intp]
    """intp[m], the members' places in the roster."""
    schedule: Schedule | None
    """The times at which all members are affected; None and `per_day` 0: always."""
    per_day: float
    """The mean number of independent onsets per member and day; 0: none."""
    duration_s: Sampler | None
    """The duration from each onset."""
    probability: float
    """The probability that a reading is affected during the fault."""
    of_project: bool
    """True if random onsets and draws are common to all members of a project."""


class Binder(Protocol):
    """A binder of called events and injected faults to a scenario; its methods are pure."""

    def event(self, call: CallEvent, scenario: Scenario, time_ms: int) -> EventSpec:
        """Return the event as of UTC `time_ms`. Raises Refused."""

    def fault(self, inject: InjectFault, scenario: Scenario, time_ms: int) -> FaultSpec:
        """Return the fault as of UTC `time_ms`. Raises Refused."""


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """All projects and devices, as columns.

    `sites` and `contract_threshold` have one entry per project, in the order of
    `roster.project_id`.
    """

    draws: Draws
    start_ms: int
    tick_ms: int
    on_error: OnError
    roster: Roster
    sites: Sites
    contract_threshold: Floats
    """kW; zero for standalone projects."""
    report_every_ticks: NDArray[np.int64]
    """int64[devices]; 0: the device reports only on change."""
    weather: WeatherSpec
    loads: Sequence[LoadSpec]
    """Every site is in exactly one of them."""
    baselines: Sequence[BaselineSpec]
    """Every site is in exactly one of them."""
    fleets: Sequence[FleetSpec]
    """Every device is in exactly one of them."""
    events: Sequence[EventSpec] = ()
    faults: Sequence[FaultSpec] = ()
    binder: Binder | None = None
    """None: instructions cannot add events or faults."""
    measurands: tuple[str, ...] = ()
    """The names of the measurands that the core computes; the roster's columns have them, too."""
    rebound_ms: int | None = None
    """The time after an event over which its rebound is measured; None: no counterfactual."""
    report_on_change: Mapping[str, Floats] = field(default_factory=dict)
    """The smallest change that a device reports, by column: float64[devices], in its unit; NaN
    for devices that do not compare the column."""

    is_part: bool = False
    """True if the run has other projects, too: this is the scenario of a shard."""

    @property
    def shortest_report_ticks(self) -> NDArray[np.int64]:
        """The shortest time between two readings of each device, int64[devices]."""
        shortest = self.report_every_ticks.copy()
        for deadband in self.report_on_change.values():
            shortest[~np.isnan(deadband)] = 1
        return shortest

    def subset(self, projects: Iterable[int | str]) -> Scenario:
        """Return the scenario of some projects, given by index or id; their values do not change.

        Projects keep the configuration's order. All faults stay, so that their numbers do not
        change; events without a project here are left out. Raises ValueError if a project is
        unknown or given twice, or if no project is given.
        """
        sites = self._places(projects)
        keep = _Subset(sites, self)
        return replace(
            self,
            is_part=self.is_part or len(sites) < len(self.sites),
            roster=self.roster.some(sites),
            sites=keep.sites,
            contract_threshold=self.contract_threshold[sites],
            report_every_ticks=self.report_every_ticks[keep.devices],
            report_on_change={
                name: part
                for name, deadband in self.report_on_change.items()
                if not np.isnan(part := deadband[keep.devices]).all()
            },
            loads=keep.of_sites(self.loads),
            baselines=[
                replace(spec, load=keep.of_sites([spec.load])[0] if spec.load else None)
                for spec in keep.of_sites(self.baselines)
            ],
            fleets=[
                replace(spec, members=members, device=device)
                for spec in self.fleets
                for members, device in [keep.devices_of(spec)]
                if len(device)
            ],
            events=[
                replace(spec, projects=place)
                for spec in self.events
                if len(place := keep.sites_of(spec.projects))
            ],
            faults=[
                replace(spec, members=members, device=device)
                for spec in self.faults
                for members, device in [keep.devices_of(spec)]
            ],
        )

    def _places(self, projects: Iterable[int | str]) -> NDArray[np.intp]:
        """Return the projects' indices, ascending. Raises ValueError."""
        ids = self.roster.project_id
        known: dict[int | str, int] = {name: index for index, name in enumerate(ids)}
        known.update((index, index) for index in range(len(ids)))
        found: set[int] = set()
        for project in projects:
            place = known.get(project)
            if place is None:
                raise ValueError(f"there is no project {project!r} in this scenario")
            if place in found:
                raise ValueError(f"the project {project!r} is given twice")
            found.add(place)
        if not found:
            raise ValueError("a scenario needs at least one project")
        return np.array(sorted(found), np.intp)


class _Subset:
    """The sites and devices of some projects, and their indices in the scenario of these."""

    def __init__(self, sites: NDArray[np.intp], scenario: Scenario) -> None:
        self.sites = scenario.sites.some(sites)
        self._site = np.full(len(scenario.sites), -1, np.intp)
        self._site[sites] = np.arange(len(sites))
        self.devices = np.flatnonzero(self._site[scenario.roster.project] >= 0)
        self._device = np.full(len(scenario.roster), -1, np.intp)
        self._device[self.devices] = np.arange(len(self.devices))

    def sites_of(self, sites: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the new indices of the sites that are in the subset."""
        places = self._site[sites]
        return places[places >= 0]

    def devices_of(self, spec: FleetSpec | FaultSpec) -> tuple[Members[Any], NDArray[np.intp]]:
        """Return a fleet's or fault's members in the subset, and their indices in the roster."""
        places = self._device[spec.device]
        rows = np.flatnonzero(places >= 0)
        return self._members(spec.members, rows), places[rows]

    def of_sites(self, specs: Sequence[_OfSites]) -> list[_OfSites]:
        """Return the loads or baselines of the sites in the subset."""
        rows_of = ((spec, np.flatnonzero(self._site[spec.members.site] >= 0)) for spec in specs)
        return [
            replace(spec, members=self._members(spec.members, rows))
            for spec, rows in rows_of
            if len(rows)
        ]

    def _members(self, members: Members[Any], rows: NDArray[np.intp]) -> Members[Any]:
        some = members.some(rows)
        return replace(some, site=self._site[some.site], sites=self.sites)
