"""How a format puts a row together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RowLayout:
    """How a format puts a row together: opening, name and value by name and value, closing."""

    prefixes: Sequence[str]
    """What stands before each field's value."""
    quote: Callable[[str], str]
    """A string as the format writes it."""
    missing_soc: str | None
    """What is written for a missing state of charge; None leaves the field out."""
    missing: str | None
    """What is written for any other missing value; None leaves the field out."""
    opening: str = ""
    separator: str = ","
    closing: str = ""


@dataclass(frozen=True, slots=True)
class Around:
    """What stands before and after a value, separator and braces included."""

    before: str
    after: str

    def text(self, value: str) -> bytes:
        return f"{self.before}{value}{self.after}".encode()

    def missing(self, value: str | None) -> bytes:
        """The text where there is no value: a substitute, or (None) nothing but what follows."""
        return self.after.encode() if value is None else self.text(value)

    def template(self, specification: str) -> bytes:
        """A bytes template with one value."""
        before, after = (text.replace("%", "%%") for text in (self.before, self.after))
        return f"{before}{specification}{after}".encode()
