"""`[defaults.TYPE]`: settings that all transports, sources and views of a type share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gridsim.api import Settings
from gridsim.config.settings.validation import Findings
from gridsim.config.tables.transports import TransportTableSettings
from gridsim.config.text.document import Document
from gridsim.contracts.hints import nearest
from gridsim.contracts.secret_keys import counterpart, file_keys, keys_of
from gridsim.plugins.registry import Registry

TABLE = "defaults"
ARRAYS: Mapping[str, str] = {
    "transports": "transport",
    "sources": "source",
    "views": "view",
}
"""The arrays of tables that may have defaults, with the kind of their plugins."""
_SHAPE = "write [defaults.mqtt]"


def models_of(registry: Registry, name: str) -> dict[str, list[type[Settings]]]:
    """Return the settings models of the transport, source and view of that name, by kind."""
    models: dict[str, list[type[Settings]]] = {}
    for kind in ARRAYS.values():
        entry = registry.find(kind, name)
        if entry is not None:
            models[kind] = [entry.type.Settings]
            if kind == "transport":
                models[kind].append(TransportTableSettings)
    return models


def with_defaults(document: Document, registry: Registry) -> Document:
    """Return the document with the defaults in each transport, source and view that lacks them.

    A default goes to the tables whose type has the setting.
    """
    defaults = document.data.get(TABLE)
    if not isinstance(defaults, dict):
        return document
    for array, kind in ARRAYS.items():
        tables = document.data.get(array)
        for index, table in enumerate(tables if isinstance(tables, list) else []):
            name = table.get("type") if isinstance(table, dict) else None
            own = defaults.get(name) if isinstance(name, str) else None
            if not isinstance(own, dict):
                continue
            known = {
                key
                for model in models_of(registry, str(name)).get(kind, [])
                for key in keys_of(model)
            }
            # A secret of the table replaces the default for its file, and the reverse.
            given = table.keys() | {counterpart(key) for key in table if key in known}
            for key in own.keys() & known - given:
                document = document.with_copy((TABLE, str(name), key), (array, index, key))
    return document


def check_defaults(findings: Findings, registry: Registry) -> None:
    """Add a finding for each type and key of `[defaults]` that no transport, source or view has."""
    data = findings.document.data
    if TABLE not in data:
        return
    defaults = findings.table(data[TABLE], (TABLE,), _SHAPE)
    names = sorted({name for kind in ARRAYS.values() for name in registry.names(kind)})
    for name, own in (defaults or {}).items():
        models = models_of(registry, name)
        if not models:
            near = nearest(name, names)
            message = f"{name!r} is not a type of transport, source or view; there are: "
            message += ", ".join(names)
            findings.add((TABLE, name), message, suggestion=near, at="key")
            continue
        table = findings.table(own, (TABLE, name), _SHAPE)
        for key in table or {}:
            _check_key(findings, models, name, key)


def _check_key(
    findings: Findings, models: Mapping[str, list[type[Settings]]], name: str, key: str
) -> None:
    path = (TABLE, name, key)
    having = {kind: list(_defaults_of(own, key)) for kind, own in models.items()}
    if not any(having.values()):
        known = [field for own in models.values() for model in own for field in keys_of(model)]
        findings.unknown(path, f"a setting of the {name} {' or '.join(models)}", known)
    elif all(having.values()) and len({str(value) for own in having.values() for value in own}) > 1:
        findings.add(
            path,
            f"{key!r} differs between the {' and the '.join(models)} {name}: set it in "
            f"{' and '.join(f'[[{array}]]' for array, kind in ARRAYS.items() if kind in models)}",
            at="key",
        )


def _defaults_of(models: list[type[Settings]], key: str) -> Iterator[Any]:
    for model in models:
        if key in file_keys(model):
            yield ""
        elif (info := model.model_fields.get(key)) is not None:
            yield info.get_default(call_default_factory=True)
