"""The validation of a TOML table by a settings model, with the place of every error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gridsim.api import Settings
from gridsim.config.settings import distributions
from gridsim.config.settings.distributions import Bounds, Distribution
from gridsim.config.settings.fields import field_names, secret_values, secrets_in
from gridsim.config.settings.hiding import hide, shows_part
from gridsim.config.settings.secret_files import with_secrets
from gridsim.config.settings.wording import worded
from gridsim.config.text.document import At, Document, Finding
from gridsim.config.text.locate import KeyPath
from gridsim.contracts.hints import nearest
from gridsim.contracts.secret_keys import file_keys
from gridsim.contracts.settings import FOLDER
from gridsim.contracts.shard import SHARD
from gridsim.redaction import redacted

M = TypeVar("M", bound=Settings)


@dataclass(frozen=True, slots=True)
class Validated(Generic[M]):
    """Settings, and the distributions of those fields that hold only a typical value."""

    settings: M
    spread: Mapping[str, Distribution]
    path: KeyPath
    """The path of the table."""


class Chosen(Protocol):
    """A plugin with the settings of its table."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> Any: ...

    @property
    def path(self) -> KeyPath: ...


class Findings:
    """The problems of a document so far; at most one for each path."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.chosen: list[Chosen] = []
        """The plugins that valid tables of the document name."""
        self._found: dict[KeyPath, Finding] = {}
        self._known = {finding.path for finding in document.findings}

    def add(
        self, path: KeyPath, message: str, *, suggestion: str | None = None, at: At = "value"
    ) -> None:
        if path not in self._known:
            self._found.setdefault(path, Finding(path, redacted(message), suggestion, at))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    def table(self, value: Any, path: KeyPath, shape: str) -> dict[str, Any] | None:
        """Return the value if it is a table; otherwise add a finding with the shape."""
        if isinstance(value, dict):
            return value
        self.add(path, f"must be a table: {shape}")
        return None

    def tables(self, value: Any, path: KeyPath, shape: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the tables of an array with their indices; add a finding for any other value."""
        if not isinstance(value, list):
            self.add(path, f"must be an array of tables: {shape}")
            return
        for index, entry in enumerate(value):
            if (table := self.table(entry, (*path, index), shape)) is not None:
                yield index, table

    def unknown(self, path: KeyPath, what: str, known: Iterable[str]) -> None:
        """Add a finding for an unknown key."""
        key = str(path[-1])
        self.add(path, f"{key!r} is not {what}", suggestion=nearest(key, known), at="key")


def validate(
    findings: Findings,
    model: type[M],
    table: Mapping[str, Any],
    path: KeyPath,
    *,
    owner: str,
    also: Iterable[str] = (),
    spread: Collection[str] = (),
) -> Validated[M] | None:
    """Return the table as the model's settings; None if there is a finding.

    `owner` names the owner of the settings in messages, `also` the further keys that the table
    may have, and `spread` the fields that may be distributions.
    """
    before = len(findings)
    document = findings.document
    secrets = list(secret_values(model, table, path))
    document.secrets.update(secret for secret, _ in secrets)
    for secret, value in secrets:
        if value != "" and not document.filled.get(secret):
            findings.add(
                secret,
                f"{secret[-1]!r} is a secret and must not be written here: write a placeholder "
                'such as "${NAME}", and set the variable in the environment or in .env'
                f"{_or_file(model, secret[len(path) :])}",
            )
    own, in_files = with_secrets(model, table, path, document, findings.add)
    secrets += [(at, _value_at(own, at[len(path) :])) for at in in_files]
    for secret, value in secrets:
        hide(secret, value)
    found = _distributions(findings, model, own, path, spread)
    settings, errors = _model(model, own, path, document)
    for at, details in errors.items():
        if len(at) > len(path) and any(at == one[: len(at)] != one for one in errors):
            # Another member of a union accepts the value up to the place of that error.
            continue
        if any(at[: len(path) + 1] == (*path, name) for name, value in found.items() if not value):
            continue
        first = details[0]
        if first["type"] == "extra_forbidden":
            known = field_names({model}, at[len(path) : -1])
            findings.unknown(at, f"a setting of {owner}", [*known, *also])
            continue
        hidden = [value for secret, value in secrets if at[: len(secret)] == secret]
        message, suggestion = worded(details, None if hidden else _value_at(own, at[len(path) :]))
        key, colon, rest = message.partition(": ")
        if at == path and colon and key in own and not hidden:
            # A check of several settings names the wrong one first.
            at, message = (*path, key), rest
        if any(shows_part(message, value) for value in hidden):
            message = "is not valid"
        at = in_files.get(at, at)
        # An item of an array has its dotted place.
        key = at[-1] if isinstance(at[-1], str) else ".".join(map(str, at[len(path) :]))
        name = f"{key!r} " if len(at) > len(path) else ""
        findings.add(at, f"{name}{message}", suggestion=suggestion)
    if settings is None or len(findings) > before:
        return None
    for name in model.model_fields:
        for value in secrets_in(getattr(settings, name)):
            hide((name,), value)
    usable = {name: value for name, value in found.items() if value is not None}
    return Validated(settings, usable, path)


