"""The differences that a comparison finds, counted by kind, cause and project."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from gridsim.verify.values import Ints

DifferenceKind = Literal[
    "missing", "duplicate", "reordered", "delayed", "altered", "unreadable", "unknown"
]
KINDS: Final[tuple[DifferenceKind, ...]] = (
    "missing", "duplicate", "reordered", "delayed", "altered", "unreadable", "unknown",
)  # fmt: skip
UNEXPLAINED: Final = "unexplained"


@dataclass(frozen=True, slots=True)
class Example:
    """An unexplained difference."""

    kind: DifferenceKind
    der_id: str
    timestamp: str
    line: int
    """The line in the input; 0 if it is not in the input."""
    detail: str = ""
    """The values that arrived, and those that were sent."""


@dataclass(slots=True, eq=False)
class Differences:
    """All differences, counted."""

    projects: int
    causes: dict[DifferenceKind, Counter[str]] = field(
        default_factory=lambda: {k: Counter() for k in KINDS}
    )
    by_project: dict[str, Ints] = field(default_factory=dict)
    """The differences of each kind, and the unexplained ones: int64[projects + 1].

    The last entry counts differences without a project.
    """
    examples: list[Example] = field(default_factory=list)

    @property
    def unexplained(self) -> int:
        return sum(causes[UNEXPLAINED] for causes in self.causes.values())

    def total(self, kind: DifferenceKind) -> int:
        return self.causes[kind].total()

    def add(self, kind: DifferenceKind, cause: str, project: Ints) -> None:
        """Add n differences; `project`, int64[n], is the project of each, or -1."""
        if not len(project):
            return
        self.causes[kind][cause] += len(project)
        counts = np.bincount(np.where(project < 0, self.projects, project), None, self.projects + 1)
        for name in (kind, UNEXPLAINED) if cause == UNEXPLAINED else (kind,):
            self.by_project[name] = self.by_project.get(name, 0) + counts
