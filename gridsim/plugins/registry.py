"""The registry: which name stands for which plugin type, and who owns it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from gridsim.api import (
    Device,
    DeviceFault,
    Fault,
    Fleet,
    Format,
    Load,
    MessageFault,
    Source,
    Transport,
    Weather,
    fleet_of,
)
from gridsim.errors import UsageError

Kind = Literal["der", "transport", "format", "weather", "load", "source", "fault"]


@dataclass(frozen=True, slots=True)
class RegisteredPlugin:
    """One registered type."""

    kind: Kind
    name: str
    type: type[Any]
    owner: str
    """The distribution and version, or the file, that it comes from."""


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """An installed plugin that could not be loaded."""

    name: str
    owner: str
    reason: str


@dataclass(slots=True)
class Registry:
    """Names to types, for each kind."""

    broken: list[BrokenPlugin] = field(default_factory=list)
    _entries: dict[tuple[Kind, str], RegisteredPlugin] = field(default_factory=dict)

    def __iter__(self) -> Iterator[RegisteredPlugin]:
        return iter(sorted(self._entries.values(), key=lambda entry: (entry.kind, entry.name)))

    def add(self, entry: RegisteredPlugin) -> None:
        """Raises UsageError if the name is taken, naming both owners."""
        other = self._entries.setdefault((entry.kind, entry.name), entry)
        if other is not entry:
            raise UsageError(
                f"two plugins register the {entry.kind} {entry.name!r}: "
                f"{other.owner} and {entry.owner}"
            )

    def find(self, kind: Kind, name: str) -> RegisteredPlugin | None:
        return self._entries.get((kind, name))

    def names(self, kind: Kind) -> list[str]:
        return sorted(name for known, name in self._entries if known == kind)

    def suggest(self, kind: Kind, name: str) -> str | None:
        """The registered name nearest to a misspelt one."""
        return next(iter(get_close_matches(name, self.names(kind), 1)), None)

    def suggest_any(self, name: str) -> str | None:
        """The same, over all kinds."""
        return next(iter(get_close_matches(name, {known for _, known in self._entries}, 1)), None)


@dataclass(frozen=True, slots=True)
class Registrar:
    """What `gridsim_register` is handed: registers types on behalf of one owner."""

    registry: Registry
    owner: str

    def der(self, name: str, fleet: type[Fleet] | type[Device]) -> None:
        """Register a DER type: a `Fleet`, or a `Device` of the easy contract."""
        if isinstance(fleet, type) and issubclass(fleet, Device):
            fleet = fleet_of(fleet, name)
        self._add("der", name, fleet, Fleet)

    def transport(self, name: str, transport: type[Transport]) -> None:
        self._add("transport", name, transport, Transport)

    def format(self, name: str, format: type[Format]) -> None:
        self._add("format", name, format, Format)

    def weather(self, name: str, weather: type[Weather]) -> None:
        self._add("weather", name, weather, Weather)

    def load(self, name: str, load: type[Load]) -> None:
        self._add("load", name, load, Load)

    def source(self, name: str, source: type[Source]) -> None:
        self._add("source", name, source, Source)

    def fault(self, name: str, fault: type[Fault]) -> None:
        """Register a fault: a `DeviceFault` or a `MessageFault`."""
        of_messages = isinstance(fault, type) and issubclass(fault, MessageFault)
        base: type[Fault] = MessageFault if of_messages else DeviceFault
        self._add("fault", name, fault, base)

    def _add(self, kind: Kind, name: str, cls: type[Any], base: type[Any]) -> None:
        if not (isinstance(cls, type) and issubclass(cls, base)):
            raise UsageError(
                f"{self.owner} registers {cls!r} as the {kind} {name!r}: "
                f"it must be a class derived from gridsim.api.{base.__name__}"
            )
        self.registry.add(RegisteredPlugin(kind, name, cls, self.owner))
