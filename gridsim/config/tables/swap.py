"""The replacement of a transport by one of another type, for `--transport` and `--set`."""

from __future__ import annotations

from typing import Any

import tomli
from loguru import logger

from gridsim.config.tables.transports import TransportTableSettings
from gridsim.config.text.document import Document
from gridsim.config.text.locate import KeyPath
from gridsim.plugins.registry import Registry

_FLAG = "--transport"
_SHARED = (*TransportTableSettings.model_fields, "format", "type")


def swap_transports(document: Document, registry: Registry, only: str | None) -> Document:
    """Return the document with the transports that the flags ask for.

    With `only`, the run has one transport: the first of that type, or else the first of all,
    changed to that type. A transport whose type is changed, by `only` or by
    `--set transports.0.type=...`, keeps the settings of every transport and those given by flags;
    its other settings belong to the old type and are left out.
    """
    given = document.data.get("transports", [])
    if not isinstance(given, list) or not all(isinstance(table, dict) for table in given):
        return document
    if only is not None:
        types = [table.get("type") for table in given]
        place = types.index(only) if only in types else 0
        table = given[place] if given else {}
        if table.get("type") != only:
            table = {**table, "type": only}
            document = document.with_origin(("transports", place, "type"), f"{_FLAG} {only}")
        document = document.with_array("transports", [table], [place])
    for index, table in enumerate(document.data.get("transports", [])):
        by_flag = ("transports", index, "type") in document.origins
        if by_flag and table.get("type") != _type_in_text(document, index):
            document = _without_old_keys(document, registry, index, table)
    return document


def _type_in_text(document: Document, index: int) -> Any:
    """Return the type that a transport has in the file; None if the file does not have it."""
    _, place = document.moved.get(("transports", index), ("transports", index))
    try:
        tables = tomli.loads(document.text) if document.given is None else document.given
        return tables["transports"][place].get("type")
    except (KeyError, IndexError, TypeError, AttributeError):
        return None


def _without_old_keys(
    document: Document, registry: Registry, index: int, table: dict[str, Any]
) -> Document:
    entry = registry.find("transport", str(table.get("type")))
    if entry is None:
        return document
    path: KeyPath = ("transports", index)
    kept = {
        key: value
        for key, value in table.items()
        if key in _SHARED or (*path, key) in document.origins
    }
    if kept.get("framing") not in (None, *entry.type.framings):
        del kept["framing"]
    if entry.type.writes_columns:
        kept.pop("format", None)
    if dropped := sorted(table.keys() - kept.keys()):
        logger.info(
            "transports.{} is of the type {} now: left out {}",
            index,
            entry.name,
            ", ".join(dropped),
        )
    return document.without([(*path, key) for key in dropped])
