"""`[[sources]]`: the sources of commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gridsim.api import Source
from gridsim.config.settings.validation import Findings
from gridsim.config.tables.plugged import choose
from gridsim.config.text.locate import KeyPath
from gridsim.plugins.registry import Registry

_SHAPE = 'write [[sources]], then type = "mqtt" under it'


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """One of `[[sources]]`."""

    name: str
    """The type; the second of a type has `#2` added, the third `#3`."""
    type: type[Source]
    settings: Any
    key_path: KeyPath


def read_sources(
    findings: Findings, registry: Registry, data: Mapping[str, Any]
) -> tuple[SourceChoice, ...]:
    """Return all valid sources."""
    seen: Counter[str] = Counter()
    choices = []
    for index, table in findings.tables(data.get("sources", []), ("sources",), _SHAPE):
        path = ("sources", index)
        plugged = choose(findings, registry, "source", table, path)
        if plugged is None:
            continue
        seen[plugged.name] += 1
        number = seen[plugged.name]
        name = plugged.name if number == 1 else f"{plugged.name}#{number}"
        choices.append(SourceChoice(name, plugged.type, plugged.settings, path))
    return tuple(choices)
