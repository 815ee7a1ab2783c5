"""The expansion of stanzas to columns, with every project and device of a configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gridsim.api import (
    Draws,
    Floats,
    Keys,
    Members,
    Roster,
    Sites,
    Unit,
    identities,
    numeric_fields,
)
from gridsim.config.settings.distributions import Bounds
from gridsim.config.settings.validation import Findings, Validated
from gridsim.config.sites import Rows, make_sites, repeated
from gridsim.config.tables.attributes import attributes_of
from gridsim.config.tables.baselines import BaselineChoice
from gridsim.config.tables.plugged import Plugged
from gridsim.config.tables.site import SiteSettings
from gridsim.config.tables.stanzas import PLACE, Projects, ProjectStanza
from gridsim.contracts.measurands import MEASURANDS, measurands_among
from gridsim.simulation.scenario import (
    BaselineSpec,
    FleetSpec,
    LoadSpec,
    OnError,
    Scenario,
    WeatherSpec,
)

# Beyond this limit, sums over a fleet or products with time may overflow.
_LIMIT = 1e9
_LIMITED = ("kW", "kWh")

Part = tuple[Plugged, Rows]
"""A stanza's plugin, and the indices of its members among all DERs or all projects."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """All DERs, or all projects; `members` selects those of one plugin."""

    ids: Sequence[str]
    keys: Keys
    site: Rows
    sites: Sites
    draws: Draws
    start_ms: int
    tick_ms: int
    findings: Findings

    def members(self, parts: Sequence[Part]) -> tuple[Members[Any], Rows]:
        """Return the members of the parts, in configuration order, and their indices."""
        rows = np.sort(np.concatenate([own for _, own in parts]))
        columns = {name: np.empty(len(rows)) for name in numeric_fields(parts[0][0].type.Settings)}
        stanza = np.empty(len(rows), np.intp)
        for index, (plugged, own) in enumerate(parts):
            place = np.searchsorted(rows, own)
            stanza[place] = index
            for name, column in columns.items():
                column[place] = sampled(self.findings, plugged, name, self.draws, self.keys[own])
        members = Members(
            ids=[self.ids[row] for row in rows.tolist()],
            keys=self.keys[rows],
            columns=columns,
            settings=[plugged.settings for plugged, _ in parts],
            stanza=stanza,
            site=self.site[rows],
            sites=self.sites,
            draws=self.draws,
            start_ms=self.start_ms,
            tick_ms=self.tick_ms,
        )
        return members, rows


def expand(
    findings: Findings,
    projects: Projects,
    site: Validated[SiteSettings],
    weather: WeatherSpec,
    *,
    draws: Draws,
    start_ms: int,
    tick_ms: int,
    on_error: OnError,
    wanted: Iterable[str] = (),
) -> Scenario:
    """Return the scenario: projects in order of their stanzas, the DERs of each project together.

    The core computes the measurands among the names `wanted`, except those that a DER type of the
    scenario reports itself, and those `of_type`, which DER types report. Unusable values are added
    to `findings`; the scenario is valid only if there are none.
    """
    stanzas, names = projects.stanzas, projects.names
    keys = identities(names.projects)
    at_site, at_der, project_of = _places(stanzas)

    def per_site(name: str) -> Floats:
        values = np.empty(len(keys))
        for stanza, rows in zip(stanzas, at_site, strict=True):
            own = stanza.project
            inherits = name in PLACE and _is_absent(own, name)
            source: Validated[Any] = site if inherits else own
            values[rows] = sampled(findings, source, name, draws, keys[rows])
        return values

    sites = make_sites(names.projects, keys, stanzas, at_site, site.settings, per_site)
    own_site = np.arange(len(keys), dtype=np.intp)
    homes = _Whole(names.projects, keys, own_site, sites, draws, start_ms, tick_ms, findings)
    loads = [
        LoadSpec(name, parts[0][0].type, homes.members(parts)[0])
        for (name, _), parts in _grouped(
            (stanza.load, rows, "") for stanza, rows in zip(stanzas, at_site, strict=True)
        ).items()
    ]
    baselines = _baselines(homes, [stanza.baseline for stanza in stanzas], at_site)
    devices = _Whole(
        names.ders, identities(names.ders), project_of, sites, draws, start_ms, tick_ms, findings
    )
    ders = [der for stanza in stanzas for der in stanza.ders]
    nameplate = np.empty(len(project_of))
    fleets = []
    for (name, stage), parts in _grouped(
        (der.plugged, rows, der.stage) for der, rows in zip(ders, at_der, strict=True)
    ).items():
        members, rows = devices.members(parts)
        nameplate[rows] = members.columns["nameplate_capacity"]
        fleets.append(FleetSpec(name, parts[0][0].type, stage, members, rows))
    types = [der.settings.reported_type or der.plugged.type.reported_type for der in ders]
    every = np.empty(len(project_of), np.int64)
    for der, rows in zip(ders, at_der, strict=True):
        every[rows] = der.every_ticks
    on_change: dict[str, Floats] = {}
    for der, rows in zip(ders, at_der, strict=True):
        for column, deadband in (der.settings.report_on_change or {}).items():
            on_change.setdefault(column, np.full(len(project_of), np.nan))[rows] = deadband
    standalone = np.empty(len(keys), np.bool_)
    for stanza, rows in zip(stanzas, at_site, strict=True):
        standalone[rows] = stanza.project.settings.standalone
    columns = {key: unit for fleet in fleets for key, unit in fleet.type.columns.items()}
    named = [MEASURANDS[name] for name in measurands_among((*wanted, *on_change))]
    added = [one for one in named if one.name not in columns]
    measurands = tuple(one.name for one in added if not one.of_type)
    columns |= {one.name: one.unit for one in added}
    of_types = [one.name for one in named if one.of_type and one.unit == columns[one.name]]
    fleets = [_wanting(fleet, of_types) for fleet in fleets]
    roster = Roster(
        der_id=names.ders,
        project=project_of,
        type=repeated(types, at_der),
        nameplate_capacity=np.round(nameplate, 2),
        project_id=names.projects,
        is_standalone=standalone,
        columns=columns,
        sites=sites,
        attributes=attributes_of(
            findings,
            [(der.path, der.settings, rows) for der, rows in zip(ders, at_der, strict=True)],
            names,
            project_of,
        ),
    )
    return Scenario(
        draws=draws,
        start_ms=start_ms,
        tick_ms=tick_ms,
        on_error=on_error,
        roster=roster,
        sites=sites,
        contract_threshold=per_site("contract_threshold"),
        report_every_ticks=every,
        report_on_change=on_change,
        weather=weather,
        loads=loads,
        baselines=baselines,
        fleets=fleets,
        measurands=measurands,
    )


