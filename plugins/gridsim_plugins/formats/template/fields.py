"""The fields that a placeholder can name, and their values in a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    ATTRIBUTES,
    MEASURANDS,
    UNITS,
    Batch,
    Codes,
    Floats,
    Roster,
    codes_of,
    decimals_of,
)

SEQUENCE = "seq"
"""The index of the tick."""

FieldKind = Literal["number", "text", "truth", "time"]
Level = Literal["run", "project", "device", "message", "reading"]
"""The level of a field. `run`, `project` and `device`: a constant of the run, project or device.
`message`: it changes, and is the same for all devices of a project at one time. `reading`: it
changes, and differs between devices.
"""

CONSTANT: frozenset[Level] = frozenset({"run", "project", "device"})
PER_DEVICE: frozenset[Level] = frozenset({"device", "reading"})
NET = "net"
"""The site's net consumption: its load without the output of its devices, kW."""


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field that a placeholder can name."""

    kind: FieldKind
    level: Level
    digits: int | None = None
    """The decimals of a number; None: the shortest text that converts back to it."""
    codes: Codes | None = None
    """The names of its values; None: they are quantities."""
    may_miss: bool = False
    """True for a text that is empty for a device without it."""


_RECORD: Mapping[str, FieldInfo] = {
    "der_id": FieldInfo("text", "device"),
    "is_online": FieldInfo("truth", "reading"),
    "timestamp": FieldInfo("time", "message"),
    "current_output": FieldInfo("number", "reading", 2),
    "power_meter_measurement": FieldInfo("number", "message", 2),
    "baseline": FieldInfo("number", "message", 2),
    "contract_threshold": FieldInfo("number", "message", 2),
    "units": FieldInfo("text", "run"),
    "project_id": FieldInfo("text", "project"),
    "is_standalone": FieldInfo("truth", "project"),
    "connection_start_at": FieldInfo("time", "reading"),
    "current_soc": FieldInfo("number", "reading", 1),
    "type": FieldInfo("text", "device"),
    "nameplate_capacity": FieldInfo("number", "device", 2),
    SEQUENCE: FieldInfo("number", "message", 0),
    NET: FieldInfo("number", "message", 2),
}
_SITE: Mapping[str, FieldInfo] = {
    **dict.fromkeys(("latitude", "longitude", "altitude"), FieldInfo("number", "project")),
    "timezone": FieldInfo("text", "project"),
    "nominal_voltage": FieldInfo("number", "project"),
    "phases": FieldInfo("number", "project", 0),
    "synchronous_area": FieldInfo("text", "project"),
}


def _column(name: str, unit: str) -> FieldInfo:
    measurand = MEASURANDS.get(name)
    level: Level = "message" if measurand is not None and measurand.of_site else "reading"
    has_decimals = unit == UNITS or measurand is not None
    digits = decimals_of(name, unit) if has_decimals else None
    return FieldInfo("number", level, digits, codes_of(name, unit))


class Fields:
    """The fields of one run; `values` returns a column of a batch."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        extra = {name: _column(name, unit) for name, unit in roster.columns.items()}
        site = {} if roster.sites is None else _SITE
        # If a column of the run has the name of another field, the name means the column. A named
        # measurand is a column of the run; the others are listed for the hint about a wrong name.
        attributes = dict.fromkeys(ATTRIBUTES, FieldInfo("text", "device", may_miss=True))
        offered = {name: _column(name, one.unit) for name, one in MEASURANDS.items()}
        self.known: Mapping[str, FieldInfo] = {**offered, **attributes, **_RECORD, **site, **extra}
        self.used: set[str] = set()
        """The fields that the template names."""
        self._net = _Net(roster)

    def values(self, name: str, batch: Batch) -> NDArray[Any]:
        """Return a column that is not a text, one value for each row."""
        if name in self.roster.columns:
            return batch.extra[name]
        if self.known[name].level in CONSTANT:
            return self.of_devices(name)[batch.device]
        column: NDArray[Any]
        match name:
            case "timestamp":
                column = batch.timestamp_ms
            case "connection_start_at":
                column = batch.connection_start_ms
            case "net":
                column = self._net.of(batch)
            case _:
                column = getattr(batch, "tick" if name == SEQUENCE else name)
        return column

    def of_devices(self, name: str) -> NDArray[Any]:
        """Return a constant, one value for each device."""
        roster = self.roster
        column: NDArray[Any]
        match name:
            case "der_id" | "type":
                column = np.array(getattr(roster, name), np.object_)
            case _ if name in ATTRIBUTES:
                column = np.array(roster.attribute(name), np.object_)
            case "project_id":
                column = np.array(roster.project_id, np.object_)[roster.project]
            case "units":
                column = np.full(len(roster), UNITS, np.object_)
            case "is_standalone":
                column = roster.is_standalone[roster.project]
            case "nameplate_capacity":
                column = roster.nameplate_capacity
            case "timezone" | "synchronous_area":
                column = np.array(getattr(roster.sites, name), np.object_)[roster.project]
            case _:
                column = getattr(roster.sites, name)[roster.project]
        return column

    def getter(self, batch: Batch) -> Callable[[str], Floats]:
        """Return the function with which an expression reads the columns of a batch."""
        return lambda name: self.values(name, batch)


class _Net:
    """The net consumption of the sites: the load without the sum of the outputs.

    A device that does not report in a batch counts with its latest output. The sums are whole
    hundredths, so that they do not drift.
    """

    def __init__(self, roster: Roster) -> None:
        self._project = roster.project
        self._outputs = np.zeros(len(roster), np.int64)
        self._sums = np.zeros(len(roster.project_id), np.int64)
        self._batch: Batch | None = None
        self._device: NDArray[np.intp] | None = None
        self._passes: list[tuple[int, int]] = []
        """The passes of the last batch; without late readings all batches have the same devices."""
        self._values: Floats = np.empty(0)

    def of(self, batch: Batch) -> Floats:
        if self._batch is batch:
            return self._values
        project = self._project[batch.device]
        load = np.rint(batch.power_meter_measurement * 100)
        outputs = np.rint(batch.current_output * 100).astype(np.int64)
        values = np.empty(len(batch))
        if batch.device is not self._device:
            self._device, self._passes = batch.device, _passes(batch.device)
        for first, end in self._passes:
            device, sites, new = batch.device[first:end], project[first:end], outputs[first:end]
            np.add.at(self._sums, sites, new - self._outputs[device])
            self._outputs[device] = new
            values[first:end] = (load[first:end] - self._sums[sites]) / 100
        self._batch, self._values = batch, values
        return values


def _passes(device: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Return the ranges of rows in which each device occurs at most once, in order."""
    cuts = [0, *(np.flatnonzero(np.diff(device) <= 0) + 1).tolist(), len(device)]
    return [(a, b) for a, b in pairwise(cuts) if b > a]
