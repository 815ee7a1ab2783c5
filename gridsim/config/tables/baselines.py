"""A project's `baseline`: a number, a distribution, a name, or a table that names a type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gridsim.config.settings.validation import Findings
from gridsim.config.tables.plugged import Plugged, choose
from gridsim.config.text.locate import KeyPath
from gridsim.contracts.hints import nearest
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.registry import Registry

_KIND = KINDS["baseline"]


@dataclass(frozen=True, slots=True)
class BaselineChoice:
    """The baseline plugin of a project."""

    plugged: Plugged
    load: Plugged | None = None
    """The load whose expectation the plugin gets; None: the load of the project."""


def read_baseline(
    findings: Findings, registry: Registry, project: Mapping[str, Any], path: KeyPath
) -> BaselineChoice | None:
    """Return the baseline that a project's table names; None if there is a finding.

    `path` is the place of the project's table.
    """
    at = (*path, _KIND.key)
    given = project.get(_KIND.key, {"type": _KIND.default})
    load = None
    named = isinstance(given, str) and not _is_number(given)
    if named:
        given = {"type": given}
    if not (isinstance(given, dict) and "type" in given):
        number = {"type": _KIND.number_type, _KIND.key: given}
        plugged = choose(findings, registry, "baseline", number, path, spread=(_KIND.key,))
    elif isinstance(name := given["type"], str) and registry.find("load", name):
        load = choose(findings, registry, "load", given, at, named=named)
        plugged = choose(findings, registry, "baseline", {"type": _KIND.default}, at)
        if load is None:
            return None
    elif _KIND.key in project and not _is_known(findings, registry, name, at):
        return None
    else:
        plugged = choose(findings, registry, "baseline", given, at, named=named)
    return None if plugged is None else BaselineChoice(plugged, load)


def _is_number(text: str) -> bool:
    """Return whether a text is a number; the value of a placeholder is always text."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_known(findings: Findings, registry: Registry, name: Any, at: KeyPath) -> bool:
    """Return whether a baseline or a broken plugin has that name; add a finding if none has."""
    loads = registry.names("load")
    own = [known for known in registry.names("baseline") if known not in loads]
    if not isinstance(name, str):
        known = ", ".join((*own, *loads))
        findings.add((*at, "type"), f"'type' must be the name of a baseline: {known}")
        return False
    if registry.find("baseline", name) or any(one.name == name for one in registry.broken):
        return True
    near = nearest(name, (*own, *loads))
    message = f"there is no baseline {name!r}; there are: {', '.join(own) or 'none'}"
    if loads:
        message += f", and what a load expects: {', '.join(loads)}"
    findings.add((*at, "type"), message, suggestion=near)
    return False
