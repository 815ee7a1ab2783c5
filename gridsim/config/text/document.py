"""A configuration as it was read, with the place of each value in the text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from gridsim.api import TextError
from gridsim.config.text.inside import offset_in_string, problem_in
from gridsim.config.text.locate import KeyPath, Place, key_text, locate
from gridsim.config.text.masking import (
    LOGIN_IN_URL,
    ONLY_PLACEHOLDERS,
    SECRET_NAME,
    mask_flag,
)
from gridsim.config.text.report import Problem
from gridsim.contracts.shard import WHOLE, Shard
from gridsim.redaction import MASK

At = Literal["value", "key"]

_PACKAGE = Path(__file__).resolve().parents[2]
_DEVICES = Path("/dev")
"""The folder of /dev/stdin; that of a shell's `<(command)` is below /proc."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem at a path, without its place in the text."""

    path: KeyPath
    message: str
    suggestion: str | None = None
    at: At = "value"


@dataclass(frozen=True, eq=False)
class Document:
    path: Path
    text: str = field(repr=False)
    data: dict[str, Any] = field(repr=False)
    """The parsed tables with overrides applied and placeholders filled."""
    filled: Mapping[KeyPath, bool] = field(default_factory=dict)
    """The strings that hold placeholders; True if they hold nothing else."""
    origins: Mapping[KeyPath, str] = field(default_factory=dict)
    """The flags of values that did not come from the file."""
    findings: tuple[Finding, ...] = ()
    """The problems found while reading; `resolve` reports them with all others."""
    faults: tuple[Problem, ...] = ()
    """Further problems: invalid flags, and scenario files that are not valid TOML."""
    secrets: set[KeyPath] = field(default_factory=set)
    """The paths of values that must never be shown."""
    scenarios: tuple[Document, ...] = ()
    """The files that `simulation.scenarios` names, in this order."""
    moved: Mapping[KeyPath, KeyPath] = field(default_factory=dict)
    """The places in the text of tables and values that are elsewhere in the data."""
    base: Path | None = None
    """The configuration that names this file of events and faults; None: this is the one."""
    given: Mapping[str, Any] | None = None
    """The tables that a program gave, before overrides; None: the configuration is a text."""
    shard: Shard = WHOLE
    """The part of the run that is configured: it fills `{shard}` in paths."""
    is_message: bool = False
    """True for an instruction, whose sender must not make the run read the files of secrets."""

    @cached_property
    def folder(self) -> str:
        """The folder that all relative paths in the file are relative to.

        It is the folder of the configuration. It is empty, which means the working folder, for a
        configuration that comes with gridsim or through a pipe.
        """
        folder = (self.base or self.path).parent
        whole = folder.resolve()
        if whole.is_relative_to(_PACKAGE) or whole == _DEVICES or whole.parts[1:2] == ("proc",):
            return ""
        return "" if whole == Path.cwd() else str(folder)

    @property
    def plugin_paths(self) -> tuple[Path, ...]:
        """`simulation.plugins`, relative to the folder of the configuration."""
        return tuple(path for _, path in self.plugin_places)

    @property
    def plugin_places(self) -> tuple[tuple[KeyPath, Path], ...]:
        """The same, each with its place in the document."""
        simulation = self.data.get("simulation")
        plugins = simulation.get("plugins") if isinstance(simulation, dict) else None
        broken = {finding.path for finding in self.findings}
        return tuple(
            (("simulation", "plugins", index), Path(self.folder, plugin))
            for index, plugin in enumerate(plugins if isinstance(plugins, list) else [])
            if isinstance(plugin, str) and ("simulation", "plugins", index) not in broken
        )

    def problem(
        self,
        path: KeyPath,
        message: str,
        *,
        suggestion: str | None = None,
        secret: bool = False,
        at: At = "value",
    ) -> Problem:
        """Return a problem at a value or its key; that of a missing key is at its table's header.

        With `secret` the value is masked.
        """
        if secret:
            self.secrets.add(path)
        for length in range(len(path), 0, -1):
            if (origin := self.origins.get(path[:length])) is not None:
                inside = any(known[:length] == path[:length] for known in self.secrets)
                flag = mask_flag(origin, secret=inside)
                return Problem(flag, message, suggestion=suggestion)
        if self.given is not None:
            return Problem(key_text(self._in_text(path)), message, suggestion=suggestion)
        place = self._place(path)
        offset = place.key if at == "key" else place.value
        start = self._line_starts[bisect_right(self._line_starts, offset) - 1]
        line = bisect_right(self._line_starts, offset)
        end = self.text.find("\n", start)
        source = self.text[start : end if end >= 0 else len(self.text)]
        column = offset - start
        if (cut := self._secret_column(start, start + len(source))) is not None:
            source = source[:cut] + MASK
            column = min(column, cut)
        return Problem(str(self.path), message, line, column + 1, source, suggestion)

    def problem_inside(self, path: KeyPath, error: TextError) -> Problem:
        """Return the problem at a character of the text that a setting holds or names."""
        message, suggestion = error.message, error.suggestion
        if error.file:
            return problem_in(error.file, error.text, error.offset, message, suggestion)
        place = self._places.get(self._in_text(path)) if self.given is None else None
        changed = any(path[: length + 1] in self.origins for length in range(len(path)))
        if place is None or changed or path in self.filled:
            at = problem_in("", error.text, error.offset, "", None)
            message = f"line {at.line}, column {at.column} of the text: {message}"
            return self.problem(path, message, suggestion=suggestion)
        raw = self.text[place.value : place.end]
        offset = place.value + offset_in_string(raw, error.offset)
        return problem_in(str(self.path), self.text, offset, message, suggestion)

    def where(self, path: KeyPath) -> str:
        """Return the place of a value for a message: `on line 12`."""
        problem = self.problem(path, "")
        return f"on line {problem.line}" if problem.line else f"by {problem.origin}"

    def report(self, findings: Iterable[Finding]) -> list[Problem]:
        """Return all problems: those found while reading, and `findings`."""
        problems = [*self.faults, *self.report_of((*self.findings, *findings))]
        # A value of [defaults] that several tables share has the same problem in each.
        return list(dict.fromkeys(problems))

    def report_of(self, findings: Iterable[Finding]) -> list[Problem]:
        """Return the problems of `findings` alone."""
        problems = (
            self.problem(f.path, f.message, suggestion=f.suggestion, at=f.at) for f in findings
        )
        return list(dict.fromkeys(problems))

    def overlaid(self, path: tuple[str, str], value: Any, origin: str) -> Document:
        """Return the document with a key of a top-level table overridden by a flag."""
        table, key = path
        own = self.data.get(table, {})
        if not isinstance(own, dict):
            return self
        return replace(
            self,
            data={**self.data, table: {**own, key: value}},
            origins={**self.origins, path: origin},
            filled={known: wholly for known, wholly in self.filled.items() if known != path},
            findings=tuple(finding for finding in self.findings if finding.path != path),
        )

    def with_copy(self, source: KeyPath, target: KeyPath) -> Document:
        """Return the document with a value copied to a key of a table, with its place."""
        value: Any = self.data
        for part in source:
            value = value[part]

        def twice(path: KeyPath) -> list[KeyPath]:
            inside = path[: len(source)] == source
            return [path, (*target, *path[len(source) :])] if inside else [path]

        data = _put(self.data, target, value)
        return replace(self._rekeyed(data, twice), moved={**self.moved, target: source})

    def with_array(
        self, name: str, tables: list[dict[str, Any]], places: Sequence[int]
    ) -> Document:
        """Return the document with other tables in an array; `places` are their old indices."""

        def renumbered(path: KeyPath) -> list[KeyPath]:
            if path[:1] != (name,) or len(path) == 1:
                return [path]
            return [(name, new, *path[2:]) for new, old in enumerate(places) if path[1] == old]

        moved: dict[KeyPath, KeyPath] = {(name, n): (name, old) for n, old in enumerate(places)}
        document = self._rekeyed({**self.data, name: tables}, renumbered)
        return replace(document, moved={**self.moved, **moved})

    def without(self, keys: Collection[KeyPath]) -> Document:
        """Return the document without some keys of its tables, and without their problems."""
        data = self.data
        for key in keys:
            data = _put(data, key, _ABSENT)

        def kept(path: KeyPath) -> list[KeyPath]:
            gone = any(path[:length] in keys for length in range(1, len(path) + 1))
            return [] if gone else [path]

        return self._rekeyed(data, kept)

    def with_origin(self, path: KeyPath, flag: str) -> Document:
        """Return the document with a flag as the origin of a value."""
        return replace(self, origins={**self.origins, path: flag})

    def _rekeyed(
        self, data: dict[str, Any], paths: Callable[[KeyPath], Iterable[KeyPath]]
    ) -> Document:
        """Return the document with other data, and everything known of the old data under its new
        path.
        """
        return replace(
            self,
            data=data,
            filled={new: whole for old, whole in self.filled.items() for new in paths(old)},
            origins={new: flag for old, flag in self.origins.items() for new in paths(old)},
            findings=tuple(
                replace(found, path=new) for found in self.findings for new in paths(found.path)
            ),
        )

    @cached_property
    def _places(self) -> dict[KeyPath, Place]:
        return locate(self.text)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def _in_text(self, path: KeyPath) -> KeyPath:
        """Return the path of a value in the text."""
        for length in range(len(path), 0, -1):
            if (source := self.moved.get(path[:length])) is not None:
                return (*source, *path[length:])
        return path

    def _place(self, path: KeyPath) -> Place:
        path = self._in_text(path)
        while path and path not in self._places:
            path = path[:-1]
        return self._places[path] if path else Place(0, 0, 0)

    def _secret_column(self, start: int, end: int) -> int | None:
        """Return the column of the first secret between two offsets of a line, or None."""
        marked = (self._places.get(self._in_text(path)) for path in self.secrets)
        hidden = [*self._named_secrets, *(place for place in marked if place)]
        columns = [
            max(place.value - start, 0)
            for place in hidden
            if place.value < end
            and place.end > start
            and not ONLY_PLACEHOLDERS.fullmatch(self.text, place.value, place.end)
        ]
        return min(columns, default=None)

    @cached_property
    def _named_secrets(self) -> list[Place]:
        """The places of values that look like a secret, even if no plugin has the setting: the key
        does, or the value is a URL with a login.
        """
        return [
            place
            for path, place in self._places.items()
            if (isinstance(path[-1], str) and SECRET_NAME.search(path[-1]))
            or LOGIN_IN_URL.search(self.text, place.value, place.end)
        ]


_ABSENT: Any = object()


def _put(tree: Any, path: KeyPath, value: Any) -> Any:
    """Return a copy of nested tables and arrays with a value set, or removed if it is _ABSENT."""
    key, *rest = path
    inner = value if not rest else _put(tree[key], tuple(rest), value)
    if isinstance(tree, list):
        return [inner if index == key else old for index, old in enumerate(tree)]
    copy = {**tree, key: inner}
    if inner is _ABSENT:
        del copy[key]
    return copy
