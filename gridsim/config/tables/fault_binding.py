"""The faults of a configuration, bound to their devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    FIELDS,
    DeviceFault,
    Keys,
    Members,
    MessageFault,
    RecordSettings,
    Roster,
    choose_fields,
    identity,
    numeric_fields,
)
from gridsim.config.expand import sampled
from gridsim.config.settings.distributions import Distribution
from gridsim.config.settings.validation import Findings
from gridsim.config.tables.faults import EVERY, FaultSettings, FaultStanza
from gridsim.config.tables.occurring import NOW, matching, schedule_of
from gridsim.config.tables.transports import TransportChoice
from gridsim.config.text.locate import KeyPath
from gridsim.errors import described, is_interrupt, printable
from gridsim.helpers.randomness import mixed
from gridsim.simulation.scenario import FaultSpec, Scenario
from gridsim.simulation.schedule import Schedule

Formats = Sequence[tuple[str, Sequence[str]]]
"""Each transport's format, and the names of the fields that it writes as JSON."""
_COLUMNS = ""
"""The name of the format of a transport that writes columns."""


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
    device = _devices(findings, settings, scenario, core.path)
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
    if issubclass(plugged.type, DeviceFault):
        _check_stop(stanza, scenario, device)
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
    findings: Findings, settings: FaultSettings, scenario: Scenario, path: KeyPath
) -> NDArray[np.intp]:
    before, roster, is_part = len(findings), scenario.roster, scenario.is_part
    chosen = np.ones(len(roster), np.bool_)
    if settings.ders != EVERY:
        at = (*path, "ders")
        rows = matching(findings, settings.ders, roster.der_id, at, "DER", is_part=is_part)
        chosen = np.isin(np.arange(len(roster)), rows)
    if settings.projects != EVERY:
        at = (*path, "projects")
        ids = roster.project_id
        sites = matching(findings, settings.projects, ids, at, "project", is_part=is_part)
        chosen &= np.isin(roster.project, sites)
    if len(findings) == before and not chosen.any():
        findings.add((*path, "ders"), "none of these DERs is in one of these projects")
    return np.flatnonzero(chosen)


def formats_of(transports: Sequence[TransportChoice], roster: Roster) -> Formats:
    """Return the formats of a run, as message faults check them; a transport that writes columns
    has none.
    """
    return [
        (_COLUMNS, ()) if one.type.writes_columns else (one.format_name, _json_fields(one, roster))
        for one in transports
    ]


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


def _check_stop(stanza: FaultStanza, scenario: Scenario, device: NDArray[np.intp]) -> None:
    """Add a finding if a fault stops devices whose type does not follow orders."""
    path, plugged = (*stanza.core.path, "type"), stanza.plugged
    try:
        stops = plugged.type.stops(plugged.settings)
    except BaseException as error:
        if is_interrupt(error):
            raise
        stanza.findings.add(path, f"the fault {plugged.name!r}: stops() failed: {described(error)}")
        return
    for fleet in scenario.fleets if stops else ():
        if not fleet.type.obeys() and np.isin(fleet.device, device).any():
            stanza.findings.add(
                path,
                f"the fault {plugged.name!r} cannot stop devices of the type {fleet.name!r}, which "
                "follow no orders: set other 'ders', or stops = false",
            )


def _check(stanza: FaultStanza, formats: Formats) -> None:
    """Add a finding for formats whose messages the fault cannot affect."""
    path = (*stanza.core.path, "type")
    fault: type[MessageFault] = stanza.plugged.type
    try:
        for name, json_fields in formats:
            if name != _COLUMNS:
                fault.check(stanza.plugged.settings, name, json_fields)
            elif fault.alter.__func__ is not MessageFault.alter.__func__:  # type: ignore[attr-defined]
                raise ValueError("alters the text of messages, and a transport writes columns")
    except ValueError as error:
        stanza.findings.add(path, f"the fault {stanza.plugged.name!r} {printable(error)}")
    except BaseException as error:
        if is_interrupt(error):
            raise
        reason = described(error)
        stanza.findings.add(path, f"the fault {stanza.plugged.name!r} failed: {reason}")
