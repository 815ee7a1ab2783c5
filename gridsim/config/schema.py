"""The JSON Schema of the configuration, made from the settings of the registered plugins."""

from __future__ import annotations

from collections.abc import Collection
from inspect import cleandoc
from typing import Any

from gridsim.api import Settings, numeric_fields
from gridsim.config.tables.core import TABLES
from gridsim.config.tables.defaults import ARRAYS
from gridsim.config.tables.defaults import TABLE as DEFAULTS
from gridsim.plugins.kinds import KINDS, Kind
from gridsim.plugins.registry import RegisteredPlugin, Registry

Schema = dict[str, Any]

_PLACEHOLDER = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"
_ONLY_PLACEHOLDERS = rf"^({_PLACEHOLDER})*$"
# Annotations, as opposed to constraints on the value.
_NOTES = ("description", "default", "x-unit", "examples", "deprecated")


def build(registry: Registry) -> Schema:
    """Return the schema of a whole TOML file, JSON Schema draft 2020-12."""
    defs: Schema = {
        "placeholder": {"type": "string", "pattern": _PLACEHOLDER},
        "distribution": _distribution(),
    }
    for entry in registry:
        if KINDS[entry.kind].table is not None:
            defs[f"{entry.kind}.{entry.name}"] = _plugin(entry, defs)
    for kind in KINDS.values():
        if kind.table is not None:
            defs[kind.name] = _one_of(registry, kind, defs)
    of_plugins = {kind.table for kind in KINDS.values()}
    core = [path for path in TABLES if "." not in path and path not in of_plugins]
    file: Schema = {
        "properties": {path: _core_table(path, defs) for path in core},
        "required": [path for path in core if TABLES[path].required],
    }
    _add_plugins(file, "")
    file["properties"][DEFAULTS] = _defaults(registry, defs)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gridsim configuration",
        "type": "object",
        "additionalProperties": False,
        **file,
        "$defs": defs,
    }


def _add_plugins(table: Schema, path: str) -> None:
    """Add the keys that name plugins to a table; `path` "" is the whole file."""
    for kind in KINDS.values():
        if kind.parent != path:
            continue
        one = _ref(kind.name)
        table["properties"][kind.key] = _array(one, kind.required) if kind.is_array else one
        if kind.required:
            table["required"].append(kind.key)


def _defaults(registry: Registry, defs: Schema) -> Schema:
    """Return the schema of [defaults]: the settings of each type, none of them required."""
    names = sorted({name for kind in ARRAYS.values() for name in registry.names(kind)})
    types: Schema = {}
    for name in names:
        properties: Schema = {}
        for kind in ARRAYS.values():
            own = defs.get(f"{kind}.{name}", {}).get("properties", {})
            properties |= {
                key: value for key, value in own.items() if key not in ("type", "format")
            }
        types[name] = {"type": "object", "additionalProperties": False, "properties": properties}
    return {
        "type": "object",
        "description": "settings that all transports and sources of a type share",
        "additionalProperties": False,
        "properties": types,
    }


def _array(items: Schema, required: bool) -> Schema:
    return {"type": "array", **({"minItems": 1} if required else {}), "items": items}


def _core_table(path: str, defs: Schema) -> Schema:
    """Return the schema of a table of the core."""
    core = TABLES[path]
    name = path.removesuffix("s") if core.is_array else path
    table = _model(name, core.settings, core.spread, defs)
    _add_plugins(table, path)
    return _array(table, core.required) if core.is_array else table


def _plugin(entry: RegisteredPlugin, defs: Schema) -> Schema:
    """Return the schema of tables whose `type` is this plugin's name."""
    kind = KINDS[entry.kind]
    settings = entry.type.Settings
    spread = numeric_fields(settings) if kind.distributions else ()
    own = _model(f"{kind.name}.{entry.name}", settings, spread, defs)
    core: Schema = {"properties": {}, "required": []}
    if kind.table is not None:
        if (added := TABLES.get(kind.table)) is not None:
            core = _model(kind.name, added.settings, added.spread, defs)
        _add_plugins(core, kind.table)
    named = {"type": {"const": entry.name}}
    required = set(core["required"]) | set(own["required"]) | {"type"}
    if kind.default_type == entry.name:
        required.discard("type")
    return {
        **own,
        "description": cleandoc(entry.type.__doc__ or "").partition("\n\n")[0].replace("\n", " "),
        "properties": {**core["properties"], **named, **own["properties"]},
        "required": sorted(required),
    }


def _one_of(registry: Registry, kind: Kind, defs: Schema) -> Schema:
    """Return the schema of a value that names a plugin of the kind."""
    other = registry.names(kind.stand_in) if kind.stand_in else []
    names = [name for name in registry.names(kind.name) if name not in other]
    members: list[Schema] = []
    if names:
        table = {
            "type": "object",
            "properties": {"type": {"enum": names}},
            "oneOf": [_ref(f"{kind.name}.{name}") for name in names],
        }
        members.append(table)
    if kind.stand_in:
        members.append({"required": ["type"], **_ref(kind.stand_in)})
    if kind.takes_name:
        members.insert(0, {"enum": names})
    notes: Schema = {}
    if kind.takes_name:
        notes = {"description": kind.description, "default": kind.default}
    if kind.number_type and (entry := registry.find(kind.name, kind.number_type)):
        number = _model(kind.name, entry.type.Settings, (kind.key,), defs)["properties"][kind.key]
        members = number.pop("anyOf") + members
        notes = {**number, "description": kind.description}
    if not members:
        return {"not": {}}
    return {**notes, **(members[0] if len(members) == 1 else {"anyOf": members})}


def _model(name: str, model: type[Settings], spread: Collection[str], defs: Schema) -> Schema:
    """Return the schema of a settings model; schemas of nested models go to `defs`."""
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
    """Return the schema of a setting in TOML: a placeholder is valid, null is not."""
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
    """Return whether the schema allows any text, or a value that no placeholder can replace."""
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
        "description": "a separate value for each device, drawn at random",
        "oneOf": [
            kind("normal", "[mean, standard deviation]", pair),
            kind("lognormal", "[mu, sigma] of the value's natural logarithm", pair),
            kind("uniform", "[lowest, highest]", pair),
            kind("choice", "one of the values", numbers, {"weights": numbers}),
        ],
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
