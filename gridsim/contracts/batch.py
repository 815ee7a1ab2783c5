"""The roster of devices, and the batch of readings emitted in one tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.randomness import Floats
from gridsim.helpers.timestamps import rfc3339

UNITS = "kW"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Roster:
    """The part of the devices that never changes: one entry per device, in configuration order.

    The devices of a project are contiguous.
    """

    der_id: Sequence[str]
    project: NDArray[np.intp]
    """intp[n], each device's index into `project_id` and `is_standalone`."""
    type: Sequence[str]
    nameplate_capacity: Floats
    """float64[n], kW, rounded to two decimals."""
    project_id: Sequence[str]
    is_standalone: NDArray[np.bool_]
    columns: Mapping[str, str] = field(default_factory=dict)
    """Further columns that readings of some types carry, each with its unit."""

    def __len__(self) -> int:
        return len(self.der_id)

    def __repr__(self) -> str:
        types = ", ".join(sorted(set(self.type)))
        return f"<Roster: {len(self):,} devices in {len(self.project_id):,} projects; {types}>"

    def some(self, projects: NDArray[np.intp]) -> Roster:
        """Return the roster of these projects alone, ascending; the further columns stay."""
        place = np.full(len(self.project_id), -1, np.intp)
        place[projects] = np.arange(len(projects))
        device = np.flatnonzero(place[self.project] >= 0)
        return Roster(
            der_id=[self.der_id[row] for row in device.tolist()],
            project=place[self.project[device]],
            type=[self.type[row] for row in device.tolist()],
            nameplate_capacity=self.nameplate_capacity[device],
            project_id=[self.project_id[row] for row in projects.tolist()],
            is_standalone=self.is_standalone[projects],
            columns=self.columns,
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Labels:
    """The truth about the rows of a batch: which faults changed them, and the right values.

    Columns of the batch's length.
    """

    faults: NDArray[np.uint64]
    """Bit i is set where the i-th fault of the configuration had a hand in the row."""
    timestamp_ms: NDArray[np.int64]
    """The true time of the reading, as the following are true and rounded like the batch's."""
    current_output: Floats
    """NaN where there is no such device."""
    power_meter_measurement: Floats
    current_soc: Floats
    altered: NDArray[np.int16]
    """Which fault alters the row's message between format and transport; -1: none."""
    chance: Floats
    """In [0, 1): by what such a fault chooses how."""
    copy: NDArray[np.bool_]
    """Whether the row repeats one that leaves in this batch or has left before."""

    def __repr__(self) -> str:
        changed = int(np.count_nonzero(self.faults))
        return f"<Labels: {len(self.faults):,} rows, {changed:,} changed by faults>"

    def rows(self, part: slice) -> Labels:
        """Return the labels of some rows, without copying."""
        return Labels(*(getattr(self, f.name)[part] for f in fields(self)))

    @property
    def nbytes(self) -> int:
        """Bytes that the columns hold."""
        return sum(getattr(self, f.name).nbytes for f in fields(self))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Batch:
    """Readings as columns of length n, rounded and checked; arrays are read-only.

    Rows of a project and timestamp are contiguous and in configuration order; readings that
    are delivered late come first, repeated and overtaken ones last.
    """

    roster: Roster
    device: NDArray[np.intp]
    """The row's device: an index into the roster."""
    tick: NDArray[np.int64]
    timestamp_ms: NDArray[np.int64]
    is_online: NDArray[np.bool_]
    current_output: Floats
    power_meter_measurement: Floats
    baseline: Floats
    contract_threshold: Floats
    connection_start_ms: NDArray[np.int64]
    current_soc: Floats
    """%, NaN where there is no storage."""
    extra: Mapping[str, Floats] = field(default_factory=dict)
    """The roster's further columns, NaN for devices whose type does not declare them."""
    number: int = 0
    """The count of readings that left the simulation before this batch's first.

    A simulation of some of the projects counts its own: readings of several such shards are
    told apart by shard and number.
    """
    labels: Labels | None = None
    """None in a run without faults."""

    def __len__(self) -> int:
        return len(self.device)

    def __repr__(self) -> str:
        parts = [f"{len(self):,} rows from number {self.number:,}"]
        if len(self):
            parts.append(f"ticks {_span(self.tick)}")
            times = int(self.timestamp_ms.min()), int(self.timestamp_ms.max())
            parts.append(" to ".join(rfc3339(time) for time in dict.fromkeys(times)))
        if self.extra:
            parts.append(f"extra columns {', '.join(self.extra)}")
        if self.labels is not None:
            parts.append(f"{int(np.count_nonzero(self.labels.faults)):,} changed by faults")
        return f"<Batch: {'; '.join(parts)}>"

    @property
    def nbytes(self) -> int:
        """Bytes that the columns hold."""
        own = sum(getattr(self, name).nbytes for name in COLUMNS)
        labels = 0 if self.labels is None else self.labels.nbytes
        return int(own) + labels + sum(column.nbytes for column in self.extra.values())

    def rows(self, start: int, stop: int | None = None) -> Batch:
        """The rows from `start` to before `stop`, without copying."""
        part = slice(start, stop)
        columns = {name: getattr(self, name)[part] for name in COLUMNS}
        extra = {name: column[part] for name, column in self.extra.items()}
        labels = None if self.labels is None else self.labels.rows(part)
        return replace(self, **columns, extra=extra, number=self.number + start, labels=labels)

    def groups(self) -> NDArray[np.intp]:
        """Where each run of rows of one project and timestamp starts, then n: intp[groups + 1].

        No device is twice in a run.
        """
        project = self.roster.project[self.device]
        change = (project[1:] != project[:-1]) | (self.timestamp_ms[1:] != self.timestamp_ms[:-1])
        change |= self.device[1:] <= self.device[:-1]
        inner = np.flatnonzero(change) + 1
        ends = [len(self)] if len(self) else []
        return np.concatenate(([0], inner, ends)).astype(np.intp)


_APART = ("roster", "extra", "number", "labels")
COLUMNS = tuple(f.name for f in fields(Batch) if f.name not in _APART)
"""The names of a batch's own columns."""


def _span(values: NDArray[np.int64]) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
