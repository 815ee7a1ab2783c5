"""`[[faults]]`: the injected faults, checked and bound to their devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from gridsim.api import (
    FIELDS,
    DeviceFault,
    Keys,
    Members,
    MessageFault,
    RecordSettings,
    Roster,
    Unit,
    choose_fields,
    identity,
    numeric_fields,
)
from gridsim.config.expand import sampled
from gridsim.config.settings.distributions import Distribution
from gridsim.config.settings.validation import Findings, Validated, validate
from gridsim.config.tables.identifiers import check_visible
from gridsim.config.tables.occurring import NOW, Occurring, check_times, matching, schedule_of
from gridsim.config.tables.plugged import Plugged, choose
from gridsim.config.tables.transports import TransportChoice
from gridsim.config.text.document import Document
from gridsim.config.text.locate import KeyPath
from gridsim.errors import described, is_interrupt, printable
from gridsim.helpers.randomness import mixed
from gridsim.plugins.registry import Registry
from gridsim.simulation.faults.book import MOST
from gridsim.simulation.scenario import FaultSpec, Scenario
from gridsim.simulation.schedule import Schedule

_YEARS_S = 100 * 366 * 86_400
_SHAPE = 'write [[faults]], then type = "offline" under it'
_EVERY = ["*"]
_METERS = "meter_class"
"""The fault of `[site] meter_class`, and its setting."""
SPREAD = ("duration_s",)

Formats = Sequence[tuple[str, Sequence[str]]]
"""Each transport's format, and the names of the fields that it writes as JSON."""


class FaultSettings(Occurring):
    """The settings of `[[faults]]` besides those of its type."""

    id: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="name in the ledger; without it, the name of its type",
    )
    ders: list[str] = Field(
        _EVERY,
        min_length=1,
        description="ids of affected DERs, with the wildcards *, ? and [...]",
    )
    projects: list[str] = Field(
        _EVERY,
        min_length=1,
        description="ids of their projects, with the same wildcards",
    )
    per_day: Annotated[float | None, Unit("1/d")] = Field(
        None,
        gt=0,
        le=10_000,
        description="mean number of starts per day on each device, at random times (Poisson)",
    )
    duration_s: Annotated[float | None, Unit("s")] = Field(
        None,
        gt=0,
        le=_YEARS_S,
        description="duration, at least a tick; needs a start or a rate, without which the fault "
        "is always active",
    )
    probability: float = Field(
        1.0, gt=0, le=1, description="part of the readings that it affects while it is active"
    )
    of: Literal["der", "project"] = Field(
        "der",
        description="der: drawn for each DER separately; project: drawn once for all DERs of a "
        "project",
    )

    @field_validator("id")
    @classmethod
    def _visible(cls, value: str | None) -> str | None:
        if value is not None:
            check_visible(value)
        return value


@dataclass(frozen=True, slots=True)
class FaultStanza:
    """A checked table of `[[faults]]`, not yet bound to devices."""

    findings: Findings
    """The findings of its file."""
    core: Validated[FaultSettings]
    plugged: Plugged

    @property
    def id(self) -> str:
        return self.core.settings.id or self.plugged.name


def read_faults(sheets: Sequence[Findings], registry: Registry) -> list[FaultStanza]:
    """Return the faults of all files; valid only if there are no findings."""
    stanzas: list[FaultStanza] = []
    seen: dict[str, tuple[Document, KeyPath]] = {}
    total = 0
    for findings in sheets:
        given = findings.document.data.get("faults", [])
        for index, table in findings.tables(given, ("faults",), _SHAPE):
            path: KeyPath = ("faults", index)
            total += 1
            if total > MOST:
                findings.add(path, f"there are more than {MOST} faults")
            stanza = read_fault(findings, registry, table, path)
            if stanza is None:
                continue
            if stanza.id in seen:
                document, other = seen[stanza.id]
                findings.add(
                    (*path, "id"),
                    f"the fault id {stanza.id!r} is already taken "
                    f"{document.where(other)} of {document.path}: give it another 'id'",
                )
            seen.setdefault(stanza.id, (findings.document, path))
            stanzas.append(stanza)
    return stanzas


