"""`[[views]]`: the views of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gridsim.api import View
from gridsim.config.settings.validation import Findings
from gridsim.config.tables.plugged import numbered
from gridsim.config.text.document import Document
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


def with_view(document: Document, type: str, origin: str) -> Document:
    """Return the document with a view of a type, unless it has one; `origin` is the flag."""
    given = document.data.get("views", [])
    if not isinstance(given, list) or not all(isinstance(table, dict) for table in given):
        return document
    if any(table.get("type") == type for table in given):
        return document
    document = document.with_array("views", [*given, {"type": type}], range(len(given)))
    return document.with_origin(("views", len(given)), origin)


def read_views(
    findings: Findings, registry: Registry, data: Mapping[str, Any]
) -> tuple[ViewChoice, ...]:
    """Return all valid views."""
    return tuple(
        ViewChoice(name, plugged.type, plugged.settings, plugged.path)
        for name, plugged in numbered(findings, registry, "view", data, _SHAPE)
    )
