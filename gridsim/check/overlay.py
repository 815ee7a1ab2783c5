"""The configuration of a day for a user's system: with the system's broker, a ledger and no
views.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gridsim.check.system import SystemUnderTest
from gridsim.config.text.document import Document
from gridsim.contracts.secret_keys import counterpart, keys_of
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.registry import Registry

_ORIGIN: Final = "gridsim check"
_OWN: Final = ("topic", "client_id")
"""The settings that a source does not share with the transport of the same type."""


def overlaid(
    document: Document, system: SystemUnderTest, registry: Registry, ledger: Path
) -> Document:
    """Return the configuration of a day with the settings of a check.

    The readings go to the first transport alone, with the settings of `[system.broker]`.
    """
    document = document.without([("views",)] if "views" in document.data else [])
    document = replace(document, data={**document.data, "views": []})
    document = document.overlaid(("ledger", "path"), str(ledger), _ORIGIN)
    document = document.overlaid(("ledger", "overwrite"), True, _ORIGIN)
    if "counterfactual" not in document.data["ledger"]:
        document = document.overlaid(("ledger", "counterfactual"), False, _ORIGIN)
    if document.data.get("execution"):
        # A check advances the ticks by hand; the readings are the same.
        document = document.overlaid(("execution", "engine"), "local", _ORIGIN)
    if system.settings.speed is not None:
        document = document.overlaid(("simulation", "speed"), system.settings.speed, _ORIGIN)
    return _with_broker(document, system, registry)


def _with_broker(document: Document, system: SystemUnderTest, registry: Registry) -> Document:
    broker = system.broker
    given = document.data.get("transports", [{}])
    if not isinstance(given, list) or not given or not isinstance(given[0], dict):
        return document
    kind = KINDS["transport"]
    table = {"type": kind.default, **given[0]}
    filled = dict(document.filled)
    if broker is not None:
        table = _merged(document, ("transports", 0), table, broker.table)
        filled |= {("transports", 0, key): key in broker.filled for key in broker.table}
    document = document.with_array("transports", [table], [0])
    if broker is not None:
        document = document.with_origin(("transports", 0), f"{system.path}: [system.broker]")
    sources = document.data.get("sources", [])
    if broker is not None and isinstance(sources, list):
        entry = registry.find("source", str(broker.table["type"]))
        known = set() if entry is None else {*keys_of(entry.type.Settings)} - {*_OWN}
        shared = {key: broker.table[key] for key in broker.table.keys() & {*known, "type"}}
        merged = []
        for index, source in enumerate(sources):
            own = isinstance(source, dict) and source.get("type") == broker.table["type"]
            at = ("sources", index)
            merged.append(_merged(document, at, source, shared) if own else source)
            filled |= {(*at, key): key in broker.filled for key in shared if own}
        document = replace(document, data={**document.data, "sources": merged})
    return replace(document, filled=filled)


def _merged(
    document: Document,
    path: tuple[str, int],
    table: Mapping[str, Any],
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a table of a day in which given settings replace the day's.

    Settings of the day that come from the environment belong to another broker: they are left out.
    So are a secret or its file if the other one is given.
    """
    kept = {
        key: value
        for key, value in table.items()
        if table.get("type") == given["type"]
        and (*path, key) not in document.filled
        and counterpart(key) not in given
    }
    return {**kept, **given}
