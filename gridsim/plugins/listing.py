"""The output of `gridsim plugins`: the list of plugins, and the settings of one."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gridsim.api import Unit
from gridsim.errors import UsageError
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.registry import RegisteredPlugin, Registry

Tables = Mapping[str, type[BaseModel]]
"""The settings of the core, by the dotted path of their TOML table."""


def table(registry: Registry) -> Iterator[str]:
    """Yield a line for every plugin: name, kind, origin, status."""
    rows: list[tuple[str, ...]] = [("NAME", "KIND", "ORIGIN", "STATUS")]
    rows += [(entry.name, entry.kind, entry.owner, "ready") for entry in registry]
    rows += [(b.name, "?", b.owner, f"broken: {b.reason}") for b in registry.broken]
    yield from _columns(rows)


def details(registry: Registry, name: str, tables: Tables) -> Iterator[str]:
    """Yield the settings of every plugin of that name. Raises UsageError if there is none."""
    found = [entry for entry in registry if entry.name == name]
    for broken in registry.broken:
        if broken.name == name:
            raise UsageError(f"the plugin {name!r} of {broken.owner} is broken: {broken.reason}")
    if not found:
        near = registry.suggest_any(name)
        hint = f"; did you mean {near!r}?" if near else ""
        raise UsageError(f"there is no plugin {name!r}{hint}")
    for number, entry in enumerate(found):
        if number:
            yield ""
        yield from _details(entry, tables)


def _details(entry: RegisteredPlugin, tables: Tables) -> Iterator[str]:
    yield f"{entry.name} ({entry.kind}), {entry.owner}"
    # Not that of its base, which is written for authors of plugins.
    text = inspect.cleandoc(entry.type.__doc__ or "")
    if text:
        yield from ("", *text.splitlines())
    yield ""
    yield from _table(entry.type.Settings, "It has no settings.")
    shared = tables.get(KINDS[entry.kind].table or "")
    if shared is not None:
        yield from ("", f"Every {entry.kind} takes these, too:", "")
        yield from _table(shared, "")


def _table(model: type[BaseModel], nothing: str) -> Iterator[str]:
    rows = list(_settings(model))
    if rows:
        yield from _columns([("SETTING", "TYPE", "DEFAULT", "UNIT", "DESCRIPTION"), *rows])
    else:
        yield nothing


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, ...]]:
    for name, info in model.model_fields.items():
        unit = next((m.name for m in info.metadata if isinstance(m, Unit)), "")
        yield (
            prefix + name,
            _type(info.annotation),
            _default(info),
            unit,
            info.description or "",
        )
        for inner in (info.annotation, *get_args(info.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _settings(inner, f"{prefix}{name}.")


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return " | ".join(repr(value) if value != "" else '""' for value in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " | ".join(_type(a) for a in get_args(annotation) if a is not type(None))
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin is dict:
        return "table"
    if origin is not None:
        return f"list of {_type(get_args(annotation)[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    if annotation is SecretStr:
        return "secret"
    return getattr(annotation, "__name__", str(annotation))


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return "none"
    if hasattr(value, "get_secret_value"):
        return '""'
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_shown, value))}]"
    return _shown(value)


def _shown(value: object) -> str:
    """Return the value as TOML writes it."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
