"""The JSON Schema of the configuration, made from the settings of the plugins that are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from inspect import cleandoc
from typing import Any

from gridsim.api import Settings, numeric_fields
from gridsim.config.tables.baselines import LIKE_DAYS, LikeDaysSettings
from gridsim.config.tables.events import SPREAD as EVENT_SPREAD
from gridsim.config.tables.events import Event
from gridsim.config.tables.faults import SPREAD as FAULT_SPREAD
from gridsim.config.tables.faults import FaultSettings
from gridsim.config.tables.ledger import LedgerSettings
from gridsim.config.tables.model import (
    DerTableSettings,
    ProjectSettings,
    SimulationSettings,
    SiteSettings,
    TransportTableSettings,
)
from gridsim.config.tables.stanzas import PLACE, SPREAD
from gridsim.plugins.registry import Kind, RegisteredPlugin, Registry

Schema = dict[str, Any]

_CORE: Mapping[Kind, type[Settings]] = {
    "der": DerTableSettings,
    "transport": TransportTableSettings,
    "fault": FaultSettings,
}
_CORE_SPREAD: Mapping[Kind, Collection[str]] = {"fault": FAULT_SPREAD}
_DEFAULTS: Mapping[Kind, str] = {"weather": "synthetic", "load": "household"}
_PLACEHOLDER = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"
_ONLY_PLACEHOLDERS = rf"^({_PLACEHOLDER})*$"
# What says something about a setting, as against what its value may be.
_NOTES = ("description", "default", "x-unit", "examples", "deprecated")


def build(registry: Registry) -> Schema:
    """The schema of a whole TOML file, JSON Schema draft 2020-12."""
    defs: Schema = {
        "placeholder": {"type": "string", "pattern": _PLACEHOLDER},
        "distribution": _distribution(),
    }
    for entry in registry:
        defs[f"{entry.kind}.{entry.name}"] = _plugin(entry, defs)
    for kind in ("der", "transport", "weather", "load", "format", "source", "fault"):
        defs[kind] = _one_of(registry, kind)
    formats = {"anyOf": [{"enum": registry.names("format")}, defs["format"]]}
    defs["format"] = {**formats, "description": "how readings are written", "default": "json"}
    project = _model("project", ProjectSettings, SPREAD, defs)
    project["properties"]["load"] = _ref("load")
    project["properties"]["baseline"]["anyOf"] += _baselines(defs)
    project["properties"]["ders"] = {"type": "array", "minItems": 1, "items": _ref("der")}
    project["required"].append("ders")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gridsim configuration",
        "type": "object",
        "additionalProperties": False,
        "required": ["projects", "transports"],
        "properties": {
            "simulation": _model("simulation", SimulationSettings, (), defs),
            "site": _model("site", SiteSettings, PLACE, defs),
            "weather": _ref("weather"),
            "projects": {"type": "array", "minItems": 1, "items": project},
            "transports": {"type": "array", "minItems": 1, "items": _ref("transport")},
            "sources": {"type": "array", "items": _ref("source")},
            "events": {"type": "array", "items": _model("event", Event, EVENT_SPREAD, defs)},
            "faults": {"type": "array", "items": _ref("fault")},
            "ledger": _model("ledger", LedgerSettings, (), defs),
        },
        "$defs": defs,
    }


def _plugin(entry: RegisteredPlugin, defs: Schema) -> Schema:
    """The tables whose `type` is this plugin's name."""
    settings = entry.type.Settings
    spread = numeric_fields(settings) if entry.kind in ("der", "load", "fault") else ()
    own = _model(f"{entry.kind}.{entry.name}", settings, spread, defs)
    core: Schema = {"properties": {}, "required": []}
    if entry.kind in _CORE:
        core = _model(entry.kind, _CORE[entry.kind], _CORE_SPREAD.get(entry.kind, ()), defs)
    if entry.kind == "transport":
        core["properties"]["format"] = _ref("format")
    named = {"type": {"const": entry.name}}
    required = set(core["required"]) | set(own["required"]) | {"type"}
    if _DEFAULTS.get(entry.kind) == entry.name:
        required.discard("type")
    return {
        **own,
        "description": cleandoc(entry.type.__doc__ or "").partition("\n\n")[0].replace("\n", " "),
        "properties": {**core["properties"], **named, **own["properties"]},
        "required": sorted(required),
    }


