"""The JSON Schema of the settings of a table, as they are written in TOML."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gridsim.api import Settings
from gridsim.contracts.secret_keys import counterpart, file_description

Schema = dict[str, Any]

PLACEHOLDER = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"
_ONLY_PLACEHOLDERS = rf"^({PLACEHOLDER})*$"
# Annotations, as opposed to constraints on the value.
_NOTES = ("description", "default", "x-unit", "examples", "deprecated")


def model_schema(name: str, model: type[Settings], spread: Collection[str], defs: Schema) -> Schema:
    """Return the schema of a settings model; schemas of nested models go to `defs`."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    for inner, definition in schema.pop("$defs", {}).items():
        defs[f"{name}.{inner}"] = _table(definition, ())
    return _table(schema, spread)


def _table(schema: Schema, spread: Collection[str]) -> Schema:
    if "properties" not in schema:
        return schema
    properties: Schema = {}
    required = list(schema.get("required", ()))
    either = []
    for name, setting in schema["properties"].items():
        properties[name] = _setting(setting, spread=name in spread)
        file = counterpart(name)
        if _is_secret(setting) and file not in schema["properties"]:
            properties[file] = {"type": "string", "description": file_description(name)}
            if name in required:
                required.remove(name)
                either.append({"anyOf": [{"required": [name]}, {"required": [file]}]})
    return {
        "type": "object",
        "additionalProperties": schema.get("additionalProperties", True),
        "properties": properties,
        "required": required,
        **({"allOf": either} if either else {}),
    }


def _is_secret(schema: Schema) -> bool:
    """Return whether a setting is one secret, perhaps None."""
    members = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    return bool(members) and all(one.get("format") == "password" for one in members)


def _setting(schema: Schema, *, spread: bool = False) -> Schema:
    """Return the schema of a setting in TOML: a placeholder is valid, null is not."""
    notes = {key: schema[key] for key in _NOTES if schema.get(key) is not None}
    value = {key: inner for key, inner in schema.items() if key not in (*_NOTES, "title")}
    if _is_secret(value):
        notes.pop("default", None)
        return {**notes, "type": "string", "pattern": _ONLY_PLACEHOLDERS}
    members = [inner for inner in value.get("anyOf", [value]) if inner.get("type") != "null"]
    if any(inner.get("format") == "password" for inner in members):
        return {**notes, "type": "string", "pattern": _ONLY_PLACEHOLDERS}
    members = [
        {
            **inner,
            # The values of arrays, and of tables with any keys.
            **{
                key: _setting(inner[key])
                for key in ("items", "additionalProperties")
                if isinstance(inner.get(key), dict)
            },
        }
        for inner in members
    ]
    if spread:
        members.append(ref("distribution"))
    if not all(_takes_placeholders(inner) for inner in members):
        members.append(ref("placeholder"))
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
        elif len(parts) == 2 and len(choices) == 1 and ref("placeholder") in parts:
            merged[name] = {
                "if": ref("placeholder"),
                "else": choices[0],
                # For the completion in editors, which do not look into `else`; always valid.
                "anyOf": [choices[0], {}],
            }
        else:
            merged[name] = {"anyOf": parts}
    return branched(merged)


def _types(schema: Schema) -> list[str]:
    """Return the JSON types of the values that a schema is for."""
    if "$ref" in schema:
        return ["string"] if schema == ref("placeholder") else ["object"]
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


def distribution() -> Schema:
    number = {"anyOf": [{"type": "number"}, ref("placeholder")]}
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


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def branched(branches: Schema) -> Schema:
    """Return a schema that has a part for each JSON type."""
    return {
        "type": sorted(branches),
        "allOf": [{"if": {"type": name}, "then": part} for name, part in branches.items()],
    }
