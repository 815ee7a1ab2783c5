"""The registry: the plugin type and the owner behind each name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gridsim.contracts.hints import did_you_mean, nearest
from gridsim.errors import UsageError
from gridsim.plugins.kinds import KINDS


@dataclass(frozen=True, slots=True)
class RegisteredPlugin:
    """One registered type."""

    kind: str
    name: str
    type: type[Any]
    owner: str
    """The distribution and version, or the file, that the type comes from."""


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """An installed plugin that could not be loaded."""

    name: str
    owner: str
    reason: str


@dataclass(slots=True)
class Registry:
    """Registered types by kind and name."""

    broken: list[BrokenPlugin] = field(default_factory=list)
    _entries: dict[tuple[str, str], RegisteredPlugin] = field(default_factory=dict)

    def __iter__(self) -> Iterator[RegisteredPlugin]:
        return iter(sorted(self._entries.values(), key=lambda entry: (entry.kind, entry.name)))

    def add(self, entry: RegisteredPlugin) -> None:
        """Add a type. Raises UsageError, which names both owners, if the name is taken."""
        other = self._entries.setdefault((entry.kind, entry.name), entry)
        if other is not entry:
            raise UsageError(
                f"two plugins register the {entry.kind} {entry.name!r}: "
                f"{other.owner} and {entry.owner}"
            )

    def find(self, kind: str, name: str) -> RegisteredPlugin | None:
        """Return the type of that kind and name, or None."""
        return self._entries.get((kind, name))

    def names(self, kind: str) -> list[str]:
        """Return the names of all types of a kind."""
        return sorted(name for known, name in self._entries if known == kind)

    def suggest(self, kind: str, name: str) -> str | None:
        """Return the registered name that is nearest to a misspelt one."""
        return nearest(name, self.names(kind))


@dataclass(frozen=True, slots=True)
class Registrar:
    """The object that `gridsim_register` gets: it registers types on behalf of one owner.

    It has a method for each kind, which `gridsim.api.Register` declares.
    """

    registry: Registry
    owner: str

    def __getattr__(self, kind: str) -> Callable[[str, type[Any]], None]:
        if kind not in KINDS:
            raise AttributeError(f"there is no kind of plugin {kind!r}{did_you_mean(kind, KINDS)}")

        def register(name: str, type: Any) -> None:
            self._add(kind, name, type)

        return register

    def _add(self, kind: str, name: str, cls: Any) -> None:
        described = KINDS[kind]
        if not (isinstance(cls, type) and issubclass(cls, described.bases)):
            bases = " or ".join(f"gridsim.api.{base.__name__}" for base in described.bases)
            raise UsageError(
                f"{self.owner} registers {cls!r} as the {kind} {name!r}: "
                f"it must be a class derived from {bases}"
            )
        if described.prepare is not None:
            cls = described.prepare(cls, name)
        self.registry.add(RegisteredPlugin(kind, name, cls, self.owner))
