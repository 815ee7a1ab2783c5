"""The parts of a parsed template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gridsim_plugins.formats.template.placeholder import Placeholder


@dataclass(frozen=True, slots=True)
class Text:
    """A string of the template: texts and placeholders in turn."""

    parts: tuple[str | Placeholder, ...]
    offset: int
    """The place of its opening quote."""

    @property
    def whole(self) -> Placeholder | None:
        """The placeholder that is the whole string; None if the string has other text, or no
        placeholder.
        """
        only = self.parts[0] if len(self.parts) == 1 else ""
        return only if isinstance(only, Placeholder) else None

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        return tuple(part for part in self.parts if isinstance(part, Placeholder))

    @property
    def constant(self) -> str | None:
        """The text of a string without placeholders, else None."""
        return None if self.placeholders else "".join(str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, true, false or null, as it is written."""

    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Array:
    """An array; with `repeats` its one item is repeated for each device of the message."""

    items: tuple[Node, ...]
    repeats: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Object:
    """An object: keys and values in the order of the template."""

    members: tuple[tuple[Text, Node], ...]
    offset: int


Node: TypeAlias = Text | Constant | Array | Object
