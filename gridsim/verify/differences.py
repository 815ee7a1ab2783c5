"""The differences that a comparison finds, counted by kind, cause and project."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from gridsim.verify.values import Ints, Small

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


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """Differences of one kind and cause, with the device and time of each."""

    kind: DifferenceKind
    cause: str
    device: Ints | Small
    """The device; the number of devices if it is not known."""
    time_ms: Ints
    """The time of the reading as it was sent, or else as it arrived; NO_TIME if it has none."""


@dataclass(slots=True, eq=False)
class Differences:
    """All differences, counted."""

    project: Ints
    """The project of each device, int64[devices]."""
    projects: int
    keep: bool = False
    """True if the device and time of each difference are kept."""
    causes: dict[DifferenceKind, Counter[str]] = field(
        default_factory=lambda: {k: Counter() for k in KINDS}
    )
    by_device: dict[str, Ints] = field(default_factory=dict)
    """The differences of each kind, and the unexplained ones: int64[devices + 1].

    The last entry counts differences without a known device.
    """
    located: list[Located] = field(default_factory=list)
    """All differences, if they are kept."""
    examples: list[Example] = field(default_factory=list)

    @property
    def unexplained(self) -> int:
        return sum(causes[UNEXPLAINED] for causes in self.causes.values())

    @property
    def by_project(self) -> dict[str, Ints]:
        """The same by project: int64[projects + 1]."""
        of = np.append(self.project, self.projects)
        found = {}
        for name, counts in self.by_device.items():
            found[name] = np.zeros(self.projects + 1, np.int64)
            np.add.at(found[name], of, counts)
        return found

    def total(self, kind: DifferenceKind) -> int:
        return self.causes[kind].total()

    def add(self, kind: DifferenceKind, cause: str, device: Ints | Small, time_ms: Ints) -> None:
        """Add n differences with the device of each, or -1, and its time."""
        if not len(device):
            return
        devices = len(self.project)
        of = np.where(device < 0, devices, device)
        self.causes[kind][cause] += len(of)
        counts = np.bincount(of, None, devices + 1)
        for name in (kind, UNEXPLAINED) if cause == UNEXPLAINED else (kind,):
            self.by_device[name] = self.by_device.get(name, 0) + counts
        if self.keep:
            self.located.append(Located(kind, cause, of, time_ms))
