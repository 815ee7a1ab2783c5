"""The fields of a settings model, and their values in a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, SecretBytes, SecretStr

from gridsim.config.text.locate import KeyPath
from gridsim.contracts.secret_keys import keys_of
from gridsim.contracts.settings import NameOf


def secret_values(
    model: type[BaseModel], table: Mapping[str, Any], path: KeyPath
) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the secret values in a table, by the model's annotations."""
    for name, info in model.model_fields.items():
        if name not in table:
            continue
        for kind in _parts(info.annotation):
            if kind in (SecretStr, SecretBytes):
                yield from _leaves(table[name], (*path, name))
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                for at, value in _nested(table[name], (*path, name)):
                    yield from secret_values(kind, value, at)


def tables_of(
    model: type[BaseModel], table: dict[str, Any], path: KeyPath
) -> Iterator[tuple[type[BaseModel], dict[str, Any], KeyPath]]:
    """Yield a table with its model, then the tables in it that have models, each with its path."""
    yield model, table, path
    for name, info in model.model_fields.items():
        for kind in _parts(info.annotation) if name in table else ():
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                for at, inner in _nested(table[name], (*path, name)):
                    yield from tables_of(kind, inner, at)


def secrets_in(value: Any) -> Iterator[str]:
    """Yield the secrets that a validated value holds."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, SecretBytes):
        yield value.get_secret_value().decode(errors="replace")
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from secrets_in(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from secrets_in(inner)


def plugin_names(
    model: type[BaseModel], table: Mapping[str, Any], path: KeyPath
) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield the path, kind and name of each plugin that a setting in a table names."""
    for name, info in model.model_fields.items():
        for part in (*info.metadata, *_parts(info.annotation)):
            if isinstance(part, NameOf) and name in table:
                for at, value in _leaves(table[name], (*path, name)):
                    yield at, part.kind, value


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, (*path, key))
    else:
        yield path, value


def _nested(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Yield the table that a value is, or the tables that it holds."""
    if isinstance(value, dict):
        yield path, value
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _nested(inner, (*path, key))


def field_names(models: set[type[BaseModel]], path: KeyPath) -> list[str]:
    """Return the names of the fields that a table inside the models' tables may have."""
    for part in path:
        annotations = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        if isinstance(part, str):
            models = {
                kind
                for annotation in annotations
                for kind in _parts(annotation)
                if isinstance(kind, type) and issubclass(kind, BaseModel)
            }
    return sorted({name for model in models for name in keys_of(model)})
