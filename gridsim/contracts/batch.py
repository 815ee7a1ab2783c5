"""The roster of devices, and the batch of readings emitted in one tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from gridsim.numeric.randomness import Floats

UNITS = "kW"


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """What never changes about the devices: one entry per device, in configuration order.

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


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Readings as columns of length n, rounded and checked; arrays are read-only.

    Rows of a project and timestamp are contiguous and in configuration order; readings that
    are delivered late come first.
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

    def __len__(self) -> int:
        return len(self.device)

    @property
    def nbytes(self) -> int:
        """Bytes that the columns hold."""
        own = sum(getattr(self, name).nbytes for name in _COLUMNS)
        return int(own) + sum(column.nbytes for column in self.extra.values())

    def rows(self, start: int, stop: int | None = None) -> Batch:
        """The rows from `start` to before `stop`, without copying."""
        part = slice(start, stop)
        columns = {name: getattr(self, name)[part] for name in _COLUMNS}
        extra = {name: column[part] for name, column in self.extra.items()}
        return replace(self, **columns, extra=extra)

    def groups(self) -> NDArray[np.intp]:
        """Where each run of rows of one project and timestamp starts, then n: intp[groups + 1]."""
        project = self.roster.project[self.device]
        change = (project[1:] != project[:-1]) | (self.timestamp_ms[1:] != self.timestamp_ms[:-1])
        inner = np.flatnonzero(change) + 1
        ends = [len(self)] if len(self) else []
        return np.concatenate(([0], inner, ends)).astype(np.intp)


_COLUMNS = tuple(f.name for f in fields(Batch) if f.name not in ("roster", "extra"))
