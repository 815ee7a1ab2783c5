"""Reading a configuration: the file, its overrides and its placeholders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli

from gridsim.config.text import overrides
from gridsim.config.text.document import Document, Finding
from gridsim.config.text.environment import fill
from gridsim.config.text.guard import MAX_BYTES, MAX_DEPTH, too_deep, torn_string
from gridsim.config.text.locate import KeyPath
from gridsim.config.text.masking import mask_flag, mask_line
from gridsim.config.text.plain import plain_tables
from gridsim.config.text.report import ConfigError, Problem
from gridsim.errors import UsageError

__all__ = ["Document", "read"]


Content = str | Mapping[str, Any]
"""A configuration that a program gives: TOML text, or its tables."""


def read(
    path: Path,
    content: Content | None = None,
    *,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str],
) -> Document:
    """Read a TOML file, apply `--set` values, and fill its placeholders.

    With `content` no file is read, and `path` is only its name in messages. Relative paths in it
    are relative to the folder of `path`.

    Raises UsageError if the file cannot be read, ConfigError if it is not valid TOML. Problems
    of overrides and placeholders are kept for `resolve`, which reports them with all others.
    """
    return _with_scenarios(_read(path, content, overrides, environment), environment)


def _read(
    path: Path, content: Content | None, overrides: Sequence[str], environment: Mapping[str, str]
) -> Document:
    given, text = None, ""
    if content is None or isinstance(content, str):
        text = _text(path) if content is None else _cleaned(path, content)
        data = _parse(path, text)
    else:
        given, data = plain_tables(content), plain_tables(content)
    origins, faults = _override(data, overrides)
    filled: dict[KeyPath, bool] = {}
    findings: list[Finding] = []

    def fill_in(value: Any, at: KeyPath) -> Any:
        if isinstance(value, dict):
            return {key: fill_in(inner, (*at, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill_in(inner, (*at, index)) for index, inner in enumerate(value)]
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            name = f"{at[-1]!r} " if isinstance(at[-1], str) else ""
            findings.append(Finding(at, f"{name}is a whole number of more than 64 bits"))
            return 0
        result = fill(value, environment) if isinstance(value, str) else None
        if result is None:
            return value
        filled[at] = result.wholly
        findings.extend(Finding(at, message) for message in result.problems[:1])
        return result.text

    data = fill_in(data, ())
    return Document(path, text, data, filled, origins, tuple(findings), tuple(faults), given=given)


def _with_scenarios(document: Document, environment: Mapping[str, str]) -> Document:
    """Read the files of events and faults that it names."""
    simulation = document.data.get("simulation")
    named = simulation.get("scenarios") if isinstance(simulation, dict) else None
    scenarios: list[Document] = []
    findings, faults = list(document.findings), list(document.faults)
    for index, name in enumerate(named if isinstance(named, list) else []):
        at = ("simulation", "scenarios", index)
        if not isinstance(name, str) or at in {finding.path for finding in document.findings}:
            continue
        try:
            scenario = _read(Path(document.folder, name), None, (), environment)
            scenarios.append(replace(scenario, base=document.path))
        except ConfigError as error:
            faults.extend(error.problems)
        except UsageError as error:
            findings.append(Finding(at, str(error)))
    return replace(
        document, scenarios=tuple(scenarios), findings=tuple(findings), faults=tuple(faults)
    )


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder, not a configuration file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path}: cannot be read: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{path}: is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        return _with_plain_ends(raw.decode())
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line} is not UTF-8") from None


def _cleaned(name: Path, text: str) -> str:
    """Return a text that a program gave. Raises UsageError if it is too long or not UTF-8."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise UsageError(f"{name}: line {line} is not UTF-8") from None
    if size > MAX_BYTES:
        raise UsageError(f"{name}: is larger than {MAX_BYTES // 1_000_000} MB")
    return _with_plain_ends(text)


def _with_plain_ends(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _parse(path: Path, text: str) -> dict[str, Any]:
    if (offset := too_deep(text)) is not None:
        message = f"is nested deeper than {MAX_DEPTH} levels"
        raise ConfigError([_problem(path, text, message, offset)])
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        message, offset = _lower(error.msg), error.pos
        # The parser detects a missing quote only at the next quote or at the end of the text.
        torn = torn_string(text)
        if torn is not None and torn < offset:
            message, offset = "this string is not closed", torn
        raise ConfigError([_problem(path, text, message, offset)]) from None
    except ValueError as error:
        # Valid TOML that Python refuses: a whole number of thousands of digits.
        raise ConfigError([Problem(str(path), f"holds a bad value: {error}")]) from None


def _problem(path: Path, text: str, message: str, offset: int) -> Problem:
    start = text.rfind("\n", 0, offset) + 1
    line = text.count("\n", 0, offset) + 1
    source = mask_line(text[start:].partition("\n")[0])
    column = min(offset - start, len(source))
    return Problem(str(path), message, line, column + 1, source)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _override(
    data: dict[str, Any], given: Sequence[str]
) -> tuple[dict[KeyPath, str], list[Problem]]:
    origins: dict[KeyPath, str] = {}
    faults = []
    for text in given:
        flag = f"--set {text}"
        try:
            parts, value = overrides.parse(text)
            path, known = overrides.put(data, parts, value)
        except ValueError as error:
            faults.append(Problem(mask_flag(flag), str(error)))
            continue
        origins = {key: old for key, old in origins.items() if key[: len(path)] != path}
        # Tables that were created for the value also come from the flag.
        origins.update({path[: length + 1]: flag for length in range(known, len(path))})
    return origins, faults
