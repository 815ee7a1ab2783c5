"""The readings of a period of simulated time, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch
from gridsim.simulation.scenario import Scenario
from gridsim.simulator.fleet_columns import SEQUENCE, Codes, FleetColumns, kind_of
from gridsim.simulator.table import ColumnTable

_OF_BATCH: Final = {
    "timestamp": "timestamp_ms",
    "connection_start_at": "connection_start_ms",
    SEQUENCE: "tick",
}
"""The columns that have another name in batches."""
_DTYPES: Final = {"number": np.float64, "integer": np.int64, "boolean": np.bool_, "time": np.int64}


class Readings(ColumnTable):
    """The readings of a period of simulated time, one row each, in the order of reporting.

    The columns are the fields of the record, `timestamp` first, and those that DER types
    declare. `is_online` and the values are those that the devices reported, with all faults;
    those of `Simulator.truth.readings` are the true ones. `current_output` is positive where a
    device feeds its site. `current_soc` is NaN where there is no storage.
    """


class ReadingsCollector:
    """The collector of readings, which copies batches to growing columns."""

    def __init__(
        self,
        scenario: Scenario,
        columns: FleetColumns,
        names: Sequence[str],
        ticks: int,
        every_ticks: int,
    ) -> None:
        """Make room for the readings of `ticks` ticks.

        `names` are the columns to keep. The first reading of each device in each `every_ticks`
        ticks is kept.
        """
        self._columns, self._names = columns, names
        self._every = every_ticks
        self._window = np.full(len(scenario.roster), -1, np.int64)
        """The last interval with a reading that was kept, for each device."""
        every_report = scenario.report_every_ticks
        periodic = every_report[every_report > 0]
        # Room for reports on change is made when they arrive.
        due = (1.0 / np.maximum(periodic, every_ticks)).sum() * ticks
        self._room = int(due) + len(scenario.roster)
        self._rows = 0
        try:
            self._device: Codes = np.empty(self._room, np.int32)
            self._data: dict[str, NDArray[Any]] = {
                name: np.empty(self._room, _DTYPES[kind_of(name)])
                for name in columns.changing(names)
            }
        except (MemoryError, ValueError):
            raise MemoryError(
                f"there is no room for about {self._room:,} readings: give run() columns= or "
                "every=, or advance by a shorter time"
            ) from None

    def add(self, batch: Batch) -> None:
        """Add the readings of a tick."""
        kept = None if self._every == 1 else self._first_of_interval(batch)
        start = self._rows
        self._rows += len(batch) if kept is None else len(kept)
        if self._rows > self._room:
            self._grow()
        part = slice(start, self._rows)
        self._device[part] = batch.device if kept is None else batch.device[kept]
        for name, column in self._data.items():
            source = _column(batch, name)
            column[part] = source if kept is None else source[kept]

    def table(self, timezone: str) -> Readings:
        """Return the readings so far, and end: the collector must not be used again."""
        device = self._device[: self._rows]
        device.flags.writeable = False
        data = {name: column[: self._rows] for name, column in self._data.items()}
        return Readings(self._columns.table(self._names, device, data), timezone)

    def _first_of_interval(self, batch: Batch) -> NDArray[np.intp]:
        """Return the rows that are the first of their device in their interval."""
        window = batch.tick // self._every
        device = batch.device
        kept = np.flatnonzero(window > self._window[device])
        if len(kept) and (window[kept] != window[kept[0]]).any():
            # Late readings: there may be several of a device and an interval.
            keys = window[kept] * len(self._window) + device[kept]
            _, first = np.unique(keys, return_index=True)
            kept = kept[np.sort(first)]
        elif len(kept):
            _, first = np.unique(device[kept], return_index=True)
            kept = kept[np.sort(first)]
        np.maximum.at(self._window, device[kept], window[kept])
        return kept

    def _grow(self) -> None:
        self._room = max(2 * self._room, self._rows)
        for column in (self._device, *self._data.values()):
            column.resize(self._room, refcheck=False)


def _column(batch: Batch, name: str) -> NDArray[Any]:
    own = batch.extra.get(name)
    return getattr(batch, _OF_BATCH.get(name, name)) if own is None else own
