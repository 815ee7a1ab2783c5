"""The JSON Schema of `my-system.toml`, made from its settings and from those of transports."""

from __future__ import annotations

from typing import Final

from gridsim.check.days import shipped_days
from gridsim.check.settings import Promises, SystemSettings
from gridsim.config.schema import build, used_defs
from gridsim.config.setting_schema import Schema, model_schema, ref
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.registry import Registry
from gridsim.verify.fields import FIELDS, SEQ

_EXPORTS: Final = ("export_command", "export_topic", "settlement_command")


def build_system(registry: Registry) -> Schema:
    """Return the schema of the file that describes a user's system, JSON Schema draft 2020-12."""
    whole = build(registry)
    defs: Schema = dict(whole["$defs"])
    tables = {"system": _system(defs), "promises": _promises(defs)}
    return {
        **whole,
        "title": "gridsim check",
        "properties": tables,
        "required": ["system"],
        "$defs": used_defs(tables, defs),
    }


def _system(defs: Schema) -> Schema:
    table = model_schema("system", SystemSettings, (), defs)
    own = table["properties"]
    own["days"] |= {
        "uniqueItems": True,
        "items": {
            "type": "string",
            "anyOf": [
                {"enum": list(shipped_days())},
                {"pattern": r"\.toml$", "description": "your own configuration"},
                ref("placeholder"),
            ],
        },
    }
    own["fields"] = {
        **own["fields"],
        "properties": {name: {"type": "string"} for name in (*FIELDS, SEQ)},
        "additionalProperties": False,
    }
    own["broker"] = _broker(defs)
    return {
        **table,
        "anyOf": [_with_text(name) for name in _EXPORTS],
        "not": _with_text("export_command", "export_topic"),
        "if": _with_text("start_command"),
        "then": _with_text("reset_command"),
    }


def _with_text(*names: str) -> Schema:
    """Return the schema of a table in which none of these settings is missing or empty."""
    properties = {name: {"type": "string", "minLength": 1} for name in names}
    return {"properties": properties, "required": list(names)}


def _broker(defs: Schema) -> Schema:
    """Return the schema of `[system.broker]`: a transport, whose type has a default."""
    table: Schema = defs["transport"]
    default = KINDS["transport"].default
    known = defs.get(f"transport.{default}")
    if known is None:
        return table
    untyped = {**known, "required": [name for name in known["required"] if name != "type"]}
    rule = {"if": {"not": {"required": ["type"]}}, "then": untyped}
    return {
        **table,
        "description": "settings of the transport that replace those of each day",
        "required": [],
        "allOf": [*table["allOf"], rule],
    }


def _promises(defs: Schema) -> Schema:
    """Return the schema of `[promises]`: the promises of all days, and a table for each day."""
    table = model_schema("promises", Promises, (), defs)
    defs["promises"] = table
    days = {name: ref("promises") for name in shipped_days()}
    return {
        **table,
        "properties": {**table["properties"], **days},
        "additionalProperties": ref("promises"),
    }