def _baselines(defs: Schema) -> list[Schema]:
    """The tables with a type that a project's baseline may be."""
    like_days = _model(LIKE_DAYS, LikeDaysSettings, (), defs)
    like_days["properties"] = {"type": {"const": LIKE_DAYS}, **like_days["properties"]}
    like_days["required"] = ["type"]
    defs["baseline.like_days"] = like_days
    return [_ref("baseline.like_days"), {"required": ["type"], **_ref("load")}]


def _one_of(registry: Registry, kind: Kind) -> Schema:
    names = registry.names(kind)
    if not names:
        return {"not": {}}
    return {
        "type": "object",
        "properties": {"type": {"enum": names}},
        "oneOf": [_ref(f"{kind}.{name}") for name in names],
    }


def _model(name: str, model: type[Settings], spread: Collection[str], defs: Schema) -> Schema:
    """The schema of a settings model; that of the models in it goes to `defs`."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    for inner, definition in schema.pop("$defs", {}).items():
        defs[f"{name}.{inner}"] = _table(definition, ())
    return _table(schema, spread)


def _table(schema: Schema, spread: Collection[str]) -> Schema:
    if "properties" not in schema:
        return schema
    properties = {
        name: _setting(setting, spread=name in spread)
        for name, setting in schema["properties"].items()
    }
    return {
        "type": "object",
        "additionalProperties": schema.get("additionalProperties", True),
        "properties": properties,
        "required": list(schema.get("required", ())),
    }


def _setting(schema: Schema, *, spread: bool = False) -> Schema:
    """What a setting may be in the TOML: also a placeholder, and never null."""
    notes = {key: schema[key] for key in _NOTES if schema.get(key) is not None}
    value = {key: inner for key, inner in schema.items() if key not in (*_NOTES, "title")}
    if value.get("format") == "password":
        notes.pop("default", None)
        return {**notes, "type": "string", "pattern": _ONLY_PLACEHOLDERS}
    members = [inner for inner in value.get("anyOf", [value]) if inner.get("type") != "null"]
    if any(inner.get("format") == "password" for inner in members):
        return {**notes, "type": "string", "pattern": _ONLY_PLACEHOLDERS}
    members = [
        {**inner, "items": _setting(inner["items"])} if "items" in inner else inner
        for inner in members
    ]
    if spread:
        members.append(_ref("distribution"))
    if not all(_takes_placeholders(inner) for inner in members):
        members.append(_ref("placeholder"))
    return {**notes, **(members[0] if len(members) == 1 else {"anyOf": members})}


def _takes_placeholders(schema: Schema) -> bool:
    """Whether it admits any text as it is, or is nothing that a placeholder could stand for."""
    if schema.get("type") in ("array", "object") or "$ref" in schema:
        return "distribution" not in schema.get("$ref", "")
    return schema.get("type") == "string" and not schema.keys() & {"enum", "const", "pattern"}


def _distribution() -> Schema:
    number = {"anyOf": [{"type": "number"}, _ref("placeholder")]}
    numbers = {"type": "array", "items": number, "minItems": 1}
    pair = {**numbers, "minItems": 2, "maxItems": 2}
    limits = {"min": number, "max": number}

    def kind(name: str, description: str, values: Schema, more: Schema | None = None) -> Schema:
        return {
            "type": "object",
            "description": description,
            "additionalProperties": False,
            "required": [name],
            "properties": {name: values, **limits, **(more or {})},
        }

    return {
        "description": "a value of its own for each device",
        "oneOf": [
            kind("normal", "[mean, standard deviation]", pair),
            kind("lognormal", "[mu, sigma] of the value's natural logarithm", pair),
            kind("uniform", "[lowest, highest]", pair),
            kind("choice", "one of the values", numbers, {"weights": numbers}),
        ],
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