def metered(
    findings: Findings, registry: Registry, meter_class: str | None, faults: Sequence[FaultStanza]
) -> list[FaultStanza]:
    """Return the faults, after the fault of the `[site]` meters, because the others change its
    values. A configured fault of the same id, for some of the meters, replaces it.
    """
    if meter_class is None or any(one.id == _METERS for one in faults):
        return [*faults]
    table = {"type": _METERS, _METERS: meter_class}
    stanza = read_fault(findings, registry, table, ("site", _METERS))
    return [*faults] if stanza is None else [stanza, *faults]


def read_fault(
    findings: Findings,
    registry: Registry,
    table: Mapping[str, Any],
    path: KeyPath,
    *,
    injected: bool = False,
) -> FaultStanza | None:
    """Return one fault, None if there is a finding. An injected fault needs no start."""
    own = {key: table[key] for key in table.keys() & FaultSettings.model_fields.keys()}
    rest = {key: value for key, value in table.items() if key not in own}
    core = validate(findings, FaultSettings, own, path, owner="a fault", spread=SPREAD)
    plugged = choose(findings, registry, "fault", rest, path, also=FaultSettings.model_fields)
    if core is None or plugged is None:
        return None
    settings = core.settings
    begins = check_times(findings, settings, path, also=("per_day",))
    if begins and settings.duration_s is None:
        findings.add((*path, "duration_s"), f"'duration_s' is missing: {begins[0]!r} needs it")
    elif settings.duration_s is not None and not (begins or injected):
        findings.add(
            (*path, "duration_s"),
            "'duration_s' needs a start: give 'after_s', 'start', 'cron' or 'per_day'",
        )
    return FaultStanza(findings, core, plugged)


def bind_faults(
    stanzas: Sequence[FaultStanza],
    scenario: Scenario,
    transports: Sequence[TransportChoice],
    timezone: str,
) -> Scenario:
    """Return the scenario with its faults; `timezone` is the default of cron expressions."""
    keys = _device_keys(scenario)
    formats = formats_of(transports, scenario.roster)
    specs = [bound_fault(stanza, scenario, formats, timezone, keys=keys) for stanza in stanzas]
    return replace(scenario, faults=tuple(specs))


def bound_fault(
    stanza: FaultStanza,
    scenario: Scenario,
    formats: Formats,
    timezone: str,
    *,
    keys: Keys | None = None,
    injected_ms: int | None = None,
) -> FaultSpec:
    """Return the fault with its devices; valid only if there are no findings.

    `injected_ms`, UTC, is the time of an injection: a fault without a start begins then. `keys` are
    those of the devices.
    """
    der_keys = _device_keys(scenario) if keys is None else keys
    begin_ms = scenario.start_ms if injected_ms is None else injected_ms
    findings, core, plugged = stanza.findings, stanza.core, stanza.plugged
    settings = core.settings
    device = _devices(findings, settings, scenario.roster, core.path)
    site = scenario.roster.project[device]
    ids = [scenario.roster.der_id[row] for row in device.tolist()]
    # The random draws depend on these.
    keys = scenario.sites.keys[site] if settings.of == "project" else der_keys[device]
    keys = mixed(keys, identity(stanza.id))
    draws = scenario.draws
    columns = {
        name: sampled(findings, plugged, name, draws, keys)
        for name in numeric_fields(plugged.type.Settings)
    }
    members = Members(
        ids=ids,
        keys=keys,
        columns=columns,
        settings=[plugged.settings],
        stanza=np.zeros(len(device), np.intp),
        site=site,
        sites=scenario.sites,
        draws=draws,
        start_ms=scenario.start_ms,
        tick_ms=scenario.tick_ms,
    )
    what = {} if injected_ms is None else {"what": NOW}
    schedule = schedule_of(
        findings, settings, core.path, begin_ms=begin_ms, timezone=timezone, **what
    )
    lasts = settings.duration_s
    if injected_ms is not None and lasts is not None and not (schedule or settings.per_day):
        schedule = Schedule(at_ms=injected_ms)
    if issubclass(plugged.type, MessageFault) and not len(findings):
        _check(stanza, formats)
    if formats and issubclass(plugged.type, DeviceFault) and plugged.type.only_measurands:
        _check_measurands(stanza, scenario)
    constant = None if lasts is None else Distribution("choice", (lasts,), (1.0,))
    return FaultSpec(
        id=stanza.id,
        name=plugged.name,
        type=plugged.type,
        members=members,
        device=device,
        schedule=schedule,
        per_day=settings.per_day or 0.0,
        duration_s=core.spread.get("duration_s", constant),
        probability=settings.probability,
        of_project=settings.of == "project",
    )


