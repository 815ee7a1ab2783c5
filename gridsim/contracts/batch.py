"""The roster of devices, and the batch of readings emitted in one tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.sites import Sites, protect
from gridsim.helpers.randomness import Floats
from gridsim.helpers.timestamps import rfc3339

UNITS = "kW"
ATTRIBUTES = ("make", "model", "serial", "firmware")
"""The static attributes that a device may have."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Roster:
    """The constant data of the devices: one entry per device, in configuration order.

    The devices of a project are contiguous.
    """

    der_id: Sequence[str]
    project: NDArray[np.intp]
    """The index of each device into `project_id` and `is_standalone`, intp[n]."""
    type: Sequence[str]
    nameplate_capacity: Floats
    """The nameplate capacities, float64[n], kW, rounded to two decimals."""
    project_id: Sequence[str]
    is_standalone: NDArray[np.bool_]
    columns: Mapping[str, str] = field(default_factory=dict)
    """Further columns in the readings of some types, each with its unit."""
    sites: Sites | None = None
    """The locations of the projects, in the order of `project_id`; None if they are unknown."""
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Attributes that some device has, of `ATTRIBUTES`: a text for each device, empty for none."""

    def __post_init__(self) -> None:
        protect(self, ("project", "nameplate_capacity", "is_standalone"))

    def __len__(self) -> int:
        return len(self.der_id)

    def __repr__(self) -> str:
        types = ", ".join(sorted(set(self.type)))
        return f"<Roster: {len(self):,} devices in {len(self.project_id):,} projects; {types}>"

    def attribute(self, name: str) -> Sequence[str]:
        """Return one of `ATTRIBUTES` for each device; empty where it has none.

        Raises ValueError if no device has it.
        """
        if name not in self.attributes:
            raise ValueError(f"no DER has a {name}: set {name} in [[projects.ders]]")
        return self.attributes[name]

    def some(self, projects: NDArray[np.intp]) -> Roster:
        """Return the roster of these projects alone, ascending, with the same further columns."""
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
            sites=None if self.sites is None else self.sites.some(projects),
            attributes={
                name: [texts[row] for row in device.tolist()]
                for name, texts in self.attributes.items()
            },
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Labels:
    """The faults in the rows of a batch, and the true values, as columns of the batch's length."""

    faults: NDArray[np.uint64]
    """A bit mask: bit i is set where the fault with the number i affected the row. A fault's number
    is its place in the configuration, or that of its `InjectedFault`."""
    timestamp_ms: NDArray[np.int64]
    """The true time of the reading. The next three columns are true too, and rounded like the
    columns of the batch."""
    current_output: Floats
    """The true output; NaN where the device does not exist."""
    power_meter_measurement: Floats
    current_soc: Floats
    altered: NDArray[np.int32]
    """The index of the fault that alters the row's message after the format, as
    `InjectedFault.fault` counts them; -1: none."""
    chance: Floats
    """A random number in [0, 1) that selects how that fault alters the message."""
    copy: NDArray[np.bool_]
    """True where the row repeats one of this batch or of an earlier batch."""

    def __repr__(self) -> str:
        changed = int(np.count_nonzero(self.faults))
        return f"<Labels: {len(self.faults):,} rows, {changed:,} changed by faults>"

    @classmethod
    def blank(cls, batch: Batch) -> Labels:
        """Return the labels of true readings that no fault has affected."""
        n = len(batch)
        return cls(
            faults=np.zeros(n, np.uint64),
            timestamp_ms=batch.timestamp_ms,
            current_output=batch.current_output,
            power_meter_measurement=batch.power_meter_measurement,
            current_soc=batch.current_soc,
            altered=np.full(n, -1, np.int32),
            chance=np.zeros(n),
            copy=np.zeros(n, np.bool_),
        )

    def rows(self, part: slice) -> Labels:
        """Return the labels of some rows, without copying."""
        return Labels(*(getattr(self, f.name)[part] for f in fields(self)))

    @property
    def nbytes(self) -> int:
        """The size of the columns in bytes."""
        return sum(getattr(self, f.name).nbytes for f in fields(self))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Batch:
    """Readings as columns of length n, rounded and checked; arrays are read-only.

    Rows of a project and timestamp are contiguous and in configuration order. Late readings
    are first; repeated and overtaken readings are last.
    """

    roster: Roster
    device: NDArray[np.intp]
    """The device of each row: an index into the roster."""
    tick: NDArray[np.int64]
    timestamp_ms: NDArray[np.int64]
    is_online: NDArray[np.bool_]
    current_output: Floats
    power_meter_measurement: Floats
    baseline: Floats
    contract_threshold: Floats
    connection_start_ms: NDArray[np.int64]
    current_soc: Floats
    """The state of charge, %; NaN where there is no storage."""
    extra: Mapping[str, Floats] = field(default_factory=dict)
    """The further columns of the roster; NaN for devices whose type does not declare them."""
    number: int = 0
    """The number of readings that the simulation emitted before this batch.

    A simulation of some of the projects counts its own readings: the readings of several such
    shards are identified by shard and number.
    """
    labels: Labels | None = None
    """The labels of the rows; None in a run without faults."""

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
        """The size of the columns in bytes."""
        own = sum(getattr(self, name).nbytes for name in COLUMNS)
        labels = 0 if self.labels is None else self.labels.nbytes
        return int(own) + labels + sum(column.nbytes for column in self.extra.values())

    def rows(self, start: int, stop: int | None = None) -> Batch:
        """Return the rows from `start` to before `stop`, without copying."""
        part = slice(start, stop)
        columns = {name: getattr(self, name)[part] for name in COLUMNS}
        extra = {name: column[part] for name, column in self.extra.items()}
        labels = None if self.labels is None else self.labels.rows(part)
        return replace(self, **columns, extra=extra, number=self.number + start, labels=labels)

    def followed_by(self, others: Sequence[Batch]) -> Batch:
        """Return the rows of this batch and of others of the same type in one."""
        batches = (self, *others)
        columns: dict[str, Any] = {
            name: _concatenated([getattr(one, name) for one in batches]) for name in COLUMNS
        }
        labels = None
        if self.labels is not None:
            each = [one.labels for one in batches if one.labels is not None]
            names = [f.name for f in fields(Labels)]
            labels = Labels(
                *(_concatenated([getattr(one, name) for one in each]) for name in names)
            )
        extra = {name: _concatenated([one.extra[name] for one in batches]) for name in self.extra}
        return replace(self, **columns, extra=extra, labels=labels)

    def groups(self) -> NDArray[np.intp]:
        """Return the start of each group of rows, and the end of the last: intp[groups + 1].

        A group has one project and one timestamp, and each device at most once.
        """
        project = self.roster.project[self.device]
        change = (project[1:] != project[:-1]) | (self.timestamp_ms[1:] != self.timestamp_ms[:-1])
        change |= self.device[1:] <= self.device[:-1]
        inner = np.flatnonzero(change) + 1
        ends = [len(self)] if len(self) else []
        return np.concatenate(([0], inner, ends)).astype(np.intp)


def can_join(batch: Batch, following: Batch) -> bool:
    """Return whether `following` has the readings after those of `batch`, in the same columns."""
    return (
        following.roster is batch.roster
        and type(following) is type(batch)
        and following.number == batch.number + len(batch)
        and following.extra.keys() == batch.extra.keys()
        and (following.labels is None) == (batch.labels is None)
    )


def join(batches: Sequence[Batch]) -> Batch:
    """Return the rows of one or more batches in one; each can join the one before it."""
    return batches[0] if len(batches) == 1 else batches[0].followed_by(batches[1:])


def _concatenated(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    whole = np.concatenate(columns)
    whole.flags.writeable = False
    return whole


_NOT_COLUMNS = ("roster", "extra", "number", "labels")
COLUMNS = tuple(f.name for f in fields(Batch) if f.name not in _NOT_COLUMNS)
"""The names of a batch's own columns."""


def _span(values: NDArray[np.int64]) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
