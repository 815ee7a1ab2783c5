"""`[[sources]]`: the sources of commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gridsim.api import Source
from gridsim.config.settings.validation import Findings
from gridsim.config.tables.plugged import numbered
from gridsim.config.text.locate import KeyPath
from gridsim.plugins.registry import Registry

_SHAPE = 'write [[sources]], then type = "mqtt" under it'


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """A checked table of `[[sources]]`."""

    name: str
    """The type; the second of a type has `#2` added, the third `#3`."""
    type: type[Source]
    settings: Any
    key_path: KeyPath


def read_sources(
    findings: Findings, registry: Registry, data: Mapping[str, Any]
) -> tuple[SourceChoice, ...]:
    """Return all valid sources."""
    return tuple(
        SourceChoice(name, plugged.type, plugged.settings, plugged.path)
        for name, plugged in numbered(findings, registry, "source", data, _SHAPE)
    )
