"""The rows of the matrix: a fault, the promise, and the function that provokes the fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Outcome:
    """The outcome of a row: facts for the table, and the promises that were not kept."""

    facts: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def note(self, fact: str) -> None:
        """Add a fact to the table."""
        self.facts.append(fact)

    def check(self, kept: bool, otherwise: str) -> None:
        """Add a failure unless a promise was kept."""
        if not kept:
            self.failures.append(otherwise)

    def hide(self, folder: str) -> None:
        """Replace the name of the row's folder in all texts."""
        self.facts = [fact.replace(folder, "...") for fact in self.facts]
        self.failures = [failure.replace(folder, "...") for failure in self.failures]

    def extend(self, failures: list[str], where: str = "") -> None:
        """Add failures, each with the part of the row that they belong to."""
        self.failures += [f"{where}: {one}" if where else one for one in failures]


@dataclass(frozen=True, slots=True)
class Scene:
    """The place of one row: an empty folder, and the size of the matrix."""

    folder: Path
    short: bool

    def size(self, short: int, full: int) -> int:
        """Return the number for this size of the matrix."""
        return short if self.short else full

    def part(self, name: str) -> Scene:
        """Return the scene of one case of a row, with its own folder."""
        folder = self.folder / name
        folder.mkdir()
        return Scene(folder, self.short)


@dataclass(frozen=True, slots=True)
class Row:
    """One fault and its promise."""

    fault: str
    promise: str
    run: Callable[[Scene, Outcome], None]
    short: bool
    """True if the row is part of the short form."""


class Group:
    """The rows of one module, in the order of their definition."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.rows: list[Row] = []

    def row(
        self, fault: str, promise: str, *, short: bool = True
    ) -> Callable[[Callable[[Scene, Outcome], None]], Callable[[Scene, Outcome], None]]:
        """Register the decorated function as a row."""

        def register(
            run: Callable[[Scene, Outcome], None],
        ) -> Callable[[Scene, Outcome], None]:
            self.rows.append(Row(fault, promise, run, short))
            return run

        return register
