"""From what devices report to readings with the truth beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gridsim.api import SENT, Batch, Labels, Stateful, Tick
from gridsim.simulation.batch import rounded
from gridsim.simulation.faults.devices import DeviceReports
from gridsim.simulation.faults.rows import pick


def blank_labels(batch: Batch) -> Labels:
    """Of readings that are true and that nothing has happened to."""
    n = len(batch)
    return Labels(
        faults=np.zeros(n, np.uint64),
        timestamp_ms=batch.timestamp_ms,
        current_output=batch.current_output,
        power_meter_measurement=batch.power_meter_measurement,
        current_soc=batch.current_soc,
        altered=np.full(n, -1, np.int32),
        chance=np.zeros(n),
        copy=np.zeros(n, np.bool_),
    )


class Readings(Stateful):
    """Takes the readings of a tick, and knows since when devices are connected."""

    kept = ("_down", "_connected_ms")

    def __init__(self, ghosts: NDArray[np.bool_]) -> None:
        self._ghosts = ghosts
        self._down = ghosts.copy()
        """Who could not be reached, or was not there, in the tick before."""
        self._connected_ms = np.full(len(ghosts), np.iinfo(np.int64).min)
        """Since when those are connected that came back."""

    def take(
        self, tick: Tick, batch: Batch, report: DeviceReports | None
    ) -> tuple[Batch, NDArray[np.int8]]:
        """The readings, labelled, and where they go; `batch` is what is true."""
        self._follow_connections(tick, report)
        device = batch.device
        connected = np.maximum(batch.connection_start_ms, self._connected_ms[device])
        labels = blank_labels(batch)
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
            labels=labels,
        )
        shown = report.appears[device]
        if not shown.all():
            batch = pick(batch, np.flatnonzero(shown))
        return batch, report.leaves[batch.device]

    def _follow_connections(self, tick: Tick, report: DeviceReports | None) -> None:
        """A device that could not be reached, and now can be, is connected anew."""
        if report is None:
            down = np.zeros(len(self._down), np.bool_)
        else:
            down = (report.leaves != SENT) | ~report.is_online | ~report.appears
        self._connected_ms[self._down & ~down] = tick.time_ms
        self._down = down
