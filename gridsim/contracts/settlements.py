"""The settlements of many projects, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.results import Ending, EventTotals, Settlement
from gridsim.helpers.randomness import Floats

_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True, eq=False)
class SettlementColumns:
    """The settlements of projects whose participation in an event ended in the same tick, as
    columns.

    The columns are those of `Settlement`.
    """

    event: str
    notice_ms: int
    ending: Ending
    project_ids: Sequence[str]
    """The ids of all projects of the run."""
    project: NDArray[np.intp]
    """The index of each project into `project_ids`."""
    opted_out: NDArray[np.bool_]
    start_ms: NDArray[np.int64]
    settled_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    target_kw: Floats
    compliance: Floats
    dispatched_kwh: Floats
    delivered_kwh: Floats
    asked_kw: Floats
    able_kw: Floats
    violations: Mapping[int, tuple[tuple[int, int], ...]]
    """The violations by row; a project without one has no entry."""
    reason: Mapping[int, str]
    """The reasons by row; a project that delivered has no entry."""

    def __len__(self) -> int:
        return len(self.project)

    def row(self, row: int) -> Settlement:
        """Return one settlement."""
        return Settlement(
            event=self.event,
            project_id=self.project_ids[self.project[row]],
            notice_ms=self.notice_ms,
            start_ms=int(self.start_ms[row]),
            settled_ms=int(self.settled_ms[row]),
            end_ms=int(self.end_ms[row]),
            ending="opted out" if self.opted_out[row] else self.ending,
            target_kw=float(self.target_kw[row]),
            compliance=float(self.compliance[row]),
            dispatched_kwh=float(self.dispatched_kwh[row]),
            delivered_kwh=float(self.delivered_kwh[row]),
            asked_kw=float(self.asked_kw[row]),
            able_kw=float(self.able_kw[row]),
            violations=self.violations.get(row, ()),
            reason=self.reason.get(row, ""),
        )

    @property
    def took_part(self) -> list[str]:
        """The ids of the projects that took part."""
        ids = self.project_ids
        return [ids[place] for place in self.project[~self.opted_out].tolist()]

    @property
    def totals(self) -> EventTotals:
        """The sums over the projects."""
        part = ~self.opted_out
        took_part = int(part.sum())
        hours = (self.end_ms - self.start_ms)[part] / _MS_PER_HOUR
        violating = list(self.violations)
        return EventTotals(
            took_part=took_part,
            opted_out=len(self) - took_part,
            superseded=took_part if self.ending == "superseded" else 0,
            interrupted=took_part if self.ending == "interrupted" else 0,
            cancelled=took_part if self.ending == "cancelled" else 0,
            in_violation=len(self.violations),
            opted_out_in_violation=int(self.opted_out[violating].sum()),
            target_kwh=float((self.target_kw[part] * hours).sum()),
            delivered_kwh=float(self.delivered_kwh[part].sum()),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Settlements(Sequence[Settlement]):
    """The settlements of a tick: a sequence of `Settlement`, kept as columns in `parts`."""

    parts: tuple[SettlementColumns, ...] = field(default=())

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[Settlement]:
        for part in self.parts:
            yield from map(part.row, range(len(part)))

    @overload
    def __getitem__(self, index: int) -> Settlement: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Settlement]: ...
    def __getitem__(self, index: int | slice) -> Settlement | Sequence[Settlement]:
        if isinstance(index, slice):
            return tuple(self)[index]
        row = range(len(self))[index]
        for part in self.parts:
            if row < len(part):
                return part.row(row)
            row -= len(part)
        raise IndexError(index)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]
