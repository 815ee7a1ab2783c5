"""The layout of a row in a format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gridsim.contracts.codes import CodeForm


@dataclass(frozen=True, slots=True)
class RowLayout:
    """The layout of a row: opening, then prefix and value of each field, then closing."""

    prefixes: Sequence[str]
    """The text before the value of each field."""
    quote: Callable[[str], str]
    """The function that quotes a string."""
    missing_soc: str | None
    """The text for a missing state of charge; None leaves the field out."""
    missing: str | None
    """The text for any other missing value; None leaves the field out."""
    codes: CodeForm = "number"
    """The form of measurands with codes."""
    opening: str = ""
    separator: str = ","
    closing: str = ""


@dataclass(frozen=True, slots=True)
class Affixes:
    """The texts before and after a value, including the separator and braces."""

    before: str
    after: str

    def text(self, value: str) -> bytes:
        return f"{self.before}{value}{self.after}".encode()

    def missing(self, value: str | None) -> bytes:
        """Return the text for a missing value; with None, only the text after it."""
        return self.after.encode() if value is None else self.text(value)

    def template(self, specification: str) -> bytes:
        """Return a bytes template for one value."""
        before, after = (text.replace("%", "%%") for text in (self.before, self.after))
        return f"{before}{specification}{after}".encode()
