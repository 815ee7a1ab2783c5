"""The ids of all projects and DERs, and the check that each is unique."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gridsim.config.settings.validation import Findings
from gridsim.config.tables.identifiers import MAX_BYTES, Maker, too_long
from gridsim.config.tables.projects import DerTableSettings, ProjectSettings
from gridsim.config.text.locate import KeyPath

_MAX_DEVICES = 10_000_000


@dataclass(frozen=True, slots=True)
class DerIds:
    path: KeyPath
    settings: DerTableSettings
    make: Maker

    @property
    def lacks(self) -> str:
        """The placeholder that would make the ids of this stanza unique."""
        is_counted = self.settings.count == 1 or "{n" in self.settings.id
        return "{project_id}" if is_counted else "{n}"


@dataclass(frozen=True, slots=True)
class ProjectIds:
    path: KeyPath
    settings: ProjectSettings
    make: Maker
    ders: Sequence[DerIds]
    lacks = "{n}"

    def projects(self) -> list[str]:
        return [self.make(n, "") for n in range(1, self.settings.count + 1)]

    def devices(self) -> Iterator[tuple[DerIds, str]]:
        """Yield the DERs in configuration order: those of the first project, then the second."""
        counts = [range(1, der.settings.count + 1) for der in self.ders]
        for project_id in self.projects():
            for der, numbers in zip(self.ders, counts, strict=True):
                for n in numbers:
                    yield der, der.make(n, project_id)


@dataclass(frozen=True, slots=True)
class Names:
    """The ids in configuration order."""

    projects: Sequence[str]
    ders: Sequence[str]


def name_all(findings: Findings, stanzas: Sequence[ProjectIds]) -> Names:
    """Name every project and DER; add a finding for each invalid id."""
    total = 0
    for stanza in stanzas:
        total += stanza.settings.count * sum(der.settings.count for der in stanza.ders)
        if total > _MAX_DEVICES:
            findings.add((*stanza.path, "count"), f"this makes more than {_MAX_DEVICES:,} DERs")
            return Names((), ())
    projects = [name for stanza in stanzas for name in stanza.projects()]
    ders = [name for stanza in stanzas for _, name in stanza.devices()]
    if _is_faulty(projects):
        _find(findings, ((stanza, name) for stanza in stanzas for name in stanza.projects()))
    if _is_faulty(ders):
        _find(findings, (pair for stanza in stanzas for pair in stanza.devices()))
    return Names(projects, ders)


def _is_faulty(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names) or any(too_long(name) for name in names)


def _find(findings: Findings, named: Iterable[tuple[ProjectIds | DerIds, str]]) -> None:
    owners: dict[str, KeyPath] = {}
    faulty: set[KeyPath] = set()
    for stanza, name in named:
        at = (*stanza.path, "id")
        if at in faulty:
            continue
        if too_long(name):
            findings.add(at, f"the id {name[:20]!r}... is longer than {MAX_BYTES} bytes")
        elif name not in owners:
            owners[name] = at
            continue
        elif owners[name] == at:
            findings.add(at, f"the id {name!r} occurs more than once: put {stanza.lacks} into it")
        else:
            other = findings.document.where(owners[name])
            findings.add(at, f"the id {name!r} is already taken {other}: every id must be unique")
        faulty.add(at)