def _wanting(fleet: FleetSpec, names: Collection[str]) -> FleetSpec:
    """Return the fleet with those of the measurands `names` that its type reports."""
    wanted = frozenset(fleet.type.measurands).intersection(names)
    return replace(fleet, members=replace(fleet.members, wanted=wanted)) if wanted else fleet


def _baselines(
    homes: _Whole, choices: Sequence[BaselineChoice], at_site: Sequence[Rows]
) -> list[BaselineSpec]:
    """Return the baselines: one object for each plugin and load."""
    loads: dict[str, list[Part]] = {}
    for choice, rows in zip(choices, at_site, strict=True):
        if choice.load is not None:
            loads.setdefault(choice.load.name, []).append((choice.load, rows))
    specs = []
    for (name, load), parts in _grouped(
        (choice.plugged, rows, choice.load.name if choice.load else "")
        for choice, rows in zip(choices, at_site, strict=True)
    ).items():
        of_load = None
        if load:
            of_load = LoadSpec(load, loads[load][0][0].type, homes.members(loads[load])[0])
        members, _ = homes.members(parts)
        specs.append(BaselineSpec(name, parts[0][0].type, members, of_load))
    return specs


def sampled(
    findings: Findings, source: Validated[Any] | Plugged, name: str, draws: Draws, keys: Keys
) -> Floats:
    """Return a setting for each of the keys, float64[n]; NaN where it is None."""
    info = type(source.settings).model_fields[name]
    value = getattr(source.settings, name)
    if name in source.spread:
        drawn = source.spread[name].sample(draws, f"setting.{name}", keys)
        values = Bounds.of(info).clip(drawn)
    elif value is None:
        return np.full(len(keys), np.nan)
    else:
        values = np.full(len(keys), value, np.float64)
    unit = next((meta.name for meta in info.metadata if isinstance(meta, Unit)), "")
    if not np.isfinite(values).all():
        fault = "overflows for some: give `max`, or other numbers"
    elif unit in _LIMITED and (np.abs(values) > _LIMIT).any():
        fault = f"must be within -{_LIMIT:,.0f} and {_LIMIT:,.0f} {unit}"
    else:
        return values
    findings.add((*source.path, name), f"{name!r} {fault}")
    return np.ones(len(keys))


def _places(stanzas: Sequence[ProjectStanza]) -> tuple[list[Rows], list[Rows], Rows]:
    """Return the projects of each stanza, the DERs of each DER stanza, and each DER's project."""
    at_site: list[Rows] = []
    at_der: list[Rows] = []
    project_of: list[Rows] = []
    sites = devices = 0
    for stanza in stanzas:
        count = stanza.project.settings.count
        rows = np.arange(sites, sites + count, dtype=np.intp)
        each = [der.settings.count for der in stanza.ders]
        block = devices + np.arange(count, dtype=np.intp)[:, None] * sum(each)
        for offset, number in zip(np.cumsum([0, *each]).tolist(), each, strict=False):
            at_der.append((block + np.arange(offset, offset + number)).ravel())
        at_site.append(rows)
        project_of.append(np.repeat(rows, sum(each)))
        sites += count
        devices += count * sum(each)
    return at_site, at_der, np.concatenate(project_of)


def _grouped(parts: Iterable[tuple[Plugged, Rows, Any]]) -> dict[tuple[str, Any], list[Part]]:
    """Group the parts by plugin and by a further key."""
    groups: dict[tuple[str, Any], list[Part]] = {}
    for plugged, rows, key in parts:
        groups.setdefault((plugged.name, key), []).append((plugged, rows))
    return groups


def _is_absent(table: Validated[Any], name: str) -> bool:
    return name not in table.spread and getattr(table.settings, name) is None
