"""Called events and injected faults, checked like the tables of the configuration."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gridsim.api import CallEvent, InjectFault, Refused, Roster, Target
from gridsim.config.settings.validation import Findings
from gridsim.config.tables.events import bound_event, read_event
from gridsim.config.tables.fault_binding import Formats, bound_fault, formats_of
from gridsim.config.tables.faults import read_fault
from gridsim.config.tables.transports import TransportChoice
from gridsim.config.text.document import Document
from gridsim.contracts.instructions import FLEET
from gridsim.plugins.registry import Registry
from gridsim.simulation.scenario import EventSpec, FaultSpec, Scenario


@dataclass(frozen=True, slots=True)
class InstructionBinder:
    """The binder of a configuration: it knows the types of faults and the formats."""

    faults: Registry
    formats: Formats
    timezone: str
    """The default of cron expressions."""

    @classmethod
    def of(
        cls,
        registry: Registry,
        transports: tuple[TransportChoice, ...],
        roster: Roster,
        timezone: str,
    ) -> InstructionBinder:
        """Return the binder of a run with these plugins and transports."""
        faults = Registry(broken=list(registry.broken))
        for entry in registry:
            if entry.kind == "fault":
                faults.add(entry)
        return cls(faults, formats_of(transports, roster), timezone)

    def event(self, call: CallEvent, scenario: Scenario, time_ms: int) -> EventSpec:
        """Return a called event with its projects. Raises Refused."""
        if call.target.der_id is not None:
            raise Refused("an event is for projects: call it for a project or for the fleet")
        table = {**_aimed(call.settings, call.target), "id": call.event}
        findings = _findings(table)
        stanza = read_event(findings, table, (), called=True)
        spec = None
        if stanza is not None and not len(findings):
            spec = bound_event(stanza, scenario, self.timezone, called_ms=time_ms)
        _refuse(findings)
        assert spec is not None
        return spec

    def fault(self, inject: InjectFault, scenario: Scenario, time_ms: int) -> FaultSpec:
        """Return an injected fault with its devices. Raises Refused."""
        table = _aimed(inject.settings, inject.target)
        if inject.fault:
            table["id"] = inject.fault
        findings = _findings(table)
        stanza = read_fault(findings, self.faults, table, (), injected=True)
        spec = None
        if stanza is not None and not len(findings):
            spec = bound_fault(stanza, scenario, self.formats, self.timezone, injected_ms=time_ms)
        _refuse(findings)
        assert spec is not None
        return spec


def _aimed(settings: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """Return the settings with the target's project and DER. Raises Refused if the settings name
    others.
    """
    if target == FLEET:
        return dict(settings)
    own = {"projects": [glob.escape(target.project_id)]}
    if target.der_id is not None:
        own["ders"] = [glob.escape(target.der_id)]
    for key in own:
        if key in settings:
            raise Refused(f"{key!r} is for instructions to the fleet: this one is for {target}")
    return {**settings, **own}


def _findings(table: dict[str, Any]) -> Findings:
    return Findings(Document(Path("an instruction"), "", table, is_message=True))


def _refuse(findings: Findings) -> None:
    """Raise Refused with everything that was found."""
    reasons = [
        found.message + (f"; did you mean {found.suggestion!r}?" if found.suggestion else "")
        for found in findings
    ]
    if reasons:
        raise Refused("; ".join(reasons))
