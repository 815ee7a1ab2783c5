"""The true state of all devices over a period of simulated time, as a table of readings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.contracts.measurands import decimals_of
from gridsim.contracts.truth import TickTruth
from gridsim.simulation.batch import rounded
from gridsim.simulation.scenario import Scenario
from gridsim.simulator.fleet_columns import SEQUENCE, FleetColumns
from gridsim.simulator.readings import Readings

FAULTY = "is_faulty"
"""The column that only true readings have: a fault may affect the device."""
_OF_SITES = {"power_meter_measurement": "load_kw", "baseline": "baseline_kw"}
_OF_DEVICES = {"current_output": "output_kw", "current_soc": "soc"}


class TruthCollector:
    """The true state of each tick, by reference to the arrays of the simulation."""

    def __init__(
        self, scenario: Scenario, columns: FleetColumns, names: Sequence[str], every_ticks: int
    ) -> None:
        """Keep the columns `names` of every `every_ticks`-th tick."""
        self._columns = columns
        # A connection is part of the report, not of the true state.
        self._names = tuple(name for name in names if name != "connection_start_at")
        self._every = every_ticks
        self._start_ms, self._tick_ms = scenario.start_ms, scenario.tick_ms
        self._project = scenario.roster.project
        exists = np.ones(len(scenario.roster), np.bool_)
        for spec in scenario.faults:
            if getattr(spec.type, "is_ghost", False):
                exists[spec.device] = False
        self._device = np.flatnonzero(exists).astype(np.int32)
        self._ticks: list[int] = []
        self._values: dict[str, list[Floats]] = {
            name: [] for name in self._names if name in columns.changing(names)
        }
        self._marks: dict[str, list[NDArray[np.bool_] | None]] = {"is_online": [], FAULTY: []}

    def add(self, tick: int, truth: TickTruth) -> None:
        """Add the state of a tick."""
        if tick % self._every:
            return
        self._ticks.append(tick)
        self._marks["is_online"].append(truth.offline)
        self._marks[FAULTY].append(truth.faulty)
        for name, values in self._values.items():
            if (attribute := _OF_SITES.get(name) or _OF_DEVICES.get(name)) is not None:
                values.append(getattr(truth, attribute))
            elif name in truth.extra:
                values.append(truth.extra[name])

    def table(self, timezone: str) -> Readings:
        """Return the state so far as a table with a row for each device and tick."""
        n, ticks = len(self._device), len(self._ticks)
        tick = np.repeat(np.array(self._ticks, np.int64), n)
        data: dict[str, NDArray[Any]] = {
            "timestamp": self._start_ms + tick * self._tick_ms,
            SEQUENCE: tick,
            "is_online": ~self._marked("is_online"),
            FAULTY: self._marked(FAULTY),
        }
        for name, values in self._values.items():
            if name in data:
                continue
            column = np.empty((ticks, n))
            rows = self._project[self._device] if name in _OF_SITES else self._device
            digits = 1 if name == "current_soc" else self._digits(name)
            for place, of_tick in enumerate(values):
                column[place] = rounded(of_tick, digits)[rows]
            data[name] = column.reshape(-1)
        device = np.tile(self._device, ticks)
        device.flags.writeable = False
        names = (*self._names, FAULTY)
        return Readings(self._columns.table(names, device, data), timezone)

    def _digits(self, name: str) -> int:
        return decimals_of(name, self._columns.units.get(name, ""))

    def _marked(self, name: str) -> NDArray[np.bool_]:
        """Return a flag for each device and tick, as a column."""
        marks = self._marks[name]
        column = np.zeros((len(marks), len(self._device)), np.bool_)
        for place, of_tick in enumerate(marks):
            if of_tick is not None:
                column[place] = of_tick[self._device]
        return column.reshape(-1)
