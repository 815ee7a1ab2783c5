"""The JSON Schema of the configuration, made from the settings of the registered plugins."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import cleandoc
from typing import Any

from gridsim.api import numeric_fields
from gridsim.config.setting_schema import (
    PLACEHOLDER,
    Schema,
    branched,
    distribution,
    model_schema,
    ref,
)
from gridsim.config.tables.core import OF_SCENARIOS, TABLES
from gridsim.config.tables.defaults import ARRAYS
from gridsim.config.tables.defaults import TABLE as DEFAULTS
from gridsim.plugins.kinds import KINDS, Kind
from gridsim.plugins.registry import RegisteredPlugin, Registry


def build_scenario(registry: Registry) -> Schema:
    """Return the schema of a file that `simulation.scenarios` names."""
    whole = build(registry)
    tables = {name: whole["properties"][name] for name in OF_SCENARIOS}
    return {
        **whole,
        "title": "gridsim scenario",
        "properties": tables,
        "required": [],
        "$defs": used_defs(tables, whole["$defs"]),
    }


def used_defs(schema: Schema, defs: Schema) -> Schema:
    """Return the definitions that a schema uses, directly or through others, in their order."""
    used: set[str] = set()
    todo = _references(schema)
    while todo:
        name = todo.pop()
        if name not in used:
            used.add(name)
            todo |= _references(defs[name])
    return {name: defs[name] for name in defs if name in used}


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
        "placeholder": {"type": "string", "pattern": PLACEHOLDER},
        "distribution": distribution(),
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
        one = ref(kind.name)
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
    table = model_schema(name, core.settings, core.spread, defs)
    _add_plugins(table, path)
    return _array(table, core.required) if core.is_array else table


def _plugin(entry: RegisteredPlugin, defs: Schema) -> Schema:
    """Return the schema of tables whose `type` is this plugin's name."""
    kind = KINDS[entry.kind]
    settings = entry.type.Settings
    spread = numeric_fields(settings) if kind.distributions else ()
    own = model_schema(f"{kind.name}.{entry.name}", settings, spread, defs)
    core: Schema = {"properties": {}, "required": []}
    if kind.table is not None:
        if (added := TABLES.get(kind.table)) is not None:
            core = model_schema(kind.name, added.settings, added.spread, defs)
        _add_plugins(core, kind.table)
    if getattr(entry.type, "writes_columns", False):
        del core["properties"]["format"]
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

    It branches on the type of the value, then on the key `type`, so that an error names the wrong
    key and not "any of the schemas".
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
        number = model_schema(kind.name, entry.type.Settings, (kind.key,), defs)["properties"][
            kind.key
        ]
        branches |= _branches(number)
        table, spread = branches["object"], _by_type(registry, kind, names, other, defs)
        if table != spread:
            # A table with `type` names a plugin, any other one is a distribution.
            branches["object"] = {"if": {"required": ["type"]}, "then": spread, "else": table}
        notes = {"description": kind.description}
    if list(branches) == ["object"]:
        return {**notes, **branches["object"]}
    return {**notes, **branched(branches)}


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
            "then": ref(f"{owner}.{name}"),
        }
        for name, owner in sorted(kinds.items())
    ]
    if default is not None:
        rules.append({"if": {"not": {"required": ["type"]}}, "then": ref(f"{kind.name}.{default}")})
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
