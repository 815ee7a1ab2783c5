"""The output of `gridsim plugins`: the list of plugins, and the settings of one."""

from __future__ import annotations

import inspect
import textwrap
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gridsim.api import MEASURANDS, Unit
from gridsim.contracts.hints import did_you_mean
from gridsim.contracts.secret_keys import counterpart, file_description, file_keys
from gridsim.errors import UsageError
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.registry import RegisteredPlugin, Registry

_NARROWEST = 40
"""The smallest width of the last column; with less room it is printed below the others."""
_LONGEST_TYPE = 100
_INDENT = " " * 4
_MEASURANDS = "measurands"
"""The name under which `details` lists all measurands."""


class CoreSettings(Protocol):
    """The settings of the core in a TOML table."""

    @property
    def settings(self) -> type[BaseModel]: ...
    @property
    def description(self) -> str: ...


Tables = Mapping[str, CoreSettings]
"""The settings of the core, by the dotted path of their TOML table."""


def overview(registry: Registry, tables: Tables, width: int | None = None) -> Iterator[str]:
    """Yield a line for every plugin, then for every table of the configuration.

    `width` is that of the terminal; None: lines may be of any length.
    """
    rows: list[tuple[str, ...]] = [("NAME", "KIND", "ORIGIN", "STATUS", "DESCRIPTION")]
    rows += [
        (entry.name, entry.kind, entry.owner, "ready", first_sentence(entry.type))
        for entry in registry
    ]
    rows += [(b.name, "?", b.owner, "broken", b.reason) for b in registry.broken]
    yield from _columns(rows, width)
    yield ""
    descriptions = _descriptions(tables)
    yield from _columns([("TABLE", "DESCRIPTION"), *sorted(descriptions.items())], width)
    yield ""
    yield from _measurands(width)


def details(
    registry: Registry, name: str, tables: Tables, width: int | None = None
) -> Iterator[str]:
    """Yield the settings of every plugin and table of that name.

    Raises UsageError if there is none.
    """
    found = [entry for entry in registry if entry.name == name]
    descriptions = _descriptions(tables)
    if not found and (name == _MEASURANDS or name in MEASURANDS):
        yield from _measurands(width, () if name == _MEASURANDS else (name,))
        return
    for broken in registry.broken:
        if broken.name == name:
            raise UsageError(f"the plugin {name!r} of {broken.owner} is broken: {broken.reason}")
    if not found and name not in descriptions:
        names = {entry.name for entry in registry} | set(descriptions) | {*MEASURANDS, _MEASURANDS}
        raise UsageError(f"there is no plugin {name!r}{did_you_mean(name, names)}")
    parts = [_details(entry, tables, width) for entry in found]
    if name in descriptions:
        parts.append(_table_details(registry, name, descriptions[name], tables, width))
    for number, part in enumerate(parts):
        if number:
            yield ""
        yield from part


def first_sentence(plugin: type[Any]) -> str:
    """Return the first sentence of a type's own docstring."""
    paragraph = inspect.cleandoc(plugin.__doc__ or "").partition("\n\n")[0]
    sentence, stop, _ = " ".join(paragraph.split()).partition(". ")
    return sentence + stop.rstrip()


def _measurands(width: int | None, names: Collection[str] = ()) -> Iterator[str]:
    """Yield a line for every measurand, or for those of these names."""
    rows = [
        (one.name, one.unit, one.description)
        for one in MEASURANDS.values()
        if not names or one.name in names
    ]
    yield from _columns([("MEASURAND", "UNIT", "DESCRIPTION"), *rows], width)


def _descriptions(tables: Tables) -> dict[str, str]:
    """Return the TOML tables, with a description of each."""
    of_kinds = {kind.table: kind.description for kind in KINDS.values() if kind.table}
    return {**of_kinds, **{path: table.description for path, table in tables.items()}}


