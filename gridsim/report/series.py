"""The power of a fleet over time, and of the projects of each event, from a ledger's readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.ledger.columns import Ints
from gridsim.ledger.reader import Reader
from gridsim.report.bins import Bins, Mean

_SCALE = 100.0
"""The ledger has powers in hundredths of a kW."""


@dataclass(frozen=True, slots=True, eq=False)
class FleetSeries:
    """The power of the whole fleet in each interval: means, kW; NaN where there is no reading."""

    bins: Bins
    kw: Mapping[str, Floats]
    """The true output of each type."""
    load_kw: Floats
    """The gross load."""
    reported_kw: Floats
    """The output of all devices as it was sent."""

    @property
    def output_kw(self) -> Floats:
        """The true output of all devices."""
        total: Floats = np.sum([np.nan_to_num(one) for one in self.kw.values()], axis=0)
        return total

    @property
    def net_kw(self) -> Floats:
        return self.load_kw - self.output_kw


@dataclass(frozen=True, slots=True, eq=False)
class Called:
    """The projects that an event calls, and the time that its picture shows."""

    event: str
    projects: NDArray[np.intp]
    bins: Bins


class SeriesReader:
    """The sums over the readings of a ledger, taken in one pass."""

    def __init__(self, reader: Reader, bins: Bins, called: Sequence[Called]) -> None:
        rows = reader.rows("SELECT project, type FROM devices ORDER BY device")
        self._project = np.array([project for project, _ in rows], np.intp)
        names, self._type = np.unique([name for _, name in rows], return_inverse=True)
        self._start_ms, self._tick_ms = reader.meta["start_ms"], reader.meta["tick_ms"]
        [(projects,)] = reader.rows("SELECT count(*) FROM projects")
        devices = np.bincount(self._project, minlength=projects)
        # Each device of a project reports the load of the whole project.
        self._share = 1.0 / devices[self._project]
        self._bins = bins
        self._names: list[str] = names.tolist()
        self._kw = [Mean(bins, n) for n in np.bincount(self._type).tolist()]
        self._load = Mean(bins, float(np.count_nonzero(devices)))
        self._reported = Mean(bins, len(rows))
        self._events = [_EventSums(one, self._project, self._share) for one in called]

    def read(self, reader: Reader) -> tuple[FleetSeries, list[Floats]]:
        """Return the fleet's power, and the reduction in the projects of each event, kW."""
        for window in reader.windows():
            own = ~window.copy
            self._add(window.tick[own], window.device[own], window.output[own], window.meter[own],
                      window.baseline[own])  # fmt: skip
            index, there = self._bins.index(self._time(window.tick))
            there &= own
            self._reported.add(index[there], window.sent_output[there])
        unsent = reader.unsent()
        own = ~unsent.copy
        self._add(unsent.tick[own], unsent.device[own], unsent.output[own], unsent.meter[own],
                  unsent.baseline[own])  # fmt: skip
        kw = {name: mean.total() / _SCALE for name, mean in zip(self._names, self._kw, strict=True)}
        fleet = FleetSeries(
            self._bins, kw, self._load.total() / _SCALE, self._reported.total() / _SCALE
        )
        return fleet, [sums.reduction_kw() for sums in self._events]

    def _time(self, tick: Ints) -> Ints:
        time_ms: Ints = self._start_ms + tick * self._tick_ms
        return time_ms

    def _add(self, tick: Ints, device: Ints, output: Ints, meter: Ints, baseline: Ints) -> None:
        index, there = self._bins.index(self._time(tick))
        type, share = self._type[device], self._share[device]
        for number, mean in enumerate(self._kw):
            rows = there & (type == number)
            mean.add(index[rows], output[rows])
        self._load.add(index[there], meter[there], share[there])
        for sums in self._events:
            sums.add(self._time(tick), device, output, meter, baseline)


class _EventSums:
    """The reduction of the projects that an event calls."""

    def __init__(self, called: Called, project: NDArray[np.intp], share: Floats) -> None:
        self._bins = called.bins
        self._member = np.isin(project, called.projects)
        self._share = share
        self._output = Mean(called.bins, float(np.count_nonzero(self._member)))
        self._baseline = Mean(called.bins, float(len(called.projects)))
        self._load = Mean(called.bins, float(len(called.projects)))

    def add(self, time_ms: Ints, device: Ints, output: Ints, meter: Ints, baseline: Ints) -> None:
        index, there = self._bins.index(time_ms)
        there &= self._member[device]
        if not there.any():
            return
        index, share = index[there], self._share[device[there]]
        self._output.add(index, output[there])
        self._baseline.add(index, baseline[there], share)
        self._load.add(index, meter[there], share)

    def reduction_kw(self) -> Floats:
        """Return the reduction in each interval: baseline - load + output, kW."""
        total = self._baseline.total() - self._load.total() + self._output.total()
        return total / _SCALE
