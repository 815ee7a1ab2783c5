"""The results of a check: one for each day, and the report card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gridsim.errors import GridsimError, NotHeldError

DayOutcome = Literal["kept", "broken", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a day; None: not compared."""

    sent: int | None = None
    """The readings that reached the broker, without copies made by faults."""
    stored: int | None = None
    """The number of these that the system holds."""
    lost: int | None = None
    duplicates: int | None = None
    changed: int | None = None
    unknown: int | None = None
    true_kwh: float | None = None
    """The true reduction, summed over all settlements."""
    settled_kwh: float | None = None
    """The reduction that the system settled, summed over all settlements."""
    mis_settled_kwh: float | None = None
    """The sum of the differences of single settlements, without rounding differences."""


@dataclass(frozen=True, slots=True)
class DayResult:
    """The result of one day."""

    day: str
    outcome: DayOutcome
    seconds: float = 0.0
    figures: Figures = Figures()
    reasons: tuple[str, ...] = ()
    """The broken promises, or the reason why nothing was compared."""
    details: tuple[str, ...] = ()
    """The lines of verify."""


@dataclass(frozen=True, slots=True)
class ReportCard:
    """The results of all days."""

    system: str
    results: tuple[DayResult, ...]
    interrupted: bool = False

    def count(self, outcome: DayOutcome) -> int:
        """Return the number of days with an outcome."""
        return sum(result.outcome == outcome for result in self.results)

    @property
    def exit_status(self) -> int:
        """The status: 4 if a promise was broken, 1 if a day or all could not be checked, or 0."""
        if self.interrupted:
            return 130
        if self.count("broken"):
            return NotHeldError.exit_status
        if self.count("error") or not self.count("kept"):
            return GridsimError.exit_status
        return 0
