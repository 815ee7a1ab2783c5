"""Tables whose `type` names a plugin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gridsim.api import Settings, numeric_fields
from gridsim.config.settings.distributions import Distribution
from gridsim.config.settings.fields import plugin_names
from gridsim.config.settings.validation import Findings, validate
from gridsim.config.text.locate import KeyPath
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.registry import Registry


@dataclass(frozen=True, slots=True)
class Plugged:
    """A plugin's type, and its settings from a table."""

    name: str
    type: Any
    settings: Any
    spread: Mapping[str, Distribution]
    path: KeyPath
    """The place of the table."""


def choose(
    findings: Findings,
    registry: Registry,
    kind: str,
    table: Mapping[str, Any],
    path: KeyPath,
    *,
    also: Iterable[str] = (),
    spread: Collection[str] = (),
    named: bool = False,
) -> Plugged | None:
    """Return the plugin that a table names, with the table's other keys as its settings.

    `also` names further keys that the whole table may have. `spread` names settings that may be
    distributions if the kind allows none. `named` means that the value is a name, not a table.
    Returns None if there is a finding.
    """
    described = KINDS[kind]
    title = str(described)
    at = path if named else (*path, "type")
    name = table.get("type", described.default_type)
    names = ", ".join(registry.names(kind)) or "none is installed"
    if name is None:
        findings.add(at, f"'type' is missing: {names}")
        return None
    if not isinstance(name, str):
        findings.add(at, f"'type' must be the name of a {title}: {names}")
        return None
    entry = registry.find(kind, name)
    if entry is None:
        for broken in registry.broken:
            if broken.name == name:
                message = f"the plugin {name!r} of {broken.owner} cannot be loaded: {broken.reason}"
                findings.add(at, message)
                return None
        suggestion = registry.suggest(kind, name)
        message = f"there is no {title} {name!r}; there are: {names}"
        if not registry.names(kind):
            message = (
                f"there is no {title} {name!r}: none is installed. If it comes with gridsim, "
                "install gridsim-der again (in a checkout: pip install -e .)"
            )
        findings.add(at, message, suggestion=suggestion)
        return None
    model = entry.type.Settings
    validated = validate(
        findings,
        model,
        {key: value for key, value in table.items() if key != "type"},
        path,
        owner=f"the {name} {title}",
        also=("type", *also),
        spread=numeric_fields(model) if described.distributions else spread,
    )
    if validated is None:
        return None
    if not _names_exist(findings, registry, model, table, path):
        return None
    plugged = Plugged(name, entry.type, validated.settings, validated.spread, path)
    findings.chosen.append(plugged)
    return plugged


def _names_exist(
    findings: Findings,
    registry: Registry,
    model: type[Settings],
    table: Mapping[str, Any],
    path: KeyPath,
) -> bool:
    """Return true if all plugins that a valid table names exist; otherwise add findings."""
    unknown = [
        (at, kind, name)
        for at, kind, name in plugin_names(model, table, path)
        if registry.find(kind, name) is None
    ]
    for at, kind, name in unknown:
        message = f"there is no {KINDS[kind]} type {name!r}"
        message += f"; there are: {', '.join(registry.names(kind))}"
        findings.add(at, message, suggestion=registry.suggest(kind, name))
    return not unknown


def numbered(
    findings: Findings, registry: Registry, kind: str, data: Mapping[str, Any], shape: str
) -> Iterator[tuple[str, Plugged]]:
    """Yield the valid plugins of a kind's array of tables, each with its name.

    The name is the type; the second of a type has `#2` added, the third `#3`. `shape` is the
    text in errors that shows how to write such a table.
    """
    seen: Counter[str] = Counter()
    key = KINDS[kind].key
    for index, table in findings.tables(data.get(key, []), (key,), shape):
        plugged = choose(findings, registry, kind, table, (key, index))
        if plugged is None:
            continue
        seen[plugged.name] += 1
        number = seen[plugged.name]
        yield plugged.name if number == 1 else f"{plugged.name}#{number}", plugged
