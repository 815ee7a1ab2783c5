"""`[[views]]`: the views of the run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
    """A checked table of `[[views]]`."""

    name: str
    """The type; the second of a type has `#2` added, the third `#3`."""
    type: type[View[Any]]
    settings: Any
    key_path: KeyPath


def with_view(document: Document, type: str, settings: Mapping[str, Any]) -> Document:
    """Return the document with a view of a type, and settings of a flag with its name."""
    given = document.data.get("views", [])
    if not isinstance(given, list) or not all(isinstance(table, dict) for table in given):
        return document
    types = [table.get("type") for table in given]
    place = types.index(type) if type in types else len(given)
    table = {**(given[place] if place < len(given) else {"type": type}), **settings}
    tables = [*given[:place], table, *given[place + 1 :]]
    document = document.with_array("views", tables, range(len(given)))
    if place == len(given):
        document = document.with_origin(("views", place), f"the view {type}")
    for key in settings:
        document = document.with_origin(("views", place, key), f"--{type}")
    return document


def without_views(document: Document, types: Collection[str]) -> Document:
    """Return the document without the views of some types."""
    given = document.data.get("views", [])
    if not types or not isinstance(given, list):
        return document
    kept = [
        place
        for place, table in enumerate(given)
        if not isinstance(table, dict) or table.get("type") not in types
    ]
    return document.with_array("views", [given[place] for place in kept], kept)


def read_views(
    findings: Findings, registry: Registry, data: Mapping[str, Any]
) -> tuple[ViewChoice, ...]:
    """Return all valid views."""
    return tuple(
        ViewChoice(name, plugged.type, plugged.settings, plugged.path)
        for name, plugged in numbered(findings, registry, "view", data, _SHAPE)
    )
