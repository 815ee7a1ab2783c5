"""The readings of a tick: the reports of devices, labelled with the true values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gridsim.api import SENT, Batch, Labels, Stateful, Tick
from gridsim.contracts.measurands import decimals_of
from gridsim.simulation.batch import read_only, rounded
from gridsim.simulation.faults.devices import DeviceReports
from gridsim.simulation.faults.rows import pick


class LabelledReadings(Stateful):
    """The readings of each tick, and the times since which devices are connected."""

    kept = ("_down", "_connected_ms")

    def __init__(self, ghosts: NDArray[np.bool_], columns: Mapping[str, str]) -> None:
        """Begin without readings; `columns` are the further columns, each with its unit."""
        self._ghosts = ghosts
        self._digits = {name: decimals_of(name, unit) for name, unit in columns.items()}
        self._down = ghosts.copy()
        """The devices that were unreachable, or did not appear, in the tick before."""
        self._connected_ms = np.full(len(ghosts), np.iinfo(np.int64).min)
        """The times of reconnection, UTC ms; the lowest int64 for devices that were never down."""

    @property
    def down(self) -> NDArray[np.bool_]:
        """The devices that are unreachable, or do not appear, in the last tick."""
        return self._down

    def take(self, batch: Batch, report: DeviceReports | None) -> tuple[Batch, NDArray[np.int8]]:
        """Return the labelled readings and the fate of each; `batch` has the true values."""
        device = batch.device
        connected = np.maximum(batch.connection_start_ms, self._connected_ms[device])
        labels = Labels.blank(batch)
        batch = replace(batch, connection_start_ms=connected, labels=labels)
        if report is None:
            return batch, np.full(len(batch), SENT, np.int8)
        ghost = self._ghosts[device]
        labels = replace(
            labels,
            faults=report.faults[device],
            current_output=np.where(ghost, np.nan, batch.current_output),
            current_soc=np.where(ghost, np.nan, batch.current_soc),
        )
        batch = replace(
            batch,
            timestamp_ms=report.timestamp_ms[device],
            is_online=report.is_online[device],
            current_output=rounded(report.current_output[device], 2),
            power_meter_measurement=rounded(report.power_meter_measurement[device], 2),
            current_soc=rounded(report.current_soc[device], 1),
            extra={
                name: read_only(rounded(report.extra[name][device], self._digits[name]))
                if name in report.extra
                else column
                for name, column in batch.extra.items()
            },
            labels=labels,
        )
        shown = report.appears[device]
        if not shown.all():
            batch = pick(batch, np.flatnonzero(shown))
        return batch, report.leaves[batch.device]

    def follow_connections(self, tick: Tick, report: DeviceReports | None) -> NDArray[np.bool_]:
        """Record a new connection for devices that were unreachable and are reachable now.

        Returns the devices whose readings can say that their connection has changed, bool[n].
        """
        if report is None:
            down = np.zeros(len(self._down), np.bool_)
        else:
            down = (report.leaves != SENT) | ~report.is_online | ~report.appears
        back = changed = self._down & ~down
        if report is not None:
            # A gateway reports that a device is offline.
            changed = back | (down & ~self._down & (report.leaves == SENT))
        self._connected_ms[back] = tick.time_ms
        self._down = down
        return changed
