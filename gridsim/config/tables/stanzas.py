"""`[[projects]]`: its stanzas, checked and named, but not yet expanded to columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from gridsim.api import Stage
from gridsim.config.settings.validation import Findings, Validated, validate
from gridsim.config.tables.attributes import check_attribute
from gridsim.config.tables.baselines import BaselineChoice, read_baseline
from gridsim.config.tables.identifiers import Maker, template
from gridsim.config.tables.naming import DerIds, Names, ProjectIds, name_all
from gridsim.config.tables.plugged import Plugged, choose
from gridsim.config.tables.projects import DerTableSettings, ProjectSettings
from gridsim.config.text.locate import KeyPath
from gridsim.contracts.batch import ATTRIBUTES
from gridsim.contracts.measurands import MEASURANDS
from gridsim.errors import described, is_interrupt, place_of
from gridsim.plugins.registry import Registry
from gridsim.simulation.on_change import CHANGING

PLACE = ("latitude", "longitude", "altitude", "feeder_impedance", "main_fuse_a")
"""The keys of `[site]` that a project inherits, and that may be distributions."""
SPREAD = ("contract_threshold", *PLACE)
_OF_PLUGINS = ("load", "baseline", "ders")
"""The keys of a project whose tables name plugins."""
_PROJECTS = "write [[projects]]"
_DERS = "write [[projects.ders]] under the project"


@dataclass(frozen=True, slots=True)
class DerStanza:
    path: KeyPath
    settings: DerTableSettings
    plugged: Plugged
    stage: Stage
    every_ticks: int


@dataclass(frozen=True, slots=True)
class ProjectStanza:
    project: Validated[ProjectSettings]
    load: Plugged
    baseline: BaselineChoice
    ders: Sequence[DerStanza]


@dataclass(frozen=True, slots=True)
class Projects:
    stanzas: Sequence[ProjectStanza]
    names: Names


def read_projects(
    findings: Findings, registry: Registry, data: Mapping[str, Any], tick_ms: int | None
) -> Projects:
    """Return all stanzas of projects; valid only if there are no findings."""
    if not data.get("projects", []):
        findings.add(("projects",), f"there is no project: {_PROJECTS}, and [[projects.ders]]")
    stanzas = []
    ids = []
    units: dict[str, tuple[str, str]] = {}
    for index, table in findings.tables(data.get("projects", []), ("projects",), _PROJECTS):
        reader = _Reader(findings, registry, tick_ms, units, ("projects", index))
        stanza = reader.read(table)
        if stanza is not None:
            stanzas.append(stanza)
        if reader.ids is not None:
            ids.append(reader.ids)
    return Projects(stanzas, name_all(findings, ids))


class _Reader:
    """The reader of one stanza. Its ids are checked even if the rest is invalid."""

    def __init__(
        self,
        findings: Findings,
        registry: Registry,
        tick_ms: int | None,
        units: dict[str, tuple[str, str]],
        path: KeyPath,
    ) -> None:
        self.findings = findings
        self.registry = registry
        self.tick_ms = tick_ms
        self.path = path
        self.units = units
        self.ids: ProjectIds | None = None

    def read(self, table: dict[str, Any]) -> ProjectStanza | None:
        findings, path = self.findings, self.path
        own = {key: value for key, value in table.items() if key not in _OF_PLUGINS}
        project = validate(
            findings,
            ProjectSettings,
            own,
            path,
            owner="a project",
            also=_OF_PLUGINS,
            spread=SPREAD,
        )
        if project is not None:
            self._check_contract(project)
        at = (*path, "load")
        load_table = findings.table(table.get("load", {}), at, 'such as { type = "household" }')
        load = None
        if load_table is not None:
            load = choose(findings, self.registry, "load", load_table, at)
        baseline = read_baseline(findings, self.registry, table, path)
        if not table.get("ders", []):
            findings.add((*path, "ders"), f"the project has no DER: {_DERS}")
        ders = []
        der_ids = []
        for index, entry in findings.tables(table.get("ders", []), (*path, "ders"), _DERS):
            stanza, ids = self._der(entry, (*path, "ders", index))
            ders.append(stanza)
            der_ids.append(ids)
        if project is None:
            return None
        make = self._template(project.settings.id, path, of_project=True)
        if make is not None:
            counted = [ids for ids in der_ids if ids is not None]
            self.ids = ProjectIds(path, project.settings, make, counted)
        if load is None or baseline is None:
            return None
        able = [stanza for stanza in ders if stanza is not None]
        return ProjectStanza(project, load, baseline, able)

    def _der(self, table: dict[str, Any], path: KeyPath) -> tuple[DerStanza | None, DerIds | None]:
        core = {key: value for key, value in table.items() if key in DerTableSettings.model_fields}
        entry = self.registry.find("der", str(table.get("type")))
        if entry is not None:
            # The type may declare settings with these names.
            for name in core.keys() & set(ATTRIBUTES) & entry.type.Settings.model_fields.keys():
                del core[name]
        rest = {key: table[key] for key in table if key == "type" or key not in core}
        plugged = choose(
            self.findings,
            self.registry,
            "der",
            rest,
            path,
            also=DerTableSettings.model_fields,
        )
        if plugged is not None:
            self._check_units(plugged, path)
            self._check_changes(core.get("report_on_change"), plugged, path)
        found = validate(self.findings, DerTableSettings, core, path, owner="a DER")
        if found is None:
            return None, None
        settings = found.settings
        self._check_attributes(settings, path)
        make = self._template(settings.id, path, of_project=False)
        ids = DerIds(path, settings, make) if make is not None else None
        every = self._every_ticks(settings, path)
        stage = self._stage(plugged, path) if plugged is not None else None
        if plugged is None or stage is None or every is None:
            return None, ids
        return DerStanza(path, settings, plugged, stage, every), ids

    def _check_contract(self, project: Validated[ProjectSettings]) -> None:
        promised = project.settings.contract_threshold or "contract_threshold" in project.spread
        if project.settings.standalone and promised:
            self.findings.add(
                (*self.path, "contract_threshold"),
                "a standalone project has no contract: leave 'contract_threshold' out",
            )

    def _check_attributes(self, settings: DerTableSettings, path: KeyPath) -> None:
        for name in ATTRIBUTES:
            text = getattr(settings, name)
            try:
                if text is not None:
                    check_attribute(text)
            except ValueError as error:
                self.findings.add((*path, name), f"{name!r} {error}")

    def _check_units(self, plugged: Plugged, path: KeyPath) -> None:
        """Check that all types report a column in the same unit."""
        for column, unit in plugged.type.columns.items():
            known, owner = self.units.setdefault(column, (unit, plugged.name))
            if known != unit:
                self.findings.add(
                    (*path, "type"),
                    f"the DER types {owner} and {plugged.name} report {column!r} in different "
                    f"units, {known} and {unit}, so they cannot be in one run",
                )

    def _check_changes(self, table: Any, plugged: Plugged, path: KeyPath) -> None:
        """Check that the readings of the type have the columns whose changes are reported."""
        known = (*CHANGING, *plugged.type.columns, *MEASURANDS)
        for column in table if isinstance(table, dict) else ():
            if column == "is_online":
                self.findings.add(
                    (*path, "report_on_change", column),
                    "'is_online' has no smallest change: every change of it is reported",
                    at="key",
                )
            elif column not in known:
                what = f"a column of {plugged.name!r} that changes: {', '.join(known)}"
                self.findings.unknown((*path, "report_on_change", column), what, known)

    def _stage(self, plugged: Plugged, path: KeyPath) -> Stage | None:
        try:
            stage: Stage = plugged.type.stage(plugged.settings)
        except BaseException as error:
            if is_interrupt(error):
                raise
            fault = f"failed: {described(error)}"
        else:
            if stage in get_args(Stage):
                return stage
            fault = f"gave {stage!r}, which is neither 'free' nor 'flexible'"
            fault += place_of(plugged.type.stage)
        self.findings.add((*path, "type"), f"the DER type {plugged.name!r}: stage() {fault}")
        return None

    def _template(self, text: str, path: KeyPath, *, of_project: bool) -> Maker | None:
        try:
            return template(text, of_project=of_project)
        except ValueError as error:
            self.findings.add((*path, "id"), f"'id' {error}")
            return None

    def _every_ticks(self, settings: DerTableSettings, path: KeyPath) -> int | None:
        if settings.report_every_s is None:
            return 1 if settings.report_on_change is None else 0
        if self.tick_ms is None:
            return 1
        every = settings.report_every_s * 1000 / self.tick_ms
        if every < 0.5 or abs(every - round(every)) > 1e-6:
            tick_s = self.tick_ms / 1000
            self.findings.add(
                (*path, "report_every_s"),
                f"'report_every_s' must be a multiple of the tick, {tick_s:g} s",
            )
            return None
        return round(every)
