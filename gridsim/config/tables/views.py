"""`[[views]]`: the views of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gridsim.api import View
from gridsim.config.settings.validation import Findings
from gridsim.config.tables.plugged import numbered
from gridsim.config.text.locate import KeyPath
from gridsim.plugins.registry import Registry

_SHAPE = 'write [[views]], then type = "web" under it'


@dataclass(frozen=True, slots=True)
class ViewChoice:
    """One of `[[views]]`."""

    name: str
    """The type; the second of a type has `#2` added, the third `#3`."""
    type: type[View[Any]]
    settings: Any
    key_path: KeyPath


def read_views(
    findings: Findings, registry: Registry, data: Mapping[str, Any]
) -> tuple[ViewChoice, ...]:
    """Return all valid views."""
    return tuple(
        ViewChoice(name, plugged.type, plugged.settings, plugged.path)
        for name, plugged in numbered(findings, registry, "view", data, _SHAPE)
    )
