"""`[[faults]]`: the injected faults, checked but not yet bound to devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from gridsim.api import Unit
from gridsim.config.settings.validation import Findings, Validated, validate
from gridsim.config.tables.identifiers import check_visible
from gridsim.config.tables.occurring import Occurring, check_times
from gridsim.config.tables.plugged import Plugged, choose
from gridsim.config.text.document import Document
from gridsim.config.text.locate import KeyPath
from gridsim.plugins.registry import Registry
from gridsim.simulation.faults.running import MOST

_YEARS_S = 100 * 366 * 86_400
_SHAPE = 'write [[faults]], then type = "offline" under it'
EVERY = ["*"]
_METERS = "meter_class"
"""The fault of `[site] meter_class`, and its setting."""
SPREAD = ("duration_s",)


class FaultSettings(Occurring):
    """The settings of `[[faults]]` besides those of its type."""

    id: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="name in the ledger; without it, the name of its type",
    )
    ders: list[str] = Field(
        EVERY,
        min_length=1,
        description="ids of affected DERs, with the wildcards *, ? and [...]",
    )
    projects: list[str] = Field(
        EVERY,
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