def _details(entry: RegisteredPlugin, tables: Tables, width: int | None) -> Iterator[str]:
    yield f"{entry.name} ({entry.kind}), {entry.owner}"
    # The base's docstring is for authors of plugins.
    text = inspect.cleandoc(entry.type.__doc__ or "")
    if text:
        yield from ("", *text.splitlines())
    yield ""
    yield from _table(entry.type.Settings, "It has no settings.", width)
    shared = tables.get(KINDS[entry.kind].table or "")
    if shared is not None:
        yield from ("", f"Every {entry.kind} also has these settings:", "")
        yield from _table(shared.settings, "", width)


def _table_details(
    registry: Registry, path: str, description: str, tables: Tables, width: int | None
) -> Iterator[str]:
    yield from (f"{path} (table of the configuration): {description}", "")
    core = tables.get(path)
    if core is not None:
        yield from _table(core.settings, "It has no settings.", width)
    for kind in KINDS.values():
        if path not in (kind.table, kind.parent):
            continue
        key = "type" if path == kind.table else kind.key
        names = ", ".join(registry.names(kind.name)) or "none is installed"
        if kind.stand_in:
            names += f", or any {KINDS[kind.stand_in]}"
        if core is not None:
            yield ""
        yield f"`{key}` names a {kind}: {names}. `gridsim plugins NAME` shows its settings."


def _table(model: type[BaseModel], nothing: str, width: int | None) -> Iterator[str]:
    rows = list(setting_rows(model))
    if rows:
        head = ("SETTING", "TYPE", "DEFAULT", "UNIT", "DESCRIPTION")
        yield from _columns([head, *map(_with_short_type, rows)], width)
    else:
        yield nothing


def _with_short_type(row: tuple[str, ...]) -> tuple[str, ...]:
    """Return a row whose description has the choices, if they are too long for a column."""
    name, kind, default, unit, description = row
    if len(kind) <= _LONGEST_TYPE:
        return row
    start, choices = ("list of ", kind[8:]) if kind.startswith("list of ") else ("", kind)
    return name, f"{start}str", default, unit, f"{description}; one of {choices}"


def setting_rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, ...]]:
    """Yield the name, type, default, unit and description of each setting, those of tables too."""
    files = file_keys(model)
    for name, info in model.model_fields.items():
        unit = next((m.name for m in info.metadata if isinstance(m, Unit)), "")
        yield (
            prefix + name,
            type_name(info.annotation),
            _default(info),
            unit,
            info.description or "",
        )
        if counterpart(name) in files:
            yield prefix + counterpart(name), "str", '""', "", file_description(name)
        for inner in (info.annotation, *get_args(info.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from setting_rows(inner, f"{prefix}{name}.")


def type_name(annotation: Any) -> str:
    """Return the type of a setting in words."""
    origin = get_origin(annotation)
    if origin is Literal:
        return " | ".join(repr(value) if value != "" else '""' for value in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " | ".join(type_name(a) for a in get_args(annotation) if a is not type(None))
    if origin is Annotated:
        return type_name(get_args(annotation)[0])
    if origin is dict:
        return "table"
    if origin is not None:
        return f"list of {type_name(get_args(annotation)[0])}"
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


def _columns(rows: Sequence[tuple[str, ...]], width: int | None) -> Iterator[str]:
    """Yield the rows as lines, with the last column wrapped to the width, or below the others."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    indent = sum(widths) + 2 * len(widths)
    for row in rows:
        start = "  ".join(cell.ljust(w) for cell, w in zip(row[:-1], widths, strict=True))
        if width is None:
            yield f"{start}  {row[-1]}".rstrip()
        elif width - indent < _NARROWEST:
            yield start.rstrip()
            yield from textwrap.wrap(
                row[-1],
                width,
                initial_indent=_INDENT,
                subsequent_indent=_INDENT,
                break_on_hyphens=False,
            )
        else:
            first, *rest = textwrap.wrap(row[-1], width - indent, break_on_hyphens=False) or [""]
            yield f"{start}  {first}".rstrip()
            yield from (" " * indent + line for line in rest)
