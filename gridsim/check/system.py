"""The reading of `my-system.toml`, with the place of each error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from gridsim.check.days import NamedDay, shipped_days
from gridsim.check.settings import Promises, SystemSettings
from gridsim.config.settings.validation import Findings, validate
from gridsim.config.tables.transports import read_transport
from gridsim.config.text.document import Document
from gridsim.config.text.environment import gather
from gridsim.config.text.load import read
from gridsim.config.text.report import ConfigError
from gridsim.contracts.hints import nearest
from gridsim.contracts.secret_keys import file_keys
from gridsim.contracts.settings import in_folder, local_paths
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.registry import Registry
from gridsim.verify.fields import FIELDS, SEQ

_TABLES: Final = ("system", "promises")
_VARIABLES: Final = (
    "GRIDSIM_RECORDS", "GRIDSIM_SETTLEMENT", "GRIDSIM_EVENTS", "GRIDSIM_DAY", "GRIDSIM_CONFIG",
    "GRIDSIM_START", "GRIDSIM_END", "GRIDSIM_BROKER_HOST", "GRIDSIM_BROKER_PORT",
)  # fmt: skip
_BROKER: Final = ("system", "broker")
_TRANSPORT: Final = ("transports", 0)


@dataclass(frozen=True, slots=True)
class BrokerOverlay:
    """The transport settings of `[system.broker]`, which replace those of each day."""

    table: Mapping[str, Any] = field(repr=False)
    """The settings as they are in the file, with placeholders filled and paths absolute."""
    filled: frozenset[str]
    """The keys whose values consist only of placeholders, so that they may be secret."""


@dataclass(frozen=True, slots=True)
class SystemUnderTest:
    """The description of a user's system, read from its file."""

    path: Path
    folder: Path
    """The folder in which its commands run."""
    settings: SystemSettings
    days: tuple[NamedDay, ...]
    promises: Mapping[str, Promises]
    """The promises by the name of the day."""
    broker: BrokerOverlay | None

    @property
    def name(self) -> str:
        return self.settings.name or self.path.stem


def read_system(path: Path, registry: Registry) -> SystemUnderTest:
    """Read the file. Raises UsageError with all problems."""
    # "${GRIDSIM_RECORDS}" is for the shell that runs the command.
    shell = {name: f"${name}" for name in _VARIABLES}
    document = read(path, environment={**gather(Path.cwd()), **shell})
    findings = Findings(document)
    for name in document.data.keys() - set(_TABLES):
        findings.unknown((name,), f"a table of {path.name}: write [system]", _TABLES)
    table = findings.table(document.data.get("system", {}), ("system",), "write [system]")
    settings = None if table is None else _settings(findings, table)
    broker = None if table is None else _broker(document, findings, registry, table)
    days = () if settings is None else _days(findings, settings, Path(document.folder))
    promises = _promises(findings, document.data.get("promises", {}), days)
    if problems := document.report(findings):
        raise ConfigError(problems)
    assert settings is not None
    folder = Path(document.folder).absolute()
    return SystemUnderTest(path, folder, settings, days, promises, broker)


def _settings(findings: Findings, table: dict[str, Any]) -> SystemSettings | None:
    own = {key: value for key, value in table.items() if key not in ("broker", "export")}
    if "export" in table:
        findings.add(
            ("system", "export"),
            "'export' is one of two settings: 'export_command' is a command line that writes a "
            "file, 'export_topic' is a topic of the broker",
            at="key",
        )
    found = validate(findings, SystemSettings, own, ("system",), owner="[system]", also=("broker",))
    if found is None:
        return None
    settings = found.settings
    if settings.export_command and settings.export_topic:
        findings.add(
            ("system", "export_topic"), "give 'export_command' or 'export_topic', not both"
        )
    exports = (settings.export_command, settings.export_topic, settings.settlement_command)
    if not any(text.strip() for text in exports) and "export" not in table:
        findings.add(
            ("system",),
            "there is nothing to compare: give 'export_command', 'export_topic' or "
            "'settlement_command'",
        )
    if settings.start_command and not settings.reset_command:
        findings.add(
            ("system", "start_command"),
            "'start_command' needs 'reset_command', which ends with status 0 when the system is "
            "ready",
        )
    for name in settings.fields:
        if name not in (*FIELDS, SEQ):
            findings.unknown(("system", "fields", name), "a field of the record", FIELDS)
    return settings


def _broker(
    document: Document, findings: Findings, registry: Registry, table: Mapping[str, Any]
) -> BrokerOverlay | None:
    """Return the settings of `[system.broker]`, None without the table or with a finding."""
    if "broker" not in table:
        return None
    given = findings.table(table["broker"], _BROKER, "write [system.broker]")
    if given is None:
        return None
    # It is checked like the first transport of a configuration, and located in its own text.
    empty = replace(document, data={**document.data, "transports": [{}]})
    moved = empty.with_copy(_BROKER, _TRANSPORT)
    own = Findings(moved)
    whole = {"type": KINDS["transport"].default, **given}
    choice = read_transport(own, registry, whole, 0)
    document.secrets.update(moved.secrets)
    for found in own:
        findings.add((*_BROKER, *found.path[2:]), found.message, suggestion=found.suggestion)
    if choice is None or len(own):
        return None
    model = type(choice.settings)
    for key in local_paths(model) & given.keys():
        if path := getattr(choice.settings, key):
            whole[key] = os.path.abspath(path)
    for key in file_keys(model).keys() & given.keys():
        if given[key]:
            whole[key] = os.path.abspath(in_folder(document.folder, given[key]))
    filled = (key for key in given if document.filled.get((*_BROKER, key)))
    return BrokerOverlay(whole, frozenset(filled))


def _days(findings: Findings, settings: SystemSettings, folder: Path) -> tuple[NamedDay, ...]:
    shipped = shipped_days()
    if settings.days is None:
        return tuple(shipped.values())
    days: dict[str, NamedDay] = {}
    for index, name in enumerate(settings.days):
        at = ("system", "days", index)
        day = shipped.get(name)
        if day is None:
            own = folder / name
            if own.suffix != ".toml" or not own.is_file():
                near = nearest(name, shipped)
                what = "there is no such file" if own.suffix == ".toml" else "there is no such day"
                message = f"{what}: {name!r}; gridsim check --list shows the days that are shipped"
                findings.add(at, message, suggestion=near)
                continue
            day = NamedDay(own.stem, own, shipped=False)
        if day.name in days:
            findings.add(at, f"the day {day.name!r} is there twice")
        days[day.name] = day
    return tuple(days.values())


def _promises(findings: Findings, table: Any, days: tuple[NamedDay, ...]) -> Mapping[str, Promises]:
    """Return the promises of each day: its own settings, completed by those for all days."""
    given = findings.table(table, ("promises",), "write [promises]")
    if given is None:
        return {}
    shared = {k: v for k, v in given.items() if not isinstance(v, dict)}
    names = [day.name for day in days]
    also = [*names, *shipped_days()]
    validate(findings, Promises, shared, ("promises",), owner="[promises]", also=also)
    found = {}
    for name in given.keys() - shared.keys():
        if name not in also:
            findings.unknown(("promises", name), "a day of this file", also)
    for name in names:
        own = given.get(name, {})
        path = ("promises", name)
        if isinstance(own, dict):
            validated = validate(findings, Promises, own, path, owner=f"[promises.{name}]")
            if validated is not None and not len(findings):
                found[name] = Promises.model_validate({**shared, **own})
    return found