def _or_file(model: type[Settings], key: KeyPath) -> str:
    """Return the end of a sentence that names the key for the secret's file, if there is one."""
    names = file_keys(model)
    return next((f", or name a file by {file!r}" for file in names if (names[file],) == key), "")


def _model(
    model: type[M], table: dict[str, Any], path: KeyPath, document: Document
) -> tuple[M | None, dict[KeyPath, list[ErrorDetails]]]:
    """Return the model, or its errors by path.

    Strict JSON validation accepts neither a boolean nor a string as a number. A placeholder
    always gives a string: if that is refused, the string is parsed as a number or boolean.
    """
    errors: dict[KeyPath, list[ErrorDetails]] = {}
    for attempt in range(2):
        try:
            text = json.dumps(table, default=_text)
            context = {FOLDER: document.folder, SHARD: document.shard}
            return model.model_validate_json(text, strict=True, context=context), {}
        except ValidationError as error:
            errors = {}
            for detail in error.errors(include_url=False):
                at = (*path, *_where(table, detail))
                errors.setdefault(at, []).append(detail)
        if attempt or not (parsed := [at for at in errors if at in document.filled]):
            break
        table = deepcopy(table)
        for at in parsed:
            *way, last = at[len(path) :]
            holder: Any = _value_at(table, tuple(way))
            holder[last] = _parsed(holder[last])
    return None, errors


def _distributions(
    findings: Findings,
    model: type[Settings],
    table: dict[str, Any],
    path: KeyPath,
    names: Collection[str],
) -> dict[str, Distribution | None]:
    """Replace each distribution in the table by a typical value; None if it is invalid."""
    found: dict[str, Distribution | None] = {}
    for name in names:
        if not isinstance(table.get(name), dict):
            continue
        at = (*path, name)
        given = table.pop(name)
        bounds = Bounds.of(model.model_fields[name])
        found[name] = None
        try:
            distribution = distributions.parse(given, _number_at(given, at, findings.document))
        except ValueError as error:
            findings.add(at, f"{name!r} {error}")
            continue
        if fault := distribution.fault(bounds):
            findings.add(at, f"{name!r} {fault}")
            continue
        found[name] = distribution
        value = float(bounds.clip(np.array(distribution.central)))
        table[name] = round(value) if bounds.whole else value
    return found


def _number_at(
    table: Mapping[str, Any], path: KeyPath, document: Document
) -> Callable[[Any], float | None]:
    filled = any(known[: len(path)] == path for known in document.filled)

    def number(value: Any) -> float | None:
        if filled and isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value)

    return number


def _where(table: Mapping[str, Any], detail: ErrorDetails) -> KeyPath:
    """Return the path of an error without the names of union members, which pydantic adds."""
    path: list[str | int] = []
    value: Any = table
    for part in detail["loc"]:
        if _has(value, part):
            path.append(part)
            value = value[part]
    if detail["type"] == "missing":
        path.append(detail["loc"][-1])
    return tuple(path)


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _value_at(table: Any, path: KeyPath) -> Any:
    for part in path:
        if not _has(table, part):
            return None
        table = table[part]
    return table


def _parsed(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return text


def _text(value: date | time) -> str:
    return value.isoformat()
