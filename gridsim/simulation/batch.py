"""The batch of a tick: the rows that are due, rounded once for every output."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Floats, Stateful, Staying, carry, identities
from gridsim.contracts.measurands import decimals_of
from gridsim.simulation.on_change import ChangeReports
from gridsim.simulation.scenario import Scenario

_DAY_MS = 86_400_000
# The longest time for which a device has been connected when the simulation starts.
_CONNECTED_DAYS = 90
# The GNU C library ignores a larger block: DEFAULT_MMAP_THRESHOLD_MAX, less a page.
_LARGEST_BLOCK = 32 * 1024 * 1024 - 4096
_DIGITS = {"current_output": 2, "power_meter_measurement": 2, "baseline": 2, "current_soc": 1}


class BatchMaker(Stateful):
    """A maker of batches, with the columns that do not change."""

    kept = ("_absent", "_left", "_changes")

    def __init__(self, scenario: Scenario) -> None:
        roster = self._roster = scenario.roster
        n = len(roster)
        self._project = roster.project
        self._start_ms, self._tick_ms = scenario.start_ms, scenario.tick_ms
        self._all = read_only(np.arange(n))
        self._online = read_only(np.ones(n, np.bool_))
        self._threshold = read_only(rounded(scenario.contract_threshold, 2)[roster.project])
        self._digits = {name: decimals_of(name, unit) for name, unit in roster.columns.items()}
        self._measurands = frozenset(scenario.measurands)
        _keep_freed_memory(n * len(roster.columns) * np.dtype(np.float64).itemsize)
        keys = identities(roster.der_id)
        age = scenario.draws.uniform("connection", keys) * _CONNECTED_DAYS * _DAY_MS
        self._connected = read_only(scenario.start_ms - age.astype(np.int64))
        every = scenario.report_every_ticks
        self._is_periodic = every > 0
        self._every = None if (every == 1).all() else np.maximum(every, 1)
        self._phase = (keys % np.maximum(every, 1).astype(np.uint64)).astype(np.int64)
        digits = {**_DIGITS, **self._digits}
        deadbands = scenario.report_on_change
        self._changes = ChangeReports(roster, deadbands, digits) if deadbands else None
        self._reports: NDArray[np.bool_] | None = None
        self._absent: NDArray[np.bool_] | None = None
        self._left = 0

    def disable(self, devices: NDArray[np.intp]) -> None:
        """Stop the reports of these devices."""
        before = self._absent
        # Results of earlier ticks refer to the old array.
        self._absent = np.zeros(len(self._roster), np.bool_) if before is None else before.copy()
        self._absent[devices] = True

    def carry_over(self, older: BatchMaker, devices: Staying) -> None:
        """Count on, with the last readings of the devices that stay; disabled fleets restart."""
        self._left = older._left
        if self._changes is not None and older._changes is not None:
            carry(self._changes, older._changes, devices)

    @property
    def absent(self) -> NDArray[np.bool_] | None:
        """The devices that no longer report, because their plugin failed; None if all report."""
        return self._absent

    @property
    def reports(self) -> NDArray[np.bool_] | None:
        """The devices that report in the last tick, if some report on change; otherwise None."""
        return self._reports

    @property
    def left(self) -> int:
        """The number of readings made so far."""
        return self._left

    def make(
        self,
        index: int,
        power: Floats,
        soc: Floats,
        meter: Floats,
        baseline: Floats,
        extra: Mapping[str, Floats],
        connection_changed: NDArray[np.bool_] | None = None,
    ) -> Batch:
        """Return the batch of tick `index`.

        `power`, `soc` and `extra` have one value per device, `meter` and `baseline` one per
        site; they are not rounded, except measurands. Devices that report on change report it, too,
        if their connection has changed.
        """
        power, soc = read_only(rounded(power, 2)), read_only(rounded(soc, 1))
        meter, baseline = rounded(meter, 2), rounded(baseline, 2)
        missing = missing_column(len(power))
        extra = {
            name: column
            if column is missing
            else read_only(
                column if name in self._measurands else rounded(column, self._digits[name])
            )
            for name, column in extra.items()
        }
        if self._changes is None:
            rows = self._due(index)
        else:
            values = {
                **extra,
                "current_output": power,
                "current_soc": soc,
                "power_meter_measurement": meter,
                "baseline": baseline,
            }
            rows = self._due_or_changed(index, self._changes, values, connection_changed)
        is_all = rows is self._all

        def pick(column: NDArray[Any]) -> NDArray[Any]:
            # Constant columns too: a checkpoint does not keep that an array is read-only.
            return read_only(column if is_all else column[rows])

        project = pick(self._project)
        n = len(rows)
        self._left += n
        return Batch(
            roster=self._roster,
            device=read_only(rows),
            tick=read_only(np.full(n, index, np.int64)),
            timestamp_ms=read_only(np.full(n, self._start_ms + index * self._tick_ms, np.int64)),
            is_online=pick(self._online),
            current_output=pick(power),
            power_meter_measurement=read_only(meter[project]),
            baseline=read_only(baseline[project]),
            contract_threshold=pick(self._threshold),
            connection_start_ms=pick(self._connected),
            current_soc=pick(soc),
            extra={name: pick(column) for name, column in extra.items()},
            number=self._left - n,
        )

    def _due(self, index: int) -> NDArray[np.intp]:
        """Return the devices that report at tick `index`; each has its own phase."""
        if self._every is None and self._absent is None:
            return self._all
        due = np.ones(len(self._all), np.bool_)
        if self._every is not None:
            due = (index - self._phase) % self._every == 0
        if self._absent is not None:
            due &= ~self._absent
        return read_only(np.flatnonzero(due))

    def _due_or_changed(
        self,
        index: int,
        changes: ChangeReports,
        values: Mapping[str, Floats],
        connection_changed: NDArray[np.bool_] | None,
    ) -> NDArray[np.intp]:
        """Return the devices that report at tick `index`, at their time or on change."""
        reports = changes.changed(values)
        if connection_changed is not None:
            reports |= connection_changed & changes.members
        if self._every is None:
            reports[:] = True
        else:
            reports |= self._is_periodic & ((index - self._phase) % self._every == 0)
        if self._absent is not None:
            reports &= ~self._absent
        changes.note(values, reports)
        self._reports = read_only(reports)
        return read_only(np.flatnonzero(reports))


def rounded(values: Floats, digits: int) -> Floats:
    """Return the values rounded to `digits` decimals, with 0.0 for -0.0."""
    result: Floats = values.round(digits)
    result += 0.0
    return result


@lru_cache(maxsize=2)
def missing_column(n: int) -> Floats:
    """Return a column without any value, NaN: the same array each time, read-only."""
    return read_only(np.full(n, np.nan))


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return the same array, made read-only."""
    array.flags.writeable = False
    return array


def _keep_freed_memory(size: int) -> None:
    """Make the C library keep about `size` bytes that are freed, for the columns of the next tick.

    Otherwise a large fleet with many columns asks the system for memory in each tick. The
    GNU C library keeps up to twice the largest block that was freed (mallopt(3),
    M_MMAP_THRESHOLD); a block that nothing writes to costs no memory.
    """
    np.empty(min(size, _LARGEST_BLOCK), np.uint8)
