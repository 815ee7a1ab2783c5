"""The JSON Schema of the configuration, made from the settings of the registered plugins."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from inspect import cleandoc
from typing import Any

from gridsim.api import Settings, numeric_fields
from gridsim.config.tables.core import OF_SCENARIOS, TABLES
from gridsim.config.tables.defaults import ARRAYS
from gridsim.config.tables.defaults import TABLE as DEFAULTS
from gridsim.plugins.kinds import KINDS, Kind
from gridsim.plugins.registry import RegisteredPlugin, Registry

Schema = dict[str, Any]

_PLACEHOLDER = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"
_ONLY_PLACEHOLDERS = rf"^({_PLACEHOLDER})*$"
# Annotations, as opposed to constraints on the value.
_NOTES = ("description", "default", "x-unit", "examples", "deprecated")


def build_scenario(registry: Registry) -> Schema:
    """Return the schema of a file that `simulation.scenarios` names."""
    whole = build(registry)
    tables = {name: whole["properties"][name] for name in OF_SCENARIOS}
    defs: Schema = whole["$defs"]
    used: dict[str, Any] = {}
    todo = _references(tables)
    while todo:
        name = todo.pop()
        if name not in used:
            used[name] = defs[name]
            todo |= _references(defs[name])
    used = {name: defs[name] for name in defs if name in used}
    return {
        **whole,
        "title": "gridsim scenario",
        "properties": tables,
        "required": [],
        "$defs": used,
    }


def _references(schema: Any) -> set[str]:
    """Return the names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        own = schema.get("$ref")
        names = {own.removeprefix("#/$defs/")} if isinstance(own, str) else set()
        return names.union(*map(_references, schema.values()))
    return set().union(*map(_references, schema)) if isinstance(schema, list) else set()


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
        # An array that has a default must not be empty where it is there.
        at_least_one = kind.required or kind.default is not None
        table["properties"][kind.key] = _array(one, at_least_one) if kind.is_array else one
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
        "description": "settings that all transports, sources and views of a type share",
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
    """Return the schema of a value that names a plugin of the kind.

    It branches on the type of the value, and then on the key `type`, so that an error names the
    key at fault and not "any of the schemas".
    """
    other = registry.names(kind.stand_in) if kind.stand_in else []
    names = [name for name in registry.names(kind.name) if name not in other]
    if not names and not other:
        return {"not": {}}
    branches: Schema = {"object": _by_type(registry, kind, names, other, defs)}
    notes: Schema = {}
    if kind.takes_name:
        branches["string"] = {"enum": names}
        notes = {"description": kind.description, "default": kind.default}
    if kind.number_type and (entry := registry.find(kind.name, kind.number_type)):
        number = _model(kind.name, entry.type.Settings, (kind.key,), defs)["properties"][kind.key]
        branches |= _branches(number)
        table, spread = branches["object"], _by_type(registry, kind, names, other, defs)
        if table != spread:
            # A table with `type` names a plugin, any other one is a distribution.
            branches["object"] = {"if": {"required": ["type"]}, "then": spread, "else": table}
        notes = {"description": kind.description}
    if list(branches) == ["object"]:
        return {**notes, **branches["object"]}
    return {**notes, **_branched(branches)}


def _by_type(
    registry: Registry, kind: Kind, names: Sequence[str], other: Sequence[str], defs: Schema
) -> Schema:
    """Return the schema of a table whose `type` selects its other keys."""
    kinds = dict.fromkeys(names, kind.name) | {name: str(kind.stand_in) for name in other}
    # Editors complete keys by `properties`, and do not look into `if`.
    keys: Schema = {}
    for name, owner in kinds.items():
        for key, setting in defs[f"{owner}.{name}"]["properties"].items():
            note = setting.get("description")
            keys.setdefault(key, {"description": note} if note else {})
    keys["type"] = {"enum": sorted(kinds), "description": f"the name of the {kind}"}
    default = kind.default_type if kind.default_type in kinds else None
    rules = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": _ref(f"{owner}.{name}"),
        }
        for name, owner in sorted(kinds.items())
    ]
    if default is not None:
        rules.append(
            {"if": {"not": {"required": ["type"]}}, "then": _ref(f"{kind.name}.{default}")}
        )
    return {
        "type": "object",
        "properties": keys,
        "required": [] if default is not None else ["type"],
        "allOf": rules,
    }


def _branches(schema: Schema) -> Schema:
    """Return the parts of a schema by the JSON type that they are for."""
    branches: Schema = {}
    for rule in schema.get("allOf", ()):
        branches[rule["if"]["type"]] = rule["then"]
    return branches


def _branched(branches: Schema) -> Schema:
    """Return a schema that has a part for each JSON type."""
    return {
        "type": sorted(branches),
        "allOf": [{"if": {"type": name}, "then": part} for name, part in branches.items()],
    }


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
    return {**notes, **(members[0] if len(members) == 1 else _merged(members))}


def _merged(members: list[Schema]) -> Schema:
    """Return one schema for a value that matches any of the members."""
    branches: dict[str, list[Schema]] = {}
    for member in members:
        for name in _types(member):
            branches.setdefault(name, []).append(member)
    merged: Schema = {}
    for name, parts in branches.items():
        choices = [part for part in parts if part.keys() & {"enum", "const"}]
        if len(parts) == 1:
            merged[name] = parts[0]
        elif len(parts) == 2 and len(choices) == 1 and _ref("placeholder") in parts:
            merged[name] = {
                "if": _ref("placeholder"),
                "else": choices[0],
                # For the completion in editors, which do not look into `else`; always valid.
                "anyOf": [choices[0], {}],
            }
        else:
            merged[name] = {"anyOf": parts}
    return _branched(merged)


def _types(schema: Schema) -> list[str]:
    """Return the JSON types of the values that a schema is for."""
    if "$ref" in schema:
        return ["string"] if schema == _ref("placeholder") else ["object"]
    if "type" in schema:
        return [schema["type"]] if isinstance(schema["type"], str) else list(schema["type"])
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return sorted({names[type(value)] for value in values}) or ["object"]


def _takes_placeholders(schema: Schema) -> bool:
    """Return whether the schema allows any text, or a value that no placeholder can replace."""
    if schema.get("type") in ("array", "object") or "$ref" in schema:
        return "distribution" not in schema.get("$ref", "")
    return schema.get("type") == "string" and not schema.keys() & {"enum", "const", "pattern"}


def _distribution() -> Schema:
    number = {"anyOf": [{"type": "number"}, _ref("placeholder")]}
    numbers = {"type": "array", "items": number, "minItems": 1}
    pair = {**numbers, "minItems": 2, "maxItems": 2}
    kinds = {
        "normal": {**pair, "description": "[mean, standard deviation]"},
        "lognormal": {**pair, "description": "[mu, sigma] of the value's natural logarithm"},
        "uniform": {**pair, "description": "[lowest, highest]"},
        "choice": {**numbers, "description": "one of the values"},
    }
    return {
        "description": "a separate value for each device, drawn at random",
        "type": "object",
        "additionalProperties": False,
        "properties": {**kinds, "weights": numbers, "min": number, "max": number},
        "oneOf": [{"required": [kind]} for kind in kinds],
        "dependentRequired": {"weights": ["choice"]},
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