def _devices(
    findings: Findings, settings: FaultSettings, roster: Roster, path: KeyPath
) -> NDArray[np.intp]:
    before = len(findings)
    chosen = np.ones(len(roster), np.bool_)
    if settings.ders != _EVERY:
        rows = matching(findings, settings.ders, roster.der_id, (*path, "ders"), "DER")
        chosen = np.isin(np.arange(len(roster)), rows)
    if settings.projects != _EVERY:
        at = (*path, "projects")
        sites = matching(findings, settings.projects, roster.project_id, at, "project")
        chosen &= np.isin(roster.project, sites)
    if len(findings) == before and not chosen.any():
        findings.add((*path, "ders"), "none of these DERs is in one of these projects")
    return np.flatnonzero(chosen)


def formats_of(transports: Sequence[TransportChoice], roster: Roster) -> Formats:
    """Return the formats of a run, as message faults check them."""
    return [(one.format_name, _json_fields(one, roster)) for one in transports]


def _device_keys(scenario: Scenario) -> Keys:
    keys = np.empty(len(scenario.roster), np.uint64)
    for fleet in scenario.fleets:
        keys[fleet.device] = fleet.members.keys
    return keys


def _json_fields(transport: TransportChoice, roster: Roster) -> Sequence[str]:
    """Return the names of the fields that a transport's format writes as JSON, if it does."""
    if not transport.format_type.is_json:
        return ()
    settings = transport.format_settings
    if not isinstance(settings, RecordSettings):
        return FIELDS
    try:
        return [field.name for field in choose_fields(settings, roster)]
    except ValueError:
        # The transport's format reports the error, with the place of the transport.
        return FIELDS


def _check_measurands(stanza: FaultStanza, scenario: Scenario) -> None:
    """Add a finding for a fault whose measurands the run does not have."""
    names = stanza.plugged.type.measurands
    if not set(names) & set(scenario.roster.columns):
        stanza.findings.add(
            (*stanza.core.path, "type"),
            f"the fault {stanza.plugged.name!r} would change nothing: no output has any of "
            f"{', '.join(names)}; add one to 'extra_fields' of a format",
        )


def _check(stanza: FaultStanza, formats: Formats) -> None:
    """Add a finding for formats whose messages the fault cannot affect."""
    path = (*stanza.core.path, "type")
    fault: type[MessageFault] = stanza.plugged.type
    try:
        for name, json_fields in formats:
            fault.check(stanza.plugged.settings, name, json_fields)
    except ValueError as error:
        stanza.findings.add(path, f"the fault {stanza.plugged.name!r} {printable(error)}")
    except BaseException as error:
        if is_interrupt(error):
            raise
        reason = described(error)
        stanza.findings.add(path, f"the fault {stanza.plugged.name!r} failed: {reason}")
